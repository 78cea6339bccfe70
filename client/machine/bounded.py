"""Calls that may hang, as all calls into a home may whose server is away: each with a time limit."""

import threading
from typing import Callable

HOME_TIME = 5.0  # seconds for what is to be removed from a home
SHARED_TIME = 120.0  # seconds for an environment in it, of thousands of files


def within(seconds: float, work: Callable[[], None]) -> bool:
    """Do this work. Return False when it has not ended in time.

    Then it hangs on in a thread of its own, until the process ends. A signal was rejected: it does
    not interrupt a call into a dead NFS server.
    """
    done = threading.Event()

    def run() -> None:
        try:
            work()
        finally:
            done.set()

    try:
        threading.Thread(target=run, daemon=True).start()
    except RuntimeError:  # no memory for a thread: better without a limit than not at all
        run()
    return done.wait(seconds)

"""Work that may hang, as everything in a home may whose server is away: waited for only so long."""

import threading
from typing import Callable

HOME_TIME = 5.0  # seconds for what is to be removed from a home


def within(seconds: float, work: Callable[[], None]) -> bool:
    """Whether it was done in time. If not, it hangs on in a thread of its own, until the process ends."""
    done = threading.Event()

    def run() -> None:
        try:
            work()
        finally:
            done.set()

    try:
        threading.Thread(target=run, daemon=True).start()
    except RuntimeError:  # no memory for a thread
        run()
    return done.wait(seconds)

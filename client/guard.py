"""A process above the client that does nothing but wait for it.

When the client is killed (also by SIGKILL), its programs become children of this one, which ends them and
removes the client's folder: so nothing stays on the host, whatever happens to the client.
"""

import os
import signal
import socket
import time
from typing import Any, Callable

from . import exits, log
from .host import passed_folders
from .host.own_folder import Base
from .machine import process_tree
from .machine.bounded import HOME_TIME, within
from .machine.out_of_memory import go_first, why_killed
from .wire.lease import Moment

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
KILL_TIME = 5.0
LOOK = 0.2  # seconds between looks at a client that is stopped
STOPPED, STOPPED_AT_END = 5.0, 2.0  # seconds after which a client that is stopped counts as killed; once told to end


def guarded(
    work: Callable[[], int], base: Base, last_words: Callable[[], Callable[[], None]], host_ends: Moment
) -> int:
    """Run work() in a child; its exit code. last_words() of a client that was killed are said after the clean-up.

    `host_ends` is set when a signal tells us to end: what dies from then on died with its host.
    """

    def pass_on(number: int, _: Any) -> None:
        host_ends.set(1.0)
        process_tree.send(client, number)
        process_tree.send(client, signal.SIGCONT)  # one that is stopped could not even hear it

    process_tree.adopt_orphans()
    ours, theirs = socket.socketpair()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    client = os.fork()
    if not client:
        ours.close()
        base.made = lambda: passed_folders.send(theirs, base.name, (base.above, base.folder))
        os._exit(_work(work))
    theirs.close()
    for number in SIGNALS:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    status = _wait_for(client, host_ends)
    _end_all()
    if os.WIFEXITED(status):
        code = os.WEXITSTATUS(status)
    else:
        code, killed_by = exits.KILLED, os.WTERMSIG(status)
        log.say("the client was killed by signal %d%s; cleared up after it" % (killed_by, why_killed(-killed_by)))
    _inherit(base, ours)
    if base.is_of(client):  # it was killed, or had no memory left to clear up by itself
        say = last_words()
        if within(HOME_TIME, base.pay):
            base.remove()
            say()
        else:
            base.remove_what_is_here()
    return code


def _inherit(base: Base, sock: socket.socket) -> None:
    """Take over the folders that the client had opened."""
    found = passed_folders.received(sock)
    if found is not None:
        base.name, (base.above, base.folder) = found


def _work(work: Callable[[], int]) -> int:
    go_first()
    try:
        return work()
    except BaseException:
        ending = exits.unforeseen()
        log.say(ending.text)
        return ending.code
    finally:
        log.flush()


def _wait_for(client: int, host_ends: Moment) -> int:
    """Return how it ended. Kill it when it is stopped for long and we are not: then its group is not just suspended."""
    is_stopped, silent, looked = False, 0.0, 0.0
    while True:
        pid, status = os.waitpid(-1, os.WUNTRACED | os.WCONTINUED | (os.WNOHANG if is_stopped else 0))
        now = time.monotonic()
        if pid == client and (os.WIFSTOPPED(status) or os.WIFCONTINUED(status)):
            is_stopped, silent, looked = os.WIFSTOPPED(status), 0.0, now
        elif pid == client:
            return status
        elif not pid:
            silent, looked = silent + min(now - looked, 2 * LOOK), now
            if silent >= (STOPPED_AT_END if host_ends.is_set() else STOPPED):
                log.say("the client was stopped for %.0f s, and is killed" % silent)
                process_tree.send(client, signal.SIGKILL)
                is_stopped = False
            else:
                time.sleep(LOOK)


def _end_all() -> None:
    end = time.monotonic() + KILL_TIME
    while time.monotonic() < end:
        for pid in process_tree.own_children():
            process_tree.send_tree(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        time.sleep(0.02)


def release_signals(handler: Any) -> None:
    """In the client: these signals were blocked over the fork; now they have a handler."""
    for number in SIGNALS:
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

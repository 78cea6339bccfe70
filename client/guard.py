"""A process above the client that does nothing but wait for it.

When the client is killed (also by SIGKILL), its programs become children of the guard, which ends
them and removes the client's folder: so nothing stays on the host, whatever happens to the client.
"""

import os
import signal
import socket
import time
from typing import Any, Callable

from . import exits, log
from .host import passed_folders
from .host.own_folder import OwnFolder
from .machine import process_limit, process_tree
from .machine.bounded import HOME_TIME, SHARED_TIME, within
from .machine.out_of_memory import go_first, why_killed
from .machine.process_limit import unforeseen
from .wire.lease import SharedTime

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
KILL_TIME = 5.0  # seconds for programs to go after a KILL
LOOK = 0.2  # seconds between looks at a client that is stopped
STOPPED = 5.0  # seconds after which a client that is stopped counts as killed
STOPPED_AT_END = 2.0  # the same once it was told to end: the master waits 10 s


def guarded(
    work: Callable[[], int],
    own_folder: OwnFolder,
    last_words: Callable[[], Callable[[], None]],
    say_unsaid: Callable[[], None],
    host_ends: SharedTime,
) -> int:
    """Run work() in a child and return its exit code.

    The last_words() of a client that was killed are said after the clean-up. `say_unsaid` says what
    a client that was killed after its own clean-up has not said. `host_ends` is set when a signal
    tells us to end: what dies from then on died with its host.
    """

    def pass_on(number: int, _: Any) -> None:
        host_ends.set(1.0)
        process_tree.send(client, number)
        process_tree.send(client, signal.SIGCONT)  # a stopped client could not hear the signal

    process_tree.adopt_orphans()
    ours, theirs = socket.socketpair()
    # Blocked over the fork: a signal that comes before both have handlers would leave one of them.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    client = process_limit.fork()
    if not client:
        ours.close()
        # By these open folders the guard finds what the client made, whoever renames it.
        own_folder.when_made(lambda name, *both: passed_folders.send(theirs, name, both))
        os._exit(_work(work))
    theirs.close()
    for number in SIGNALS:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    status = _wait_for(client, host_ends)
    _end_all()
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else _killed(os.WTERMSIG(status))
    if _is_left(own_folder, client, ours):
        _clear_up(own_folder, last_words())
    else:
        say_unsaid()
    return code


def _is_left(own_folder: OwnFolder, client: int, passed: socket.socket) -> bool:
    """Tell whether the client was killed, or had no memory left to clear up by itself."""
    made = passed_folders.received(passed)
    if made is not None:
        own_folder.take_over(*made)
    return own_folder.is_of(client)


def _killed(number: int) -> int:
    text = "the client was killed by signal %d%s; cleared up after it"
    log.say(text % (number, why_killed(-number)))
    return exits.KILLED


def _clear_up(own_folder: OwnFolder, say: Callable[[], None]) -> None:
    """Remove what a killed client left, then say its last words; say nothing when the home hangs."""
    if within(HOME_TIME, own_folder.pay) and within(SHARED_TIME, own_folder.leave_shared):
        own_folder.remove()
        say()
    else:
        own_folder.remove_what_is_here()


def _work(work: Callable[[], int]) -> int:
    go_first()
    try:
        return work()
    except BaseException:
        ending = unforeseen()
        log.say(ending.text)
        return ending.code
    finally:
        log.flush()


def _wait_for(client: int, host_ends: SharedTime) -> int:
    """Return the wait status of the client once it has ended.

    A client that is stopped for long is killed. Time counts only while the guard is awake: a batch
    engine suspends the whole group, and wakes all of it again.
    """
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
    """Give these signals, which were blocked over the fork, a handler in the client."""
    for number in SIGNALS:
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

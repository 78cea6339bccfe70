"""Connections from the moment the system hands them over until they have shown that they belong here.

Who takes part shows it within moments; all others cost as little as they can:

    silent      nothing has come: no TLS, no parser, but an open file and a timer
    waiting     something has come, and as many as may be at a time are being received
    received    TLS and HTTP are at work, with TLS in a third of a megabyte

There is room for MOST in the first two, and for RECEIVED in the last. The oldest one goes for a newer one, so that
nobody keeps a host out by holding on; of those that are received only after HURRY, as a herd of clients that come in
one moment takes the machine a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import socket
import time
import weakref
from collections.abc import Awaitable, Callable

log = logging.getLogger("spe.server")
MOST = 1000  # connections that are silent, and that wait
RECEIVED = 200  # connections that are received at a time; with TLS that is 70 MB
GREETING = 10.0  # seconds until the first byte, and as many for the greeting of TLS
HURRY = 1.0  # seconds that a connection may be received while others wait
BACKLOG = 256  # connections that the system keeps for us while we are busy
AT_ONCE = 64  # connections accepted before anything else has its turn
PAUSE = 1.0  # seconds until the next look when no connection fits
TOLD = 600.0  # seconds between two lines that say so
MOST_FILES = 65536  # open files and connections that we ask the system for
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
Receive = Callable[["Newcomer"], Awaitable[object]]
_receptions: weakref.WeakSet[Reception] = weakref.WeakSet()  # of all listeners: files are short for all of them


class Newcomer:
    """One connection, until it has shown that it belongs here or is gone."""

    def __init__(self, connection: socket.socket, reception: Reception) -> None:
        self.connection, self._reception = connection, reception
        self.transport: asyncio.BaseTransport | None = None  # once it is received
        self.since = 0.0  # when that began
        self._loop = asyncio.get_running_loop()
        self._clock: asyncio.TimerHandle | None = None
        self._receiving: asyncio.Task[None] | None = None

    def await_word(self) -> None:
        """Nothing is made for it before it says something."""
        self._loop.add_reader(self.connection, self._has_spoken)
        self._clock = self._loop.call_later(GREETING, self.drop)

    def _has_spoken(self) -> None:
        self._hear_no_more()
        self._reception.spoke(self)

    def _hear_no_more(self) -> None:
        if self._clock:
            self._clock.cancel()
            self._clock = None
            self._loop.remove_reader(self.connection)

    def receive(self, how: Receive) -> None:
        """Begin to talk with it."""
        self.since = self._loop.time()
        self._receiving = self._loop.create_task(self._receive(how))

    async def _receive(self, how: Receive) -> None:
        try:
            await how(self)
        except (OSError, asyncio.CancelledError):  # it hung up, speaks no TLS, or took too long
            self.left()
        except Exception:
            log.exception("a connection could not be received")
            self.left()

    def belongs(self) -> None:
        """It has shown what it had to: it is kept as long as it likes."""
        self._reception.remove(self)

    left = belongs  # it is gone by itself

    def drop(self) -> None:
        """Close it now: who has a greeting of TLS or a goodbye to say does not hold it up."""
        self._hear_no_more()
        if self.transport is not None:
            self.transport.abort()  # type: ignore[attr-defined]  # every transport of a connection has it
        elif self._receiving is not None:
            self._receiving.cancel()
        else:
            self.connection.close()
        self._reception.remove(self)


class Reception:
    """Accepts the connections of one listening socket, and holds those that have not shown that they belong here."""

    def __init__(self, listening: socket.socket, receive: Receive) -> None:
        """`receive` makes a transport of a connection; it returns when the greeting is over, and raises OSError."""
        self._listening, self._receive = listening, receive
        self.silent: dict[Newcomer, None] = {}  # the oldest first, as in the other two
        self.waiting: dict[Newcomer, None] = {}
        self.received: dict[Newcomer, None] = {}
        self._loop = asyncio.get_running_loop()
        self._most_files = files_for_connections()
        self._near_full = False
        self._hurry: asyncio.TimerHandle | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._told = -TOLD
        listening.setblocking(False)
        self._open()
        _receptions.add(self)

    def close(self) -> None:
        """Listen no more; what is not yet a request ends."""
        _receptions.discard(self)
        for timer in (self._hurry, self._pause):
            if timer:
                timer.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()
        for one in [*self.silent, *self.waiting, *self.received]:
            one.drop()

    def _open(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listening, self._accept)

    # -- coming

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            if self._is_full() and not _make_room():
                self._shut_for_a_while()  # who waits in the backlog is served later; a closed connection is an error
                return
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in OUT_OF_FILES:
                    continue  # of that one connection: it broke off before we came to it
                if not _make_room():
                    self._shut_for_a_while()
                return
            self._came(connection)

    def _is_full(self) -> bool:
        """Whether as many files are open as may be with connections. Counting them takes long where there are many."""
        self._near_full = self._near_full and open_files() >= self._most_files
        return self._near_full

    def _came(self, connection: socket.socket) -> None:
        if connection.fileno() >= self._most_files:  # the system gives the lowest free number
            self._near_full = True
        connection.setblocking(False)
        if len(self.silent) >= MOST:
            next(iter(self.silent)).drop()
        newcomer = Newcomer(connection, self)
        self.silent[newcomer] = None
        newcomer.await_word()

    def _shut_for_a_while(self) -> None:
        self._loop.remove_reader(self._listening)
        if self._pause is None:
            self._pause = self._loop.call_later(PAUSE, self._open)
        if time.monotonic() - self._told > TOLD:
            self._told = time.monotonic()
            limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            log.warning(
                "no more connections fit: %d open files are allowed (ulimit -n), %d of them are kept for the work "
                "itself; new connections wait until others end", limit, limit - self._most_files,
            )  # fmt: skip

    # -- what becomes of them

    def spoke(self, newcomer: Newcomer) -> None:
        """It says something: it is received now, or when there is room."""
        self.silent.pop(newcomer, None)
        self.waiting[newcomer] = None
        if len(self.waiting) > MOST:
            next(iter(self.waiting)).drop()
        self._receive_waiting()

    def remove(self, newcomer: Newcomer) -> None:
        """It is a stranger no more, or is gone."""
        for stage in (self.silent, self.waiting, self.received):
            stage.pop(newcomer, None)
        self._receive_waiting()

    def _receive_waiting(self) -> None:
        """The newest first: where more come than there is room for, somebody still gets in."""
        while self.waiting and len(self.received) < RECEIVED:
            newcomer, _ = self.waiting.popitem()
            self.received[newcomer] = None
            newcomer.receive(self._receive)
        if self.waiting and self._hurry is None:
            oldest = next(iter(self.received))
            self._hurry = self._loop.call_at(oldest.since + HURRY, self._hurry_up)

    def _hurry_up(self) -> None:
        self._hurry = None
        long_ago = self._loop.time() - HURRY
        late = [one for one in self.received if one.since <= long_ago] if self.waiting else []
        for one in late[: len(self.waiting)]:
            one.drop()
        self._receive_waiting()

    def drop_oldest(self) -> bool:
        """Close the one that matters least; whether there was one."""
        for stage in (self.silent, self.waiting, self.received):
            for newcomer in stage:
                newcomer.drop()
                return True
        return False


def _make_room() -> bool:
    """Close a stranger's connection, of the listener that has most of them."""
    crowds = sorted(_receptions, key=lambda one: (len(one.silent), len(one.waiting), len(one.received)), reverse=True)
    return any(one.drop_oldest() for one in crowds)


def files_for_connections() -> int:
    """The number of open files up to which connections are taken; the rest is for the work: results, the database."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MOST_FILES if limit == resource.RLIM_INFINITY else limit
    return limit - max(32, min(256, limit // 4))


def open_files() -> int:
    """How many this process has open; the most that there may be when there is none left to look with."""
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:
        return MOST_FILES


def ask_for_files() -> None:
    """Each connection is an open file, and many systems allow 1024 unless asked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # then it is as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def listening_socket(address: str | None, port: int) -> socket.socket:
    """A listening socket on `address`, or on all of this machine, IPv4 and IPv6 with the same port."""
    if address is not None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)

"""Holds connections from the moment they are accepted until they have shown the session ID.

A client of ours shows it within moments. Any other connection is kept as cheap as possible:

    silent      nothing has arrived: an open file and a timer, no TLS, no parser
    waiting     something has arrived, and as many as allowed are being received already
    received    TLS and HTTP are at work; with TLS each takes a third of a megabyte

There is room for MOST connections in each of the first two stages and for RECEIVED in the last.
When a stage is full its oldest connection is closed for the newest, so nobody keeps a host out by
holding on. In the last stage only after HURRY, and after TURNS turns of the event loop: many
clients that come in one moment take a busy machine a while, and that is not their fault.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
import time
import weakref
from collections.abc import Awaitable, Callable

from .open_files import files_for_connections, open_files

log = logging.getLogger("spe.server")
MOST = 1000  # silent connections, and as many waiting ones
RECEIVED = 200  # connections that are received at a time; with TLS that is 70 MB
GREETING = 10.0  # seconds until the first byte, and again as many for the TLS handshake
HURRY = 1.0  # seconds that a connection may be received while others wait
TURNS = 10  # turns of the event loop in that time at least; TLS and a request need about four
LATE = 50  # connections closed in a turn for being late: their memory is free only in the next one
BACKLOG = 256  # connections that the system keeps for the master while it is busy
AT_ONCE = 64  # connections accepted before any other work has its turn
PAUSE = 1.0  # seconds until the next try when no connection fits
TOLD = 600.0  # seconds between two warnings about that
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
Receive = Callable[["Newcomer"], Awaitable[object]]
# All listeners of the process: open files are short for all of them together.
_receptions: weakref.WeakSet[Reception] = weakref.WeakSet()


class Newcomer:
    """A connection, until it has shown the session ID or is closed."""

    def __init__(self, connection: socket.socket, reception: Reception) -> None:
        self.connection = connection
        self._reception = reception
        self.transport: asyncio.BaseTransport | None = None  # once it is received
        self.since = 0  # the reception's `turns` when receiving began
        self._loop = asyncio.get_running_loop()
        self._clock: asyncio.TimerHandle | None = None
        self._receiving: asyncio.Task[None] | None = None

    def await_word(self) -> None:
        """Wait for the first byte. Until then nothing is made for the connection."""
        self._loop.add_reader(self.connection, self._has_spoken)
        self._clock = self._loop.call_later(GREETING, self.drop)

    def _has_spoken(self) -> None:
        """Called at the first byte."""
        self._hear_no_more()
        self._reception.spoke(self)

    def _hear_no_more(self) -> None:
        if self._clock:
            self._clock.cancel()
            self._clock = None
            self._loop.remove_reader(self.connection)

    def receive(self, how: Receive, turns: int) -> None:
        """Begin to receive it: TLS, then HTTP. `turns` is what the reception has counted so far."""
        self.since = turns
        self._receiving = self._loop.create_task(self._receive(how))

    async def _receive(self, how: Receive) -> None:
        try:
            await how(self)
        except (
            OSError,
            asyncio.CancelledError,
        ):  # the peer hung up, speaks no TLS, or took too long
            self.left()
        except Exception:
            log.exception("a connection could not be received")
            self.left()

    def belongs(self) -> None:
        """Keep it for as long as it likes: it has shown the session ID."""
        self._reception.remove(self)

    left = belongs  # called when the connection was closed by the other end

    def drop(self) -> None:
        """Close it now, without waiting for a TLS handshake or a TLS goodbye."""
        self._hear_no_more()
        if self.transport is not None:
            self.transport.abort()  # type: ignore[attr-defined]  # every transport of a connection has it
        elif self._receiving is not None:
            self._receiving.cancel()
        else:
            self.connection.close()
        self._reception.remove(self)


class Reception:
    """Accepts the connections of one listening socket, and holds those that are newcomers."""

    def __init__(self, listening: socket.socket, receive: Receive) -> None:
        """`receive` makes a transport of a connection.

        It returns after the TLS handshake. Raises OSError when that fails.
        """
        self._listening = listening
        self._receive = receive
        self.silent: dict[Newcomer, None] = {}  # each of the three has the oldest first
        self.waiting: dict[Newcomer, None] = {}
        self.received: dict[Newcomer, None] = {}
        self._loop = asyncio.get_running_loop()
        self._most_files = files_for_connections()
        self._near_full = False
        self._turns = 0  # turns of the event loop, ten a second at most
        self._turn: asyncio.TimerHandle | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._told = -TOLD
        listening.setblocking(False)
        self._open()
        _receptions.add(self)

    def close(self) -> None:
        """Stop listening, and close all connections that have not shown the session ID."""
        _receptions.discard(self)
        for timer in (self._turn, self._pause):
            if timer:
                timer.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()
        for one in [*self.silent, *self.waiting, *self.received]:
            one.drop()

    def _open(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listening, self._accept)

    # -- new connections

    def _accept(self) -> None:
        """Accept what has come, at most AT_ONCE connections."""
        for _ in range(AT_ONCE):
            # A newcomer is closed for a new one; a client of ours never is.
            if self._is_full() and not _make_room():
                # Connections in the backlog are served later. To accept and close them would be an error
                # for their clients.
                self._shut_for_a_while()
                return
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in OUT_OF_FILES:
                    continue  # the connection broke off before it was accepted
                if not _make_room():
                    self._shut_for_a_while()
                return
            self._came(connection)

    def _is_full(self) -> bool:
        """Tell whether connections use all the open files that they may.

        Counting open files takes long where there are many, so it is done only near the limit.
        """
        self._near_full = self._near_full and open_files() >= self._most_files
        return self._near_full

    def _came(self, connection: socket.socket) -> None:
        # The system gives the lowest free number, so a high number means many open files.
        if connection.fileno() >= self._most_files:
            self._near_full = True
        connection.setblocking(False)
        if len(self.silent) >= MOST:
            next(iter(self.silent)).drop()
        newcomer = Newcomer(connection, self)
        self.silent[newcomer] = None
        newcomer.await_word()

    def _shut_for_a_while(self) -> None:
        """Leave new connections in the backlog for a moment, and say so now and then."""
        self._loop.remove_reader(self._listening)
        if self._pause is None:
            self._pause = self._loop.call_later(PAUSE, self._open)
        if time.monotonic() - self._told > TOLD:
            self._told = time.monotonic()
            limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            log.warning(
                "no more connections fit: %d open files are allowed (ulimit -n), %d of them are kept "
                "for the work itself; new connections wait until others end",
                limit,
                limit - self._most_files,
            )

    # -- stages

    def spoke(self, newcomer: Newcomer) -> None:
        """Take note of its first byte: receive it now, or when there is room."""
        self.silent.pop(newcomer, None)
        self.waiting[newcomer] = None
        if len(self.waiting) > MOST:
            next(iter(self.waiting)).drop()
        self._receive_waiting()
        self._close_late(1)

    def remove(self, newcomer: Newcomer) -> None:
        """Drop it from the stages: it has shown the session ID, or is closed."""
        for stage in (self.silent, self.waiting, self.received):
            stage.pop(newcomer, None)
        self._receive_waiting()

    def _receive_waiting(self) -> None:
        """Receive those that wait, the newest first.

        Where more come than there is room for, somebody still gets in: the oldest are closed.
        """
        while self.waiting and len(self.received) < RECEIVED:
            newcomer, _ = self.waiting.popitem()
            self.received[newcomer] = None
            newcomer.receive(self._receive, self._turns)
        if self.received and self._turn is None:
            self._turn = self._loop.call_later(HURRY / TURNS, self._count_turn)

    def _count_turn(self) -> None:
        """Count a turn of the event loop while connections are received.

        Each turn reads whatever has arrived, so a connection that still owes something after TURNS
        of them is slow itself. A clock would blame it for a master that is busy.
        """
        self._turn = None
        self._turns += 1
        self._close_late(LATE)
        self._receive_waiting()

    def _close_late(self, most: int) -> None:
        """Close connections that take too long: as many as others wait, at most so many."""
        late: list[Newcomer] = []
        most = min(most, len(self.waiting))
        for one in self.received:  # the oldest come first
            if len(late) == most or one.since > self._turns - TURNS:
                break
            late.append(one)
        for one in late:
            one.drop()

    # Silent ones first: nothing has been spent on them.
    def drop_oldest(self) -> bool:
        """Close the connection that matters least. Return whether there was one."""
        for stage in (self.silent, self.waiting, self.received):
            for newcomer in stage:
                newcomer.drop()
                return True
        return False


def _make_room() -> bool:
    """Close one newcomer of the listener that has most of them. Return whether there was one."""

    def crowd(one: Reception) -> tuple[int, int, int]:
        return len(one.silent), len(one.waiting), len(one.received)

    return any(one.drop_oldest() for one in sorted(_receptions, key=crowd, reverse=True))


def listening_socket(address: str | None, port: int) -> socket.socket:
    """Return a socket that listens on `address`, or on all of this machine, IPv4 and IPv6."""
    if address is not None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
        return socket.create_server(
            ("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True
        )
    return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)

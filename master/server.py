"""One listening HTTP server: sockets, TLS, connections, and what is answered to what is no HTTP at all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

from aiohttp import web

log = logging.getLogger("spe.server")
KEEP_ALIVE = 120.0  # seconds that an idle connection is kept
HEAD_TIME = 20.0  # seconds for the greeting of TLS, and for the head of a request
LINGER = 3.0  # seconds in which the rest of a body that was refused is read, so that the answer is heard
MOST_STRANGERS = 400  # connections that have not shown a session ID or token yet; one more, and the oldest is closed
MOST_FILES = 65536  # open files and connections that we ask the system for
LONGEST_LINE = 64 * 1024  # bytes of a request's first line: many tickets, a long reason
NO_SESSION = "wrong session ID"  # the whole answer to whoever has none


class Strangers:
    """Connections of those who have not yet shown that they belong here, the oldest first."""

    def __init__(self) -> None:
        self._there: dict[Handler, None] = {}

    def came(self, one: Handler) -> None:
        """There is room for so many: who takes part needs it for a moment only."""
        self._there[one] = None
        if len(self._there) > MOST_STRANGERS:
            oldest = next(iter(self._there))
            del self._there[oldest]
            oldest.force_close()

    def left(self, one: Handler) -> None:
        """It is gone, or no stranger any more."""
        self._there.pop(one, None)


def admit(request: web.Request) -> None:
    """Who sent this belongs here: its connection is kept as long as it likes."""
    if isinstance(request.protocol, Handler):
        request.protocol.strangers.left(request.protocol)


@contextlib.contextmanager
def watched(request: web.Request, lost: Callable[[], None]) -> Iterator[None]:
    """While this request is held, `lost` is called as soon as its connection breaks."""
    handler = request.protocol
    if not isinstance(handler, Handler):
        yield
        return
    handler.on_loss = lost
    try:
        yield
    finally:
        handler.on_loss = None


class Handler(web.RequestHandler):
    """A connection. aiohttp's own words about a malformed request quote it, session ID and all; ours tell nothing."""

    def __init__(self, manager: web.Server, strangers: Strangers, **options: Any) -> None:
        super().__init__(manager, **options)
        self.strangers = strangers
        self.on_loss: Callable[[], None] | None = None  # while a request is held: to be called when it breaks
        self._head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The head of the first request is awaited from now on, that of another one from its first byte."""
        super().connection_made(transport)
        self.strangers.came(self)
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing of it stays."""
        self.strangers.left(self)
        self._head_came()
        super().connection_lost(exc)
        if self.on_loss:
            self.on_loss()

    def data_received(self, data: bytes) -> None:
        """A head that comes in drops is no reason to wait for ever."""
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._head_came()
        elif self._waiter is not None and self._head is None:
            self._await_head()

    def _await_head(self) -> None:
        self._head = asyncio.get_running_loop().call_later(HEAD_TIME, self.force_close)

    def _head_came(self) -> None:
        if self._head:
            self._head.cancel()
            self._head = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What cannot be read has no session ID: 403, as for all others without one."""
        log.info("a request from %s could not be read: %s", request.remote, type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun, there is no place for another")
        if status >= 500:
            answer = web.Response(status=status, text="the master has a fault here; see its log\n")
        else:
            answer = web.Response(status=403, text=f"{NO_SESSION}\n")
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """What aiohttp stumbled over: its kind, and neither its words nor a traceback, which go to the terminal."""
        fault = kw.get("exc_info")
        log.info("a connection broke off: %s", type(fault).__name__ if isinstance(fault, BaseException) else args[0])


class _Site(web.SockSite):
    """A listening socket whose connections are Handlers."""

    def __init__(self, runner: web.AppRunner, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        super().__init__(runner, sock, ssl_context=tls, backlog=1024)
        self._strangers = Strangers()

    async def start(self) -> None:
        """As SockSite does, with connections of our kind."""
        await web.BaseSite.start(self)
        loop = asyncio.get_running_loop()
        manager = self._runner.server
        assert manager is not None

        def connection() -> Handler:
            return Handler(
                manager, self._strangers, loop=loop, keepalive_timeout=KEEP_ALIVE, max_line_size=LONGEST_LINE,
                lingering_time=LINGER,
                access_log=None,  # URLs hold the session ID
            )  # fmt: skip

        self._server = await loop.create_server(
            connection, sock=self._sock, ssl=self._ssl_context, backlog=1024,
            ssl_handshake_timeout=HEAD_TIME if self._ssl_context else None,
        )  # fmt: skip


class Server:
    """One listening aiohttp application."""

    def __init__(self, app: web.Application) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self.port = 0

    async def start(self, address: str | None, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen; `port` 0 takes a free one. OSError when the port is in use."""
        _ask_for_files()
        await self._runner.setup()
        await _Site(self._runner, _listening(address, port), tls).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close all connections."""
        await self._runner.cleanup()


def _ask_for_files() -> None:
    """Each connection is an open file, and many systems allow 1024 unless asked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # then it is as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _listening(address: str | None, port: int) -> socket.socket:
    """A listening socket on `address`, or on all of this machine, IPv4 and IPv6 with the same port."""
    if address is not None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family, backlog=1024)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True)
    return socket.create_server(("0.0.0.0", port), backlog=1024)

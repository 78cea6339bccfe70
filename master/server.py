"""One listening HTTP server: sockets, TLS, connections, and what is answered to what is no HTTP at all."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any

from aiohttp import web

log = logging.getLogger("spe.server")
KEEP_ALIVE = 120.0  # seconds that an idle connection is kept
LONGEST_LINE = 64 * 1024  # bytes of a request's first line: many tickets, a long reason
NO_SESSION = "wrong session ID"  # the whole answer to whoever has none


class Handler(web.RequestHandler):
    """A connection. aiohttp's own words about a malformed request quote it, session ID and all; ours tell nothing."""

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

    async def start(self) -> None:
        """As SockSite does, with connections of our kind."""
        await web.BaseSite.start(self)
        loop = asyncio.get_running_loop()
        manager = self._runner.server
        assert manager is not None

        def connection() -> Handler:
            return Handler(
                manager, loop=loop, keepalive_timeout=KEEP_ALIVE, max_line_size=LONGEST_LINE,
                access_log=None,  # type: ignore[arg-type]  # URLs hold the session ID
            )  # fmt: skip

        self._server = await loop.create_server(connection, sock=self._sock, ssl=self._ssl_context, backlog=1024)


class Server:
    """One listening aiohttp application."""

    def __init__(self, app: web.Application) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self.port = 0

    async def start(self, address: str | None, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen; `port` 0 takes a free one. OSError when the port is in use."""
        await self._runner.setup()
        await _Site(self._runner, _listening(address, port), tls).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close all connections."""
        await self._runner.cleanup()


def _listening(address: str | None, port: int) -> socket.socket:
    """A listening socket on `address`, or on all of this machine, IPv4 and IPv6 with the same port."""
    if address is not None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family, backlog=1024)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True)
    return socket.create_server(("0.0.0.0", port), backlog=1024)

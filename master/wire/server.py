"""A listening HTTP server: TLS, connections, and the answers to what is not HTTP at all.

How many connections there may be is accepting.py's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from .accepting import GREETING, Newcomer, Reception, listening_socket
from .open_files import ask_for_files

log = logging.getLogger("spe.server")
KEEP_ALIVE = 120.0  # seconds that an idle connection is kept
HEAD_TIME = 20.0  # seconds for the head of a request
GOODBYE = 3.0  # seconds for the other end's part of closing TLS
# The rest of a refused body is read for a moment. If the connection were closed at once, the kernel
# would reset it, and the client would see a broken connection in place of the answer.
LINGER = 3.0  # seconds
# Bytes of a request's first line: it may name many tickets and a long reason.
LONGEST_LINE = 64 * 1024
NO_SESSION = "wrong session ID"  # the whole answer to a request without one


def admit(request: web.Request) -> None:
    """Keep the connection of this request for as long as its client likes: it has shown the session
    ID.
    """
    if isinstance(request.protocol, Handler):
        request.protocol.newcomer.belongs()


async def answered(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Return the handler's answer: 400 for a request that cannot be read, 500 for a fault of ours,
    which is logged.
    """
    try:
        return await handler(request)
    except web.HTTPException as error:
        return short_answer(error.status, error.text or error.reason)
    except (web.RequestPayloadError, ClientPayloadError, HttpProcessingError) as error:
        return short_answer(400, f"the body cannot be read: {type(error).__name__}")
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception:
        log.exception("%s %s went wrong", request.method, request.path)
        return short_answer(500, "the master has a fault here; see its log")


def short_answer(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return an answer of one line of text."""
    line = text.splitlines()[0] if text else ""
    return web.Response(status=status, text=line + "\n", headers=headers)


@contextlib.contextmanager
def watched(request: web.Request, lost: Callable[[], None]) -> Iterator[None]:
    """Call `lost` as soon as the connection of this request breaks, while the request is held (a
    long poll).
    """
    handler = request.protocol
    if not isinstance(handler, Handler):
        yield
        return
    handler.on_loss = lost
    try:
        yield
    finally:
        handler.on_loss = None


class _Refusal(web.Response):
    """An answer to what is not a request. No hook of an application sees it."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


async def _name_no_maker(_: web.Request, response: web.StreamResponse) -> None:
    """Remove the Server header: the versions at work here are nobody's business."""
    response.headers.popall("Server", None)


class Handler(web.RequestHandler):
    """A connection.

    Answers malformed requests in words of its own: aiohttp's quote the request, session ID
    included.
    """

    def __init__(self, manager: web.Server, newcomer: Newcomer, **options: Any) -> None:
        super().__init__(manager, **options)
        self.newcomer = newcomer
        # Called when the connection of a held request breaks.
        self.on_loss: Callable[[], None] | None = None
        self._head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the head of the first request from now on; of later ones from their first byte."""
        super().connection_made(transport)
        self.newcomer.transport = transport
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go of the connection, and tell the request that was held on it."""
        self.newcomer.left()
        self._head_came()
        super().connection_lost(exc)
        if self.on_loss:
            self.on_loss()

    def data_received(self, data: bytes) -> None:
        """Read on. A head that arrives in drops still has to be complete within HEAD_TIME."""
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._head_came()
        elif self._waiter is not None and self._head is None:
            self._await_head()

    def _await_head(self) -> None:
        """Start the time limit of a request's head."""
        self._head = asyncio.get_running_loop().call_later(HEAD_TIME, self.force_close)

    def _head_came(self) -> None:
        """End that time limit."""
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
        """Return 403, as for all requests without a session ID: what cannot be read has none."""
        log.info("a request from %s could not be read: %s", request.remote, type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun, there is no place for another")
        if status >= 500:
            answer = _Refusal(status=status, text="the master has a fault here; see its log\n")
        else:
            answer = _Refusal(status=403, text=f"{NO_SESSION}\n")
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log the class of the fault alone: aiohttp would print its words and a traceback on the
        terminal.
        """
        fault = kw.get("exc_info")
        kind = type(fault).__name__ if isinstance(fault, BaseException) else args[0]
        log.info("a connection broke off: %s", kind)


class Server:
    """A listening aiohttp application."""

    def __init__(self, app: web.Application) -> None:
        app.on_response_prepare.append(_name_no_maker)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._reception: Reception | None = None
        self.port = 0

    async def start(self, address: str | None, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen on `port`, 0 for a free one. Raises OSError when the port is in use."""
        # Before Reception counts how many connections fit.
        ask_for_files()
        await self._runner.setup()
        listening = listening_socket(address, port)
        self.port = int(listening.getsockname()[1])
        self._reception = Reception(listening, partial(self._receive, tls))

    async def _receive(self, tls: ssl.SSLContext | None, newcomer: Newcomer) -> None:
        """Make an HTTP connection of an accepted one.

        Raises OSError when it does not get through TLS.
        """
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(
            partial(self._handler, newcomer),
            newcomer.connection,
            ssl=tls,
            ssl_handshake_timeout=GREETING if tls else None,
            ssl_shutdown_timeout=GOODBYE if tls else None,
        )

    def _handler(self, newcomer: Newcomer) -> Handler:
        """Return aiohttp's protocol object for one connection."""
        manager = self._runner.server
        assert manager is not None
        return Handler(
            manager,
            newcomer,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=KEEP_ALIVE,
            max_line_size=LONGEST_LINE,
            lingering_time=LINGER,
            access_log=None,  # URLs hold the session ID
        )

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        if self._reception:
            self._reception.close()
        await self._runner.cleanup()

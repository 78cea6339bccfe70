"""One listening HTTP server: TLS, connections, and what is answered to what is no HTTP at all.

Which connections there may be is accepting.py's affair.
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

from .accepting import GREETING, Newcomer, Reception, ask_for_files, listening_socket

log = logging.getLogger("spe.server")
KEEP_ALIVE = 120.0  # seconds that an idle connection is kept
HEAD_TIME = 20.0  # seconds for the head of a request
GOODBYE = 3.0  # seconds for the other end's part of closing TLS
LINGER = 3.0  # seconds in which the rest of a body that was refused is read, so that the answer is heard
LONGEST_LINE = 64 * 1024  # bytes of a request's first line: many tickets, a long reason
NO_SESSION = "wrong session ID"  # the whole answer to whoever has none


def admit(request: web.Request) -> None:
    """Who sent this belongs here: its connection is kept as long as it likes."""
    if isinstance(request.protocol, Handler):
        request.protocol.newcomer.belongs()


async def answered(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What the handler answers. What cannot be read of the request is 400; a fault of ours is logged, and 500."""
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
    """One line of text."""
    return web.Response(status=status, text=text.splitlines()[0] + "\n" if text else "\n", headers=headers)


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


class _Refusal(web.Response):
    """An answer to what is no request, so that no hook of an application is asked about it."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


async def _name_no_maker(_: web.Request, response: web.StreamResponse) -> None:
    """Which versions are at work here is nobody's business."""
    response.headers.popall("Server", None)


class Handler(web.RequestHandler):
    """A connection. aiohttp's own words about a malformed request quote it, session ID and all; ours tell nothing."""

    def __init__(self, manager: web.Server, newcomer: Newcomer, **options: Any) -> None:
        super().__init__(manager, **options)
        self.newcomer = newcomer
        self.on_loss: Callable[[], None] | None = None  # while a request is held: to be called when it breaks
        self._head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The head of the first request is awaited from now on, that of another one from its first byte."""
        super().connection_made(transport)
        self.newcomer.transport = transport
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing of it stays."""
        self.newcomer.left()
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
            answer = _Refusal(status=status, text="the master has a fault here; see its log\n")
        else:
            answer = _Refusal(status=403, text=f"{NO_SESSION}\n")
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """What aiohttp stumbled over: its kind, and neither its words nor a traceback, which go to the terminal."""
        fault = kw.get("exc_info")
        log.info("a connection broke off: %s", type(fault).__name__ if isinstance(fault, BaseException) else args[0])


class Server:
    """One listening aiohttp application."""

    def __init__(self, app: web.Application) -> None:
        app.on_response_prepare.append(_name_no_maker)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._reception: Reception | None = None
        self.port = 0

    async def start(self, address: str | None, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen; `port` 0 takes a free one. OSError when the port is in use."""
        ask_for_files()
        await self._runner.setup()
        listening = listening_socket(address, port)
        self.port = int(listening.getsockname()[1])
        self._reception = Reception(listening, partial(self._receive, tls))

    async def _receive(self, tls: ssl.SSLContext | None, newcomer: Newcomer) -> None:
        """Make a connection of ours of one that was accepted. Raises OSError when it does not get through TLS."""
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(
            partial(self._handler, newcomer), newcomer.connection, ssl=tls,
            ssl_handshake_timeout=GREETING if tls else None, ssl_shutdown_timeout=GOODBYE if tls else None,
        )  # fmt: skip

    def _handler(self, newcomer: Newcomer) -> Handler:
        manager = self._runner.server
        assert manager is not None
        return Handler(
            manager, newcomer, loop=asyncio.get_running_loop(), keepalive_timeout=KEEP_ALIVE,
            max_line_size=LONGEST_LINE, lingering_time=LINGER,
            access_log=None,  # URLs hold the session ID
        )  # fmt: skip

    async def stop(self) -> None:
        """Close all connections."""
        if self._reception:
            self._reception.close()
        await self._runner.cleanup()

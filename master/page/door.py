"""The door of a page: who may come in, and what every answer tells the browser."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from ..errors import SpeError
from ..wire.server import admit, answered, short_answer

LOOPBACK = "127.0.0.1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # The page shows what programs print. Should that ever pass for markup, the browser still runs
    # nothing of it. Images are the results of sets.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}


class Door:
    """Lets requests with a token in. Lives as long as its page."""

    def __init__(
        self,
        read: str,
        act: str,
        refusal: str,
        turned_away: Callable[[web.Request], None] = lambda request: None,
    ) -> None:
        """`read`, `act`: the tokens; without `act` ("") nobody acts. `refusal`: what others are told."""
        self._read, self._act = read.encode(), act.encode()
        self._refusal, self._turned_away = refusal, turned_away

    def application(self) -> web.Application:
        """Return an application that only requests with a token reach."""
        app = web.Application(middlewares=[self._guard])
        app.on_response_prepare.append(_say)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let requests with a token pass. Any other learns nothing, whatever it asks."""
        given = request.query.get("token", "").encode("utf-8", "replace")
        # Both are compared in any case: the time must not tell which one a guess was near.
        may_read = hmac.compare_digest(given, self._read)
        may_act = hmac.compare_digest(given, self._act) and bool(self._act)
        if not (may_read or may_act):
            self._turned_away(request)
            return web.Response(status=403, text=self._refusal)
        admit(request)
        request["may_act"] = may_act
        return await answered(request, partial(_told, handler))


async def _told(handler: Handler, request: web.Request) -> web.StreamResponse:
    """Answer an error in one line."""
    try:
        return await handler(request)
    except SpeError as error:
        return short_answer(400, error.line)


async def _say(_: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that every answer has; a handler may have set one of its own."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)

"""Lets requests with the session ID pass. Any other learns nothing but 403."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from ..errors import NotStored
from .body import BodyRefused
from .server import NO_SESSION, admit, answered, short_answer

log = logging.getLogger("spe.web")
REPORTED = 1000  # requests turned away, between two lines of the log
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """The guard of one session, before all of its routes."""

    def __init__(self, session: str) -> None:
        self._session = session.encode()
        self._turned_away = 0

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer 403, or what the handler answers."""
        if not self._knows(request):
            self._report(request)
            return short_answer(403, NO_SESSION)
        admit(request)  # the connection is no newcomer any more
        return await answered(request, partial(_refusing, handler))

    async def expect(self, request: web.Request) -> web.Response | None:
        """Answer `Expect: 100-continue`, which a client sends before a large body.

        aiohttp calls this before the middleware, so it must not tell a stranger more than 403.
        """
        if not self._knows(request):
            return short_answer(403, NO_SESSION)
        if request.headers["Expect"].lower() != "100-continue":
            return short_answer(417, "expect 100-continue or nothing")
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun
        return None

    def _knows(self, request: web.Request) -> bool:
        """Tell whether the request has the session ID, in a time that says nothing about the ID."""
        given = request.query.getall("sessionID", [])
        if len(given) != 1:
            return False
        return hmac.compare_digest(given[0].encode("utf-8", "replace"), self._session)

    def _report(self, request: web.Request) -> None:
        """Log the first of many such requests alone: a flood must not fill the log."""
        self._turned_away += 1
        if self._turned_away == 1 or self._turned_away % REPORTED == 0:
            log.warning(
                "%d requests with a wrong session ID, the last one from %s",
                self._turned_away,
                request.remote,
            )


async def _refusing(handler: Handler, request: web.Request) -> web.StreamResponse:
    """Answer what was refused, and what cannot be stored any more, with a status of its own."""
    try:
        return await handler(request)
    except BodyRefused as refused:
        return short_answer(refused.status, refused.what)
    except NotStored:
        return short_answer(500, "the run ends while its disk is full; this was not stored")

"""The page for people: a listener of its own on 127.0.0.1 that always needs a token.

This file is its door: who may come in, which path leads where, what every answer tells the browser.
What people do here is desk/acts.py's business.

    acting       `POST /act`: acts, with the acting token
    adding       `POST /sets`: `spe run --add` brings sets, with the acting token
    asking       Questions of people about what runs now
    drawing      Small drawings as numbers
    formats      Numbers, times and states as they look on the page
    stream       The state of a sweep as Server-Sent Events
    table_query  The rows of a table that somebody wants, read from the address of the page
    views        The pages: each handler gathers what its template shows
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from ..config.values import Listen
from ..desk.acts import Acts
from ..errors import SpeError
from ..session.run_folder import Folder
from ..session.session import Secrets, Session
from ..state.document import Hosts, Picture
from ..wire.server import Server, admit, answered, short_answer
from .acting import Acting
from .adding import Adding
from .asking import Asking
from .stream import Stream
from .views import Views

LOOPBACK = "127.0.0.1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
NO_TOKEN = (
    "This page needs its token, which is made anew for each run: open the address that `spe run` printed. "
    "It stands as `page` in runs/<name>/master.json, too.\n"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # The page shows what programs print. Should that ever pass for markup, the browser still runs
    # nothing of it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}


class Page:
    """The page of one sweep. Lives as long as the run."""

    def __init__(
        self, acts: Acts, folder: Folder, secrets: Secrets, name: str, fleet: Hosts | None = None
    ) -> None:
        """`name`: of the sweep. `fleet`: hosts that are shown before they are up."""
        desk = self.desk = acts.desk
        self.folder = folder
        self.secrets = secrets
        self.name = name
        self.url = ""
        self.acts = acts
        self.acting = Acting(acts, secrets.act)
        self.adding = Adding(self.acting)
        self._picture = Picture(name, desk.dispatch, time.time() - desk.clock(), time.time(), fleet)
        self._stream = Stream(lambda: self._picture.draw(desk.clock()), desk.events)
        self._views = Views(desk, folder, self._picture)
        self._server = Server(self._application())

    def _application(self) -> web.Application:
        """Return the application with all routes."""
        app = web.Application(middlewares=[self._guard])
        for path, handler in self._views.routes().items():
            app.router.add_get(path, handler)
        app.router.add_get("/stream", self._stream.serve)
        app.router.add_post("/act", self.acting.answer)
        app.router.add_post("/sets", self.adding.answer)
        Asking(self.desk).add_to(app.router)
        app.router.add_route("*", "/{rest:.*}", self._views.nothing_here)
        app.on_response_prepare.append(_say)
        return app

    async def start(self, listen: Listen | None, session: Session) -> None:
        """Listen on 127.0.0.1, or where `listen_page` says; on the network only with HTTPS."""
        address = LOOPBACK
        port = 0
        if listen:
            address = listen.address or "0.0.0.0"
            port = listen.port
        tls = None
        scheme = "http"
        if address != LOOPBACK:
            tls = session.tls()[0]
            scheme = "https"
        await self._server.start(address, port, tls)
        self.url = f"{scheme}://{address}:{self._server.port}/?token={self.secrets.read}"

    async def stop(self) -> None:
        """Send a last change to those who listen, and close all connections."""
        self._stream.close()
        await self._server.stop()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let requests with a token pass. Any other learns nothing, whatever it asks."""
        given = request.query.get("token", "").encode("utf-8", "replace")
        # Both are compared in any case: the time must not tell which one a guess was near.
        may_read = hmac.compare_digest(given, self.secrets.read.encode())
        may_act = hmac.compare_digest(given, self.secrets.act.encode())
        if not (may_read or may_act):
            self.acting.turned_away(request)
            return web.Response(status=403, text=NO_TOKEN)
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
    """Add the headers that every answer has."""
    for name, value in HEADERS.items():
        response.headers[name] = value

"""The page for people: a listener of its own on 127.0.0.1 that always needs a token.

This is its door: who may come in, what is where, what every answer says to the browser. What the pages show is
views.py's, what goes on meanwhile stream.py's, what people do here acts.py's.

    acting       `POST /act` on the page's listener, with the acting token
    asking       Questions of people about what runs now
    drawing      Small drawings as numbers
    formats      How numbers and times look on the page
    stream       The stream: how a sweep stands, first all of it, then what changes, as Server-Sent Events
    table_query  What somebody wants of a table, read from the address of the page, and what is found for it
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
from ..desk.desk import Desk
from ..errors import SpeError
from ..session.run_folder import Folder
from ..session.session import Secrets, Session
from ..state.document import Hosts, Picture
from ..wire.server import Server, admit, answered, short_answer
from .acting import Acting
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
    # What programs print is shown here: should any of it ever pass for markup, the browser still runs nothing.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}


class Page:
    """Serves the page of one sweep."""

    def __init__(self, desk: Desk, folder: Folder, secrets: Secrets, name: str) -> None:
        self.desk, self.folder, self.secrets, self.name = desk, folder, secrets, name
        self.url = ""
        self.acts = Acts(desk)
        self.acting = Acting(self.acts, secrets.act)
        self._picture = Picture(name, desk.dispatch, time.time() - desk.clock(), time.time())
        self._stream = Stream(lambda: self._picture.draw(desk.clock()), desk.events)
        self._views = Views(desk, folder, self._picture)
        self._server = Server(self._application())

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        for path, handler in self._views.routes().items():
            app.router.add_get(path, handler)
        app.router.add_get("/stream", self._stream.serve)
        app.router.add_post("/act", self.acting.answer)
        Asking(self.desk).add_to(app.router)
        app.router.add_route("*", "/{rest:.*}", self._views.nothing_here)
        app.on_response_prepare.append(_say)
        return app

    async def start(self, listen: Listen | None, session: Session) -> None:
        """Listen; on the network only where `listen_page` says so, and then with HTTPS."""
        address = (listen.address or "0.0.0.0") if listen else LOOPBACK
        tls = session.tls()[0] if listen and address != LOOPBACK else None
        await self._server.start(address, listen.port if listen else 0, tls)
        self.url = f"{'https' if tls else 'http'}://{address}:{self._server.port}/?token={self.secrets.read}"

    def follow(self, fleet: Hosts) -> None:
        """Show these hosts, too, before they are up."""
        self._picture.fleet = fleet

    async def stop(self) -> None:
        """A last word to those who listen, then close all connections."""
        self._stream.close()
        await self._server.stop()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Before anything else: who has no token learns nothing, whatever is asked."""
        given = request.query.get("token", "").encode("utf-8", "replace")
        right = [hmac.compare_digest(given, token.encode()) for token in (self.secrets.read, self.secrets.act)]
        if not any(right):
            self.acting.turned_away(request)
            return web.Response(status=403, text=NO_TOKEN)
        admit(request)
        request["may_act"] = right[1]
        return await answered(request, partial(_told, handler))


async def _told(handler: Handler, request: web.Request) -> web.StreamResponse:
    """What cannot be had is said in one line."""
    try:
        return await handler(request)
    except SpeError as error:
        return short_answer(400, error.line)


async def _say(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers[name] = value

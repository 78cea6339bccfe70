"""The page for people: a listener of its own on 127.0.0.1 that always needs a token, live by Server-Sent Events.

It shows what the store says. Everything that acts on a sweep is for a later, fuller page.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from ..acts import Acts
from ..desk import Desk
from ..document import Hosts, Picture
from ..keys import Listen
from ..reader import Reader, time_of_day
from ..server import Server, admit
from ..session import Secrets, Session
from ..stream import Stream

if TYPE_CHECKING:
    from jinja2 import Environment

LOOPBACK = "127.0.0.1"
PAUSE = 1.0  # seconds between two looks at the store
MOST_FAILED = 50
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
NO_TOKEN = (
    "This page needs its token, which is made anew for each run: open the address that `spe run` printed. "
    "It stands as `page` in runs/<name>/master.json, too.\n"
)
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


class Page:
    """Serves the page of one sweep."""

    def __init__(self, desk: Desk, folder: Path, secrets: Secrets, name: str) -> None:
        self.desk, self.folder, self.secrets, self.name = desk, folder, secrets, name
        self.url = ""
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self.show)
        app.router.add_get("/events", self.events)
        self.acts = Acts(desk, secrets.act)
        app.router.add_post("/act", self.acts.answer)
        self._picture = Picture(name, desk.farm, time.time() - desk.clock(), time.time())
        self._stream = Stream(lambda: self._picture.draw(desk.clock()), desk.events)
        app.router.add_get("/stream", self._stream.serve)
        self._server = Server(app)

    @cached_property
    def _templates(self) -> Environment:
        from jinja2 import Environment, PackageLoader  # late: most pages of short sweeps are never looked at

        templates = Environment(loader=PackageLoader("spe", "templates/page"), autoescape=True)
        templates.filters["clock"] = time_of_day
        return templates

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
        """Close all connections."""
        self._stream.close()
        await self._server.stop()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Before anything else: who has no token learns nothing, whatever is asked."""
        given = request.query.get("token", "").encode("utf-8", "replace")
        right = [hmac.compare_digest(given, token.encode()) for token in (self.secrets.read, self.secrets.act)]
        if not any(right):
            return web.Response(status=403, text=NO_TOKEN, headers=HEADERS)
        admit(request)
        return await handler(request)

    async def show(self, request: web.Request) -> web.Response:
        """The whole page."""
        html = await asyncio.to_thread(self._render, "page.html")
        return web.Response(text=html, content_type="text/html", headers=HEADERS)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """What changes, as it changes: each event is the new inside of the page."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **HEADERS})
        await response.prepare(request)
        shown = ""
        while True:
            html = await asyncio.to_thread(self._render, "now.html")
            if html != shown:
                shown = html
                await response.write(f"data: {json.dumps(html)}\n\n".encode())
            await asyncio.sleep(PAUSE)

    def _render(self, template: str) -> str:
        with Reader(self.folder) as reader:
            statistics, failed = reader.statistics(), list(islice(reader.failed(), MOST_FAILED))
        return self._templates.get_template(template).render(name=self.name, s=statistics, failed=failed)

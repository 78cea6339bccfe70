"""The page for people: a listener of its own on 127.0.0.1 that always needs a token.

This file is its entrance: which path leads where. `Page` is that of a run that goes on, `EndedPage`
shows a run from its database alone. What people do here is desk/acts.py's business.

    acting       `POST /act`: acts, with the acting token
    adding       `POST /sets`: `spe run --add` brings sets, with the acting token
    asking       Questions of people about what runs now
    beside       The plot of another run beside that of this one
    door         Who may come in, and what every answer tells the browser
    downloads    Files of results: sent to be saved, and images to be shown
    drawing      Small drawings as numbers
    ended        A run that is over, as its pages ask about it
    formats      Numbers, times and states as they look on the page
    life         What pages show of a run beside its database
    plots        Plots of the page that are saved
    running      A run that goes on, as its pages ask about it
    stream       The state of a sweep as Server-Sent Events
    table_query  The rows of a table that somebody wants, read from the address of the page
    views        The pages: each handler gathers what its template shows
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from ..config.values import Listen
from ..desk.acts import Acts
from ..session.run_folder import Folder
from ..session.session import Secrets, Session
from ..state.document import Hosts, Picture
from ..wire.server import Server
from .acting import Acting
from .adding import Adding
from .asking import Asking
from .door import LOOPBACK, Door
from .ended import Command, Ended
from .plots import Plots
from .running import Running
from .stream import Stream
from .views import Views

NO_TOKEN = (
    "This page needs its token, which is made anew for each run: open the address that `spe run` printed. "
    "It stands as `page` in runs/<name>/master.json, too, and `spe page` prints it.\n"
)
NO_TOKEN_ENDED = "This page needs its token: open the address that `spe page` printed.\n"


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
        picture = Picture(name, desk.dispatch, time.time() - desk.clock(), time.time(), fleet)
        life = Running(desk, picture)
        self._stream = Stream(life.document, desk.events)
        self._views = Views(life, folder)
        self._server = Server(self._application())

    def _application(self) -> web.Application:
        """Return the application with all routes."""
        door = Door(self.secrets.read, self.secrets.act, NO_TOKEN, self.acting.turned_away)
        app = door.application()
        app.router.add_post("/act", self.acting.answer)
        app.router.add_post("/sets", self.adding.answer)
        Asking(self.desk).add_to(app.router)
        _add_pages(app, self._views, self._stream)
        return app

    async def start(self, listen: Listen | None, session: Session) -> None:
        """Listen on 127.0.0.1, or where `listen_page` says; on the network only with HTTPS.

        After a crash, the port of before is taken again if it is free: a page that is open in a
        browser asks nowhere else.
        """
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
        earlier = session.secrets.page_port
        try:
            await self._server.start(address, port or earlier, tls)
        except OSError:
            if port or not earlier:
                raise
            # Another program has taken it meanwhile.
            await self._server.start(address, 0, tls)
        session.page_served_on(self._server.port)
        self.url = f"{scheme}://{address}:{self._server.port}/?token={self.secrets.read}"

    async def stop(self) -> None:
        """Send a last change to those who listen, and close all connections."""
        self._stream.close()
        await self._server.stop()


class EndedPage:
    """The page of a run that is over, to be read only. Lives as long as `spe page`."""

    def __init__(
        self, folder: Path, command: Command, named: Mapping[str, Path] | None = None
    ) -> None:
        """`command` returns the command line of a set. `named`: runs elsewhere to compare with.

        Raises UsageError where nothing has run.
        """
        life = Ended(folder, command)
        self._token = secrets.token_urlsafe(24)
        self._stream = Stream(life.document, life.events)
        app = Door(self._token, "", NO_TOKEN_ENDED).application()
        _add_pages(app, Views(life, folder, named), self._stream)
        self._server = Server(app)

    async def start(self, port: int = 0) -> str:
        """Listen on 127.0.0.1; return the address. Raises OSError when the port is in use."""
        await self._server.start(LOOPBACK, port, None)
        return f"http://{LOOPBACK}:{self._server.port}/?token={self._token}"

    async def stop(self) -> None:
        """Close all connections."""
        self._stream.close()
        await self._server.stop()


def _add_pages(app: web.Application, views: Views, stream: Stream) -> None:
    """Add what is there to be read."""
    for path, handler in {**views.routes(), **Plots(views).routes()}.items():
        app.router.add_get(path, handler)
    app.router.add_get("/stream", stream.serve)
    app.router.add_route("*", "/{rest:.*}", views.nothing_here)

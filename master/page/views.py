"""The pages: each handler gathers what its template shows. What takes long happens in a thread."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Awaitable, Callable
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aiohttp import web

from ..desk.desk import Desk
from ..errors import SpeError, UsageError
from ..model import TaskState
from ..session.run_folder import Folder, real
from ..state import blockers
from ..state.document import Picture
from ..state.why import why
from ..store.listing import Listing
from ..store.reader import Reader
from ..store.task_details import TaskDetail
from . import drawing
from .formats import FILTERS
from .table_query import Wish, whole

if TYPE_CHECKING:
    from jinja2 import Environment

View = Callable[[web.Request], Awaitable[web.StreamResponse]]
ATTEMPTS = 1000  # bars of the timeline
DOTS = 1500  # of the plot
NEXT = 100  # tasks that are shown as the next ones
TABS = {"": "Overview", "hosts": "Hosts", "tasks": "Tasks", "results": "Results", "next": "Next", "log": "Log"}
SCRIPTS = ("hosts.js", "parts.js", "acts.js", "page.js")  # the last one begins
STATIC = {"page.css": "text/css", **dict.fromkeys(SCRIPTS, "text/javascript")}
FOLDER = Path(__file__).parent / "templates"


class Views:
    """All pages of one sweep."""

    def __init__(self, desk: Desk, folder: Folder, picture: Picture) -> None:
        self.desk, self.folder, self.picture = desk, folder, picture

    def routes(self) -> dict[str, View]:
        """What is where."""
        pages: dict[str, View] = {
            "/": self.overview, "/hosts": self.hosts, "/tasks": self.tasks, "/task/{number}": self.task,
            "/task/{number}/file/{name}": self.file, "/results": self.results, "/next": self.next, "/log": self.log,
        }  # fmt: skip
        return {**pages, **{f"/{name}": self.static for name in STATIC}}

    # -- pages

    async def overview(self, request: web.Request) -> web.StreamResponse:
        """How far it is."""
        history = self.desk.dispatch.tally.history
        bars = drawing.history(history.until(self.desk.clock()))
        now = time.time()
        ago = now - (history.began + self.picture.epoch) if history.bars else 0.0
        return await self._page(request, "", bars=bars, width=history.width, ago=ago, most=max(history.bars, default=0))

    async def hosts(self, request: web.Request) -> web.StreamResponse:
        """Who does what."""
        host = request.query.get("host", "")
        slots = {c.host: max(1, c.slots // self.desk.dispatch.rules.cores) for c in self.desk.dispatch.clients}
        attempts = await self._ask(lambda reader: Listing(reader).attempts(ATTEMPTS, host))
        lanes = drawing.timeline(attempts, slots, time.time())
        return await self._page(request, "hosts", timeline=lanes, host=host)

    async def tasks(self, request: web.Request) -> web.StreamResponse:
        """The table of tasks."""
        wish = Wish(request.query)
        wish.begun = sorted({ticket.task for ticket in self.desk.dispatch.handout.begun()})
        return await self._table(request, "tasks", wish)

    async def results(self, request: web.Request) -> web.StreamResponse:
        """The table of results, and a plot."""
        wish = Wish(request.query)
        wish.with_row = True
        return await self._table(request, "results", wish)

    async def _table(self, request: web.Request, tab: str, wish: Wish) -> web.StreamResponse:
        def work(reader: Reader) -> dict[str, Any]:
            return wish.look(Listing(reader), DOTS if tab == "results" else 0)

        begun = time.perf_counter()
        found = await self._ask(work)
        hosts = sorted({c.host for c in self.desk.dispatch.clients} | self.desk.dispatch.tally.hosts.keys())
        took = time.perf_counter() - begun
        status = 400 if found["fault"] else 200
        return await self._page(
            request, tab, status, **found, wish=wish, states=list(TaskState), hosts_known=hosts, took=took
        )

    async def task(self, request: web.Request) -> web.StreamResponse:
        """Everything about one task."""
        number = whole(request.match_info["number"])
        fleet = self.picture.fleet
        hindered = blockers.of(self.desk.dispatch, fleet.faults if fleet else {})

        def work(reader: Reader) -> tuple[TaskDetail, list[str]]:
            found = reader.task(number)
            return found, why(reader, found, hindered) if found.state is TaskState.WAITING else []

        try:
            detail, reasons = await self._ask(work)
        except UsageError as error:
            return await self._page(request, "missing", status=404, sentence=error.line)
        command = self._command(detail)
        live = [t for t in detail.tickets if self.desk.dispatch.board.is_live(t.id)]
        return await self._page(request, "task", task=detail, live=live, reasons=reasons, **command)

    def _command(self, task: TaskDetail) -> dict[str, Any]:
        """What it runs; a set that is none of today's was made from another command, which is not known any more."""
        if not task.in_plan:
            return {"command": "", "inputs": [], "fault": "it is none of today's sets"}
        try:
            work = self.desk.brief.work(task.values)
        except (SpeError, KeyError) as error:
            return {"command": "", "inputs": [], "fault": str(error)}
        return {"command": shlex.join(work.words), "inputs": [(i.name, i.size) for i in work.inputs]}

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A result as it came, to be kept."""
        number, name = whole(request.match_info["number"]), request.match_info["name"]
        try:
            detail = await self._ask(lambda reader: reader.task(number))
        except UsageError as error:
            return await self._page(request, "missing", status=404, sentence=error.line)
        output = next((o for o in detail.outputs if o.name == name), None)
        folder = real(self.folder).resolve()
        path = (folder / output.file).resolve() if output and output.file else None
        if path is None or not path.is_relative_to(folder) or not path.is_file():
            return await self._page(request, "missing", status=404, sentence=f"task {number} has no file {name}")
        saved = f"{number}-{path.name}".encode("ascii", "replace").decode().translate({34: "_", 92: "_", 63: "_"})
        return web.FileResponse(path, headers={
            "Content-Disposition": f'attachment; filename="{saved}"', "Content-Type": "application/octet-stream",
        })  # fmt: skip

    async def next(self, request: web.Request) -> web.StreamResponse:
        """What comes next."""
        dispatch = self.desk.dispatch
        tasks = [dispatch.board.tasks[number] for number in islice(dispatch.board.waiting, NEXT)]
        rows = [(task.number, task.values, task.attempts, sorted(task.shunned)) for task in tasks]
        names = list(tasks[0].values) if tasks else []
        waiting = self.picture.draw(self.desk.clock())["sweep"]["waiting"]
        return await self._page(request, "next", next_tasks=rows, names=names, waiting=waiting)

    async def log(self, request: web.Request) -> web.StreamResponse:
        """What happened."""
        return await self._page(request, "log", notes=self.desk.events.since()[::-1])

    async def static(self, request: web.Request) -> web.StreamResponse:
        """The style sheet and the program."""
        name = request.path[1:]
        return web.Response(body=(FOLDER / name).read_bytes(), content_type=STATIC[name], charset="utf-8")

    async def nothing_here(self, request: web.Request) -> web.StreamResponse:
        """Any other path."""
        return await self._page(request, "missing", status=404, sentence=f"there is nothing at {request.path}")

    # -- how a page is made

    async def _ask(self, question: Callable[[Reader], Any]) -> Any:
        def work() -> Any:
            with Reader(self.folder) as reader:
                return question(reader)

        return await asyncio.to_thread(work)

    @cached_property
    def _templates(self) -> Environment:
        from jinja2 import Environment, PackageLoader  # late: most pages of short sweeps are never looked at

        templates = Environment(
            loader=PackageLoader("spe.page", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        templates.filters.update(FILTERS)
        return templates

    async def _page(self, request: web.Request, tab: str, status: int = 200, **values: Any) -> web.Response:
        """A page; with `part=1` only its changing inside, for a page that is open."""
        token = request.query["token"]

        def url(path: str, **query: object) -> str:
            given = {name: value for name, value in query.items() if value not in ("", None)}
            return f"/{path}?{urlencode({**given, 'token': token})}"

        template = self._templates.get_template(f"{tab or 'overview'}.html")
        context = template.new_context({
            "url": url, "tab": tab, "tabs": TABS, "scripts": SCRIPTS, "name": self.picture.name,
            "may_act": request["may_act"], "token": token, **values,
        })  # fmt: skip
        made = template.root_render_func
        if "part" in request.query and status == 200:
            if "part" not in template.blocks:
                raise web.HTTPBadRequest(text="this page has no part of its own")
            made = template.blocks["part"]
        html = await asyncio.to_thread(lambda: "".join(made(context)))
        return web.Response(text=html, content_type="text/html", status=status)

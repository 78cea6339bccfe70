"""The pages: each handler gathers what its template shows.

Questions to the store run in a thread.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aiohttp import web

from ..errors import UsageError
from ..model import TaskState
from ..plot.asked import FORMS
from ..plot.many import has_plotly
from ..results.trees import files_of
from ..session.run_folder import Folder
from ..store.listing import Attempt, Listing
from ..store.reader import Reader
from ..store.task_details import TaskDetail
from . import drawing
from .beside import drawn_beside
from .downloads import path_of, sent, shown
from .drawing import Window
from .formats import FILTERS
from .life import Life
from .table_query import Wish, whole

if TYPE_CHECKING:
    from jinja2 import Environment

View = Callable[[web.Request], Awaitable[web.StreamResponse]]
ATTEMPTS = 1000  # bars of the timeline
FILES = 100  # files of one result that have a link on the page of its task
NEXT = 100  # tasks on the page of the next ones
TABS = {
    "": "Overview",
    "hosts": "Hosts",
    "tasks": "Tasks",
    "results": "Results",
    "next": "Next",
    "log": "Log",
}
SCRIPTS = ("hosts.js", "parts.js", "acts.js", "save.js", "page.js")  # the last one calls the others
STATIC = {"page.css": "text/css", **dict.fromkeys((*SCRIPTS, "many.js"), "text/javascript")}
FOLDER = Path(__file__).parent / "templates"


class Views:
    """The pages of one sweep."""

    def __init__(
        self, life: Life, folder: Folder, named: Mapping[str, Path] | None = None
    ) -> None:
        """`named`: folders of runs elsewhere that may be drawn beside this one."""
        self.life = life
        self.folder = folder
        self.named = named or {}

    def routes(self) -> dict[str, View]:
        """Return the handlers by path."""
        pages: dict[str, View] = {
            "/": self.overview,
            "/hosts": self.hosts,
            "/tasks": self.tasks,
            "/task/{number}": self.task,
            "/task/{number}/file/{name}": self.file,
            "/task/{number}/file/{name}/{index}": self.file,
            "/results": self.results,
            "/next": self.next,
            "/log": self.log,
        }
        return {**pages, **{f"/{name}": self.static for name in STATIC}}

    # -- pages

    async def overview(self, request: web.Request) -> web.StreamResponse:
        """Show how far the sweep is."""
        found = await self.life.throughput(self.ask)
        return await self.page(
            request,
            "",
            bars=drawing.history(found.bars),
            throughput=found,
            most=max(found.bars, default=0),
            reasons=await self.life.reasons(self.ask),
        )

    async def hosts(self, request: web.Request) -> web.StreamResponse:
        """Show which host did what, as a timeline."""
        host = request.query.get("host", "")
        window = _window(request)
        begin, end = (window.begin, window.end) if window else (0.0, math.inf)

        def work(reader: Reader) -> list[Attempt]:
            return Listing(reader).attempts(ATTEMPTS, host, begin, end)

        attempts = await self.ask(work)
        order = list(self.life.document()["hosts"])
        width = whole(request.query.get("width", ""))
        lanes = drawing.timeline(attempts, self.life.slots(), time.time(), order, window, width)
        return await self.page(
            request,
            "hosts",
            timeline=lanes,
            host=host,
            window=window,
            width=width,
            seen=window or Window(lanes.first, lanes.last),
            is_all=len(attempts) < ATTEMPTS,
        )

    async def tasks(self, request: web.Request) -> web.StreamResponse:
        """Show the table of tasks."""
        wish = Wish(request.query)
        wish.begun = self.life.begun()
        return await self._table(request, "tasks", wish)

    async def results(self, request: web.Request) -> web.StreamResponse:
        """Show the table of results, and a plot."""
        return await self._table(request, "results", Wish.of_results(request.query))

    async def _table(self, request: web.Request, tab: str, wish: Wish) -> web.StreamResponse:
        """Show a table with what was wished for."""
        width = whole(request.query.get("width", ""))

        def work(reader: Reader) -> dict[str, Any]:
            found = wish.look(Listing(reader), tab == "results")
            # Here and not in the template: drawing takes a while, and this is a thread.
            plots = drawn_beside(reader.folder, wish, found["plot"], self.named, width)
            return {**found, **plots}

        begun = time.perf_counter()
        found = await self.ask(work)
        return await self.page(
            request,
            tab,
            status=400 if found["fault"] else 200,
            **found,
            wish=wish,
            states=list(TaskState),
            forms=FORMS,
            shown=shown,
            width=width,
            has_plotly=tab == "results" and has_plotly(),
            hosts_known=sorted(self.life.document()["hosts"]),
            took=time.perf_counter() - begun,
        )

    async def task(self, request: web.Request) -> web.StreamResponse:
        """Show everything about one task."""
        number = whole(request.match_info["number"])

        def work(reader: Reader) -> tuple[TaskDetail, list[str]]:
            found = reader.task(number)
            if found.state is not TaskState.WAITING:
                return found, []
            return found, self.life.why(reader, found)

        try:
            detail, reasons = await self.ask(work)
        except UsageError as error:
            return await self.page(request, "missing", status=404, sentence=error.line)
        facts = {"live": self.life.live(detail.tickets), "reasons": reasons}
        facts |= {"files_of": files_of, "most_files": FILES}
        return await self.page(request, "task", task=detail, **facts, **self.life.command(detail))

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Send a result that is a file: to be saved, or with `show=1` an image to be shown."""
        number = whole(request.match_info["number"])
        name = request.match_info["name"]
        try:
            detail = await self.ask(lambda reader: reader.task(number))
        except UsageError as error:
            return await self.page(request, "missing", status=404, sentence=error.line)
        output = next((o for o in detail.outputs if o.name == name), None)
        # By its place in the list: so no path that a browser sends is ever a path here.
        path = path_of(self.folder, output, whole(request.match_info.get("index", "0")))
        if path is None:
            sentence = f"task {number} has no file {name}"
            return await self.page(request, "missing", status=404, sentence=sentence)
        return sent(number, path, "show" in request.query)

    async def next(self, request: web.Request) -> web.StreamResponse:
        """Show the tasks that come next."""
        rows = self.life.next(NEXT)
        names = list(rows[0].values) if rows else []
        sweep = self.life.document()["sweep"]
        return await self.page(
            request,
            "next",
            next_tasks=rows,
            names=names,
            waiting=sweep["waiting"],
            longest_first=sweep.get("order") == "longest",
            foretold=bool(rows) and rows[0].expected is not None,
        )

    async def log(self, request: web.Request) -> web.StreamResponse:
        """Show what happened, the newest first."""
        return await self.page(request, "log", notes=await self.life.notes(self.ask))

    async def static(self, request: web.Request) -> web.StreamResponse:
        """Send the style sheet or a script."""
        name = request.path[1:]
        return web.Response(
            body=(FOLDER / name).read_bytes(), content_type=STATIC[name], charset="utf-8"
        )

    async def nothing_here(self, request: web.Request) -> web.StreamResponse:
        """Answer any other path."""
        sentence = f"there is nothing at {request.path}"
        return await self.page(request, "missing", status=404, sentence=sentence)

    # -- how a page is made

    async def ask(self, question: Callable[[Reader], Any]) -> Any:
        """Return the answer of the store to a question.

        Runs in a thread: a large table takes seconds.
        """

        def work() -> Any:
            with Reader(self.folder) as reader:
                return question(reader)

        return await asyncio.to_thread(work)

    @cached_property
    def _templates(self) -> Environment:
        """Return the templates, loaded at the first page."""
        # Late: most pages of short sweeps are never looked at
        from jinja2 import Environment, PackageLoader

        templates = Environment(
            loader=PackageLoader("spe.page", "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        templates.filters.update(FILTERS)
        return templates

    async def page(
        self, request: web.Request, tab: str, status: int = 200, **values: Any
    ) -> web.Response:
        """Return a page; with `part=1` only its changing part, for a page that is open."""
        token = request.query["token"]

        def url(path: str, **query: object) -> str:
            given = {name: value for name, value in query.items() if value not in ("", None)}
            given["token"] = token
            return f"/{path}?{urlencode(given)}"

        template = self._templates.get_template(f"{tab or 'overview'}.html")
        tabs = {path: label for path, label in TABS.items() if path != "next" or not self.life.is_over}
        context = template.new_context(
            {
                "url": url,
                "tab": tab,
                "tabs": tabs,
                "scripts": SCRIPTS,
                "name": self.life.name,
                "is_over": self.life.is_over,
                "may_act": request["may_act"],
                "token": token,
                **values,
            }
        )
        made = template.root_render_func
        if "part" in request.query and status == 200:
            if "part" not in template.blocks:
                raise web.HTTPBadRequest(text="this page has no part of its own")
            made = template.blocks["part"]
        # A table of a thousand rows takes jinja long enough to hold up clients.
        html = await asyncio.to_thread(lambda: "".join(made(context)))
        return web.Response(text=html, content_type="text/html", status=status)


def _window(request: web.Request) -> Window | None:
    """Return the part of the timeline that is asked for; None for all of it."""
    try:
        begin, end = float(request.query["begin"]), float(request.query["end"])
    except (KeyError, ValueError):  # people edit addresses by hand
        return None
    return Window(begin, end) if math.isfinite(begin) and math.isfinite(end) and begin < end else None

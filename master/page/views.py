"""The pages: each handler gathers what its template shows.

Questions to the store run in a thread.
"""

from __future__ import annotations

import asyncio
import re
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
from ..model import Output, TaskState
from ..results.trees import files_of
from ..session.run_folder import Folder, real
from ..state import blockers
from ..state.document import Picture
from ..state.why import why
from ..store.listing import Listing
from ..store.reader import Reader
from ..store.statistics import FailureGroup
from ..store.task_details import TaskDetail
from . import drawing
from .formats import FILTERS
from .table_query import Wish, whole

if TYPE_CHECKING:
    from jinja2 import Environment

View = Callable[[web.Request], Awaitable[web.StreamResponse]]
REASONS = 10  # reasons of failed sets on the overview
ATTEMPTS = 1000  # bars of the timeline
DOTS = 1500  # dots of the plot
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
SCRIPTS = ("hosts.js", "parts.js", "acts.js", "page.js")  # the last one calls the others
STATIC = {"page.css": "text/css", **dict.fromkeys(SCRIPTS, "text/javascript")}
FOLDER = Path(__file__).parent / "templates"


class Views:
    """The pages of one sweep."""

    def __init__(self, desk: Desk, folder: Folder, picture: Picture) -> None:
        self.desk = desk
        self.folder = folder
        self.picture = picture

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
        history = self.desk.dispatch.tally.history
        bars = drawing.history(history.until(self.desk.clock()))
        ago = 0.0
        if history.bars:
            ago = time.time() - (history.began + self.picture.epoch)
        return await self._page(
            request,
            "",
            bars=bars,
            width=history.width,
            ago=ago,
            most=max(history.bars, default=0),
            reasons=await self._reasons(),
        )

    async def _reasons(self) -> list[FailureGroup]:
        """Return the most frequent reasons of failed sets."""
        board = self.desk.dispatch.board
        if not board.in_state[TaskState.FAILED] + board.failed_before:
            return []
        found: list[FailureGroup] = await self._ask(lambda reader: reader.failure_groups())
        return found[:REASONS]

    async def hosts(self, request: web.Request) -> web.StreamResponse:
        """Show which host did what, as a timeline."""
        host = request.query.get("host", "")
        cores = self.desk.dispatch.rules.cores
        clients = self.desk.dispatch.clients
        slots = {client.host: max(1, client.slots // cores) for client in clients}
        attempts = await self._ask(lambda reader: Listing(reader).attempts(ATTEMPTS, host))
        lanes = drawing.timeline(attempts, slots, time.time())
        return await self._page(request, "hosts", timeline=lanes, host=host)

    async def tasks(self, request: web.Request) -> web.StreamResponse:
        """Show the table of tasks."""
        wish = Wish(request.query)
        wish.begun = sorted({ticket.task for ticket in self.desk.dispatch.handout.begun()})
        return await self._table(request, "tasks", wish)

    async def results(self, request: web.Request) -> web.StreamResponse:
        """Show the table of results, and a plot."""
        wish = Wish(request.query)
        wish.with_row = True  # the table of results has no row for what is not done
        return await self._table(request, "results", wish)

    async def _table(self, request: web.Request, tab: str, wish: Wish) -> web.StreamResponse:
        """Show a table with what was wished for."""

        def work(reader: Reader) -> dict[str, Any]:
            return wish.look(Listing(reader), DOTS if tab == "results" else 0)

        begun = time.perf_counter()
        found = await self._ask(work)
        dispatch = self.desk.dispatch
        present = {client.host for client in dispatch.clients}
        return await self._page(
            request,
            tab,
            status=400 if found["fault"] else 200,
            **found,
            wish=wish,
            states=list(TaskState),
            hosts_known=sorted(present | dispatch.tally.hosts.keys()),
            took=time.perf_counter() - begun,
        )

    async def task(self, request: web.Request) -> web.StreamResponse:
        """Show everything about one task."""
        number = whole(request.match_info["number"])
        fleet = self.picture.fleet
        hindered = blockers.of(self.desk.dispatch, fleet.faults if fleet else {})

        def work(reader: Reader) -> tuple[TaskDetail, list[str]]:
            found = reader.task(number)
            if found.state is not TaskState.WAITING:
                return found, []
            return found, why(reader, found, hindered)

        try:
            detail, reasons = await self._ask(work)
        except UsageError as error:
            return await self._page(request, "missing", status=404, sentence=error.line)
        command = self._command(detail)
        live = [t for t in detail.tickets if self.desk.dispatch.board.is_live(t.id)]
        facts = {"live": live, "reasons": reasons, "files_of": files_of, "most_files": FILES}
        return await self._page(request, "task", task=detail, **facts, **command)

    def _command(self, task: TaskDetail) -> dict[str, Any]:
        """Return what a task runs.

        A set that is none of today's was made from another command, which is not known any more.
        """
        if not task.in_plan:
            return {"command": "", "inputs": [], "fault": "it is none of today's sets"}
        try:
            work = self.desk.brief.work(task.values)
        except (SpeError, KeyError) as error:
            return {"command": "", "inputs": [], "fault": str(error)}
        inputs = [(one.name, one.size) for one in work.inputs]
        return {"command": shlex.join(work.words), "inputs": inputs}

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Send a result that is a file, to be saved."""
        number = whole(request.match_info["number"])
        name = request.match_info["name"]
        try:
            detail = await self._ask(lambda reader: reader.task(number))
        except UsageError as error:
            return await self._page(request, "missing", status=404, sentence=error.line)
        output = next((o for o in detail.outputs if o.name == name), None)
        # By its place in the list: so no path that a browser sends is ever a path here.
        path = self._path_of(output, whole(request.match_info.get("index", "0")))
        if path is None:
            sentence = f"task {number} has no file {name}"
            return await self._page(request, "missing", status=404, sentence=sentence)
        saved = f"{number}-{path.name}".encode("ascii", "replace").decode()
        saved = re.sub(r'["\\?]', "_", saved)  # a quote would end the parameter of the header, a backslash change it
        headers = {
            "Content-Disposition": f'attachment; filename="{saved}"',
            "Content-Type": "application/octet-stream",
        }
        return web.FileResponse(path, headers=headers)

    def _path_of(self, output: Output | None, index: int) -> Path | None:
        """Return where a file of a result is; None where it has none, or one outside of the folder."""
        files = files_of(output) if output else []
        if not 0 <= index < len(files):
            return None
        folder = real(self.folder).resolve()
        path = (folder / files[index][0]).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            return None
        return path

    async def next(self, request: web.Request) -> web.StreamResponse:
        """Show the tasks that come next."""
        dispatch = self.desk.dispatch
        tasks = [dispatch.board.tasks[number] for number in islice(dispatch.board.waiting, NEXT)]
        rows = [(task.number, task.values, task.attempts, sorted(task.shunned)) for task in tasks]
        names = list(tasks[0].values) if tasks else []
        waiting = self.picture.draw(self.desk.clock())["sweep"]["waiting"]
        longest_first = dispatch.handout.longest_first.orders
        return await self._page(
            request, "next", next_tasks=rows, names=names, waiting=waiting, longest_first=longest_first
        )

    async def log(self, request: web.Request) -> web.StreamResponse:
        """Show what happened, the newest first."""
        return await self._page(request, "log", notes=self.desk.events.since()[::-1])

    async def static(self, request: web.Request) -> web.StreamResponse:
        """Send the style sheet or a script."""
        name = request.path[1:]
        return web.Response(
            body=(FOLDER / name).read_bytes(), content_type=STATIC[name], charset="utf-8"
        )

    async def nothing_here(self, request: web.Request) -> web.StreamResponse:
        """Answer any other path."""
        sentence = f"there is nothing at {request.path}"
        return await self._page(request, "missing", status=404, sentence=sentence)

    # -- how a page is made

    async def _ask(self, question: Callable[[Reader], Any]) -> Any:
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

    async def _page(
        self, request: web.Request, tab: str, status: int = 200, **values: Any
    ) -> web.Response:
        """Return a page; with `part=1` only its changing part, for a page that is open."""
        token = request.query["token"]

        def url(path: str, **query: object) -> str:
            given = {name: value for name, value in query.items() if value not in ("", None)}
            given["token"] = token
            return f"/{path}?{urlencode(given)}"

        template = self._templates.get_template(f"{tab or 'overview'}.html")
        context = template.new_context(
            {
                "url": url,
                "tab": tab,
                "tabs": TABS,
                "scripts": SCRIPTS,
                "name": self.picture.name,
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

"""The clients' door: aiohttp routes that read a request, ask the desk, and write the answer.

docs/protocol.md describes all of them. Every path needs the session ID, and without it answers
nothing but 403. What a request means is the desk's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from aiohttp import web

from ..desk.desk import Desk, TaskRecord
from ..dispatch.rules import number_for_programs
from ..errors import Lost, SpeError
from ..model import Kind, ResultSpec, Worker
from ..results.extract import Part
from ..software import host_python
from ..software.software import Software
from . import many_results, query
from . import records as protocol
from .body import cut, read_batch, receive, spool
from .files import Files
from .guard import Guard, Handler
from .intake import Intake
from .large_inputs import LargeInputs
from .server import short_answer as _text
from .server import watched

# Seconds for a client that can't bring the results of this sweep: it only waits for the end.
MUCH_LATER = "10"
RETRY_AFTER = "1"  # seconds after which a client that got no task may ask again
MAX_COUNT = 1000  # tasks in one answer
MOST_LOAD = 1e6  # a load above this is nonsense
MOST_PIECE = 1024 * 1024  # bytes in one answer to an order
LONGEST_HOLD = 20.0  # seconds that a client waits for an answer about software: it gives up at 30
LINGER = 5.0  # seconds from a host's registration until it looks for a build, at most
MOST_EXIT = 255  # largest exit code of a command that somebody asked for: that of a shell


class Door:
    """The routes of one session. Lives as long as the master."""

    def __init__(
        self,
        desk: Desk,
        session: str,
        worker: Worker | None,
        pack_client: Callable[[], bytes],
        spool_folder: Path,
        software: Software,
    ) -> None:
        """Serve the desk's answers to clients that know the `session` ID.

        `pack_client` returns the client's one file. Uploads are written below `spool_folder`.
        """
        self.desk = desk
        self.spool_folder = spool_folder
        self._guard = Guard(session)
        # The end of each task record is the same for all tasks, so it is written once.
        self._results = protocol.result_records(desk.brief.results)
        self._inputs = LargeInputs(desk.dispatch.board.tasks, desk.work_of)
        self._software = software
        self.files = Files(worker, pack_client, self._inputs, software)
        self._trees = frozenset(one.name for one in desk.brief.results if one.kind.is_tree)
        single = [one for one in desk.brief.results if not one.kind.is_tree]
        self._wanted = {spec.name: spec.kind is Kind.FILE for spec in single}
        whole: dict[str, str] = {}
        if desk.brief.keep_output:
            whole = protocol.whole_outputs(desk.brief.results)
        specs = [ResultSpec(name, file) for name, file in whole.items()]
        self._whole = protocol.result_records(specs)
        self._wanted |= dict.fromkeys(whole, False)

    def application(self) -> web.Application:
        """Return the application to be served."""
        # Bodies have limits of their own (body.py), by the results that a sweep wants.
        app = web.Application(middlewares=[self._guard.check], client_max_size=2**62)
        for path, methods in self.routes().items():
            for method, handler in methods.items():
                app.router.add_route(method, path, handler, expect_handler=self._guard.expect)
        app.router.add_route(
            "*", "/{rest:.*}", self._nothing_there, expect_handler=self._guard.expect
        )
        return app

    def routes(self) -> dict[str, dict[str, Handler]]:
        """Return the handlers by path and method."""
        return {
            "/config": {"GET": self.config},
            "/ping": {"GET": self.ping},
            "/worker": {"GET": self.files.worker, "HEAD": self.files.worker},
            "/task": {"GET": self.task},
            "/complete": {"POST": self.complete},
            "/failed": {"GET": self.failed, "POST": self.failed},
            "/results": {"POST": self.results},
            "/kept": {"POST": self.kept},
            "/back": {"GET": self.back},
            "/orders": {"GET": self.orders},
            "/answer": {"POST": self.answer},
            "/client": {"GET": self.files.client, "HEAD": self.files.client},
            "/bye": {"GET": self.bye},
            "/software": {"GET": self.software},
            "/file": {"GET": self.files.input, "HEAD": self.files.input},
        }

    async def _nothing_there(self, request: web.Request) -> web.Response:
        if request.path in self.routes():
            return _text(405, "not with this method")
        return _text(404, "there is no such request")

    # -- registration and leases

    async def config(self, request: web.Request) -> web.Response:
        """Register a client and answer its configuration."""
        platform = query.short_text(request, "platform")
        host = query.short_text(request, "host") or query.address(request)
        slots = query.number(request, "slots", 1)
        if not 1 <= slots <= 100_000:
            return _text(400, "slots must be from 1 to 100000")
        cores = query.number(request, "cores", 0)
        if cores > 100_000:
            return _text(400, "cores must be at most 100000")
        pings = request.query.get("pings") == "1"
        follows = request.query.get("grants") == "1"
        boot = query.short_text(request, "boot")
        came = await self.desk.register(host, platform, slots, pings, cores, follows, boot)
        bound = self._bound_of(came.client).get("Slots", "")
        text = protocol.config(self.desk.brief.setup, came.client, came.file, came.shell, bound)
        self.desk.note_writers(
            host, query.remark(request, "others"), query.remark(request, "where")
        )
        self.desk.note_neighbours(host, query.neighbours(request))
        if "room" in request.query:
            self.desk.note_room(host, query.number(request, "room", 0))
        return web.Response(text=text)

    async def software(self, request: web.Request) -> web.Response:
        """Answer what the host of this client is to make before its first task, as JSON.

        Without a description of its Python: the script that prints one. A client whose host cannot
        have a build says why; where it has tried to make it, the answer is how long it is to stay.
        503 while other hosts are to describe theirs, and while wheels are being downloaded; 409
        with the reason where the host cannot have it.
        """
        if "said" in request.query:
            self._note_failure(request)
        if "failed" in request.query:
            return _text(200, "noted", {"Linger": f"{await self._linger():g}"})
        if "said" in request.query:
            return _text(200, "noted")
        if "python" not in request.query:
            return web.Response(text=host_python.DESCRIBE)
        client = self.desk.dispatch.clients.get(query.short_text(request, "client"))
        if client is None:
            return _text(403, "register first")
        self.desk.dispatch.clients.heard(self.desk.clock(), client.id)
        setup = self.desk.brief.shell(client.host, client.platform) or ""
        try:
            python = host_python.parse(request.query.get("python", ""))
            builds = self._software.builds(client.id, client.host, python, client.platform, setup)
            found = await asyncio.wait_for(builds, LONGEST_HOLD)
        except TimeoutError:
            words = "other hosts are waited for, or wheels are being downloaded"
            return _text(503, words, {"Retry-After": "0"})
        except SpeError as error:
            return _text(409, error.line.rstrip("."))  # it becomes a part of a longer sentence
        return web.json_response([one.as_json() for one in found])

    def _note_failure(self, request: web.Request) -> None:
        """Note why the host of a client cannot have a build."""
        client = self.desk.dispatch.clients.get(query.short_text(request, "client"))
        if client is not None:
            self._software.failed[client.host] = query.remark(request, "said")

    async def _linger(self) -> float:
        """Return the seconds for a client to stay whose build has failed.

        The hosts of its home that start together with it are to find that, so they must have
        registered first; some may never do.
        """
        hosts = self._software.hosts
        if len(hosts) < 2:
            return 0.0
        until = self.desk.clock() + LONGEST_HOLD
        while self.desk.clock() < until:
            if hosts <= {one.host for one in self.desk.dispatch.clients}:
                break
            await asyncio.sleep(0.1)
        return LINGER

    async def ping(self, request: web.Request) -> web.Response:
        """Renew the leases of tickets: 204 to go on, 205 with the tickets that have expired."""
        tickets = query.tickets(request)
        wait = query.wait(request) or 0.0
        client = query.short_text(request, "client")
        self._note_host(request, client)
        self._hear_granted(request, client)
        with watched(request, lambda: self.desk.suspect(client)):
            expired = await self.desk.ping(client, tickets, wait)
        status = 204
        headers = {}
        if expired:
            status = 205
            headers["Expired"] = ", ".join(str(ticket) for ticket in expired if ticket)
        if wait and query.is_alive(request):
            idle = self.desk.take_call(client)
            if idle:
                headers["Idle"] = str(idle)
        headers |= self._orders_for(client) | self._end_for(client) | self._bound_of(client)
        return web.Response(status=status, headers=headers)

    def _end_for(self, client: str) -> dict[str, str]:
        """Return the header that tells a client in its set-up that the sweep is over, else {}.

        All others hear it when they ask for a task.
        """
        known = self.desk.dispatch.clients.get(client)
        if known is None or known.state.has_asked:
            return {}
        if not self.desk.dispatch.steering.closed_for(client):
            return {}
        self.desk.dispatch.clients.told_the_end(client)
        self._software.unfinished.add(client)
        self.desk.moved.set()
        return {"Over": "1"}

    def _hear_granted(self, request: web.Request, client: str) -> None:
        """Hear which bound of a farm's grant the client follows, and how many programs it has."""
        if "granted" in request.query:
            number, begun = query.number(request, "granted", 0), query.number(request, "begun", 0)
            self.desk.hear_granted(client, number, begun)

    def _bound_of(self, client: str) -> dict[str, str]:
        """Return the header with the number of programs that a client may have, in a farm's job."""
        told = self.desk.dispatch.handout.grants.tell(client)
        return {"Slots": f"{told.slots} {told.number}"} if told else {}

    def _note_host(self, request: web.Request, client: str) -> None:
        """Keep what the client tells of its host, for people."""
        memory = query.measurement(request, "memory", 1.0)
        disk = query.measurement(request, "disk", 1.0)
        self.desk.note_host(client, memory, disk)

    async def bye(self, request: web.Request) -> web.Response:
        """Take leave of a client: with what it killed, and what it left on its host."""
        killed = query.short_text(request, "killed") == "1"
        left = query.remark(request, "left")
        await self.desk.bye(query.short_text(request, "client"), killed, left)
        return web.Response(text="bye\n")

    # -- tasks

    async def task(self, request: web.Request) -> web.Response:
        """Answer up to `count` task records; 503 when there is none after a long poll."""
        name = request.query.get("worker")
        if name and not self.files.has_worker(name):
            return _text(403, "wrong worker name")
        count = query.number(request, "count", 1)
        if not 1 <= count <= MAX_COUNT:
            return _text(400, f"count must be from 1 to {MAX_COUNT}")
        client = query.short_text(request, "client")
        if self._trees and request.query.get("results") != "many":
            return self._none_left(client, held=False, later=MUCH_LATER)
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._note_host(request, client)
        self._hear_granted(request, client)
        with watched(request, lambda: self.desk.suspect(client)):
            records = await self.desk.tasks(
                client,
                count,
                query.wait(request),
                lambda: query.is_alive(request),
                query.measurement(request, "load", MOST_LOAD),
                min(count, query.number(request, "ahead", 0)),
                query.address(request),
                query.number(request, "got", 0) if "got" in request.query else None,
            )
        # A request that waited at least a second was held (a long poll): see _none_left.
        if not records:
            return self._none_left(client, held=loop.time() - began >= 1.0)
        extra = request.query.get("extra") == "1"
        by_digest = request.query.get("files") == "sha256"
        archives = by_digest and request.query.get("archives") == "tar"
        # Once for all records: `timeout: 3x` is a median over what finished.
        timeout = self.desk.dispatch.handout.timeout()
        bodies = []
        for given in records:
            record = given if archives else _without_archives(given)
            if by_digest:
                self._inputs.remember(record.task.number, record.work.inputs)
            bodies.append(self._text_of(record, timeout, extra, by_digest))
        return web.Response(
            body=b"\n".join(bodies),
            content_type="text/plain",
            charset="utf-8",
            headers=self._bound_of(client),
        )

    def _text_of(self, record: TaskRecord, timeout: float, extra: bool, by_digest: bool) -> bytes:
        """Return the record of one attempt, as this client understands it."""
        results = self._results
        if self.desk.brief.results_of is not None:
            # Here and not in the desk: what a client is told must be what its report is judged by.
            results = protocol.result_records(self.desk.brief.results_of(record.task.values))
        if extra:
            results = results + self._whole
        return protocol.task_record(
            record.ticket.id,
            number_for_programs(record.task),
            timeout,
            record.work,
            results,
            extra=extra,
            by_digest=by_digest,
        )

    def _none_left(self, client: str, held: bool, later: str = RETRY_AFTER) -> web.Response:
        """Answer 503: the sweep is over, or there may be tasks `later`, in seconds.

        A client whose request was held (a long poll) may ask again at once: it does not ask too
        often, and it is reached through the request that it holds.
        """
        dispatch = self.desk.dispatch
        if dispatch.steering.closed_for(client):
            dispatch.clients.told_the_end(client)
            self.desk.moved.set()
            return _text(503, "the sweep is over")
        orders = self._orders_for(client)
        is_told = self.desk.dispatch.handout.grants.is_due(client)
        again = "0" if held or orders or is_told else later
        orders |= self._bound_of(client)
        if later == MUCH_LATER:
            text = "this sweep has results of several files, for clients that say results=many"
            return _text(503, text, {"Retry-After": again, **orders})
        return _text(503, "no task now, there may be one later", {"Retry-After": again, **orders})

    # -- results and failures

    async def complete(self, request: web.Request) -> web.Response:
        """Take a result."""
        ticket = query.ticket(request)
        with spool(self.spool_folder, self.desk.store.disk) as into:
            limit = self.desk.brief.setup.max_result
            parts = await receive(request, self._wanted, limit, into, self._trees)
            line = await self.desk.complete(query.short_text(request, "client"), ticket, parts)
        return web.Response(text=line + "\n", headers=self._keep([ticket]))

    async def results(self, request: web.Request) -> web.Response:
        """Take small reports of several tickets; answer one line for each."""
        with spool(self.spool_folder, self.desk.store.disk) as into:
            body = await read_batch(request, many_results.LARGEST)
            kind = request.headers.get("Content-Type", "")
            limit = self.desk.brief.setup.max_result
            gone = partial(_has_hung_up, request)
            intake = partial(Intake, self._wanted, limit, into, gone, self._trees)
            try:
                reports = await many_results.reports(body, kind, intake)
            except Lost as error:
                cut(request, str(error))
            answers = await self.desk.arrivals.take(query.short_text(request, "client"), reports)
        pairs = zip(reports, answers, strict=True)
        lines = (f"{report.ticket} {answer}\n" for report, answer in pairs)
        keep = self._keep([report.ticket for report in reports])
        return web.Response(text="".join(lines), headers=keep)

    def _keep(self, tickets: Sequence[int]) -> dict[str, str]:
        """Return the header that asks for the files of failed attempts; {} almost always."""
        wanted = self.desk.arrivals.left.wanted
        found = [str(ticket) for ticket in tickets if ticket in wanted] if wanted else []
        return {"Keep": ", ".join(found)} if found else {}

    async def kept(self, request: web.Request) -> web.Response:
        """Take the files that a failed attempt left, where they were asked for."""
        ticket, left = query.ticket(request), self.desk.arrivals.left
        if ticket not in left.wanted:
            return _text(410, "nobody waits for these files")
        with spool(self.spool_folder, self.desk.store.disk) as into:
            parts = await receive(request, {}, left.most, into, ("file",))
            members = parts["file"].tree if "file" in parts else ()
            try:
                why = await asyncio.to_thread(left.keep, ticket, members or ())
            except OSError as error:
                why = f"they cannot be written: {error.strerror}"
        return _text(400, why) if why else web.Response(text="kept\n")

    async def back(self, request: web.Request) -> web.Response:
        """Take back tickets whose program was not begun, or whose attempt does not count."""
        client = query.short_text(request, "client")
        await self.desk.give_back(client, query.tickets(request), protocol.reason(request.query))
        return web.Response(text="noted\n")

    async def failed(self, request: web.Request) -> web.Response:
        """Take a failed attempt, with what its program wrote where the client sends that."""
        ticket = query.ticket(request)
        parts: dict[str, Part] = {}
        reason = protocol.reason(request.query)
        is_multipart = request.content_type.startswith("multipart/")
        with spool(self.spool_folder, self.desk.store.disk) as into:
            if request.method == "POST" and request.body_exists and is_multipart:
                parts = await receive(request, {}, self.desk.brief.setup.max_result, into)
            await self.desk.failed(query.short_text(request, "client"), ticket, parts, reason)
        return web.Response(text="noted\n", headers=self._keep([ticket]))

    # -- orders

    def _orders_for(self, client: str) -> dict[str, str]:
        """Return the header that tells how many orders wait for this client; {} where none does."""
        due = self.desk.orders.due(client)
        return {"Orders": str(due)} if due else {}

    async def orders(self, request: web.Request) -> web.Response:
        """Answer the orders for this client, a JSON object a line."""
        text = self.desk.orders.fetch(query.short_text(request, "client"))
        return web.Response(text=text, content_type="application/x-ndjson")

    async def answer(self, request: web.Request) -> web.Response:
        """Take a piece of the answer to an order; the last piece says how the order ended."""
        client = query.short_text(request, "client")
        order = self.desk.orders.find(client, query.number(request, "order", 0))
        data = await read_batch(request, MOST_PIECE)
        if order is None:
            return _text(410, "nobody waits for this any more")
        await order.take(bytes(data))
        if request.query.get("end") == "1":
            await order.end(*_outcome(request))
        return web.Response(text="noted\n")


def _without_archives(record: TaskRecord) -> TaskRecord:
    """Return the record for a client that knows no archives."""
    work = record.work
    if not any(one.archive for one in work.inputs):
        return record
    return replace(record, work=replace(work, inputs=tuple(protocol.unpacked(work.inputs))))


def _outcome(request: web.Request) -> tuple[int | None, str]:
    """Return the exit code of an order's command, None where it has none, and the reason."""
    code = query.number(request, "exit", MOST_EXIT + 1)
    reason = protocol.reason(request.query)
    if code <= MOST_EXIT:
        return code, reason
    return None, reason or "its client told no exit code"


def _has_hung_up(request: web.Request) -> bool:
    return not query.is_alive(request)

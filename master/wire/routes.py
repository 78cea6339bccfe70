"""The protocol's door: aiohttp routes that read a request, ask the desk and write the answer of docs/protocol.md.

Every path needs the session ID, and without it says nothing but 403. What a request means is the desk's business.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from aiohttp import web

from ..desk.desk import Desk, Record
from ..errors import Lost, NotStored
from ..model import Kind, ResultSpec, Worker
from ..results.extract import Part
from ..text import printable
from . import many_results
from . import records as protocol
from .body import BodyRefused, cut, read_batch, receive, spool
from .intake import Intake
from .large_inputs import LargeInputs
from .server import NO_SESSION, admit, answered, watched
from .server import short_answer as _text

log = logging.getLogger("spe.web")
RETRY_AFTER = "1"  # seconds after which a client that got no task may ask again
MAX_WAIT = 60.0
MAX_COUNT = 1000
MAX_TICKETS = 4096
MOST_PIECE = 1024 * 1024  # bytes in one answer to an order
CHUNK = 1 << 20  # bytes of a large input that are read at once
MOST_EXIT = 255  # largest exit code of a command that somebody asked for: a shell's; 256 would count as 0
MAX_TEXT = 200  # characters of a host's name, a platform, a client's ID
MAX_REMARK = 1000  # characters of what a client says to people
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """The routes of one session."""

    def __init__(self, desk: Desk, session: str, worker: Worker | None, client: bytes, spool_folder: Path) -> None:
        self.desk, self.worker, self.client, self.spool_folder = desk, worker, client, spool_folder
        self._session = session.encode()
        self._results = protocol.result_records(desk.brief.results)
        self._inputs = LargeInputs(desk.dispatch.board.tasks, desk.work_of)
        self._wanted = {spec.name: spec.kind is Kind.FILE for spec in desk.brief.results}
        whole = protocol.whole_outputs(desk.brief.results) if desk.brief.keep_output else {}
        self._whole = protocol.result_records([ResultSpec(name, file) for name, file in whole.items()])
        self._wanted |= dict.fromkeys(whole, False)
        self.turned_away = 0

    def application(self) -> web.Application:
        """The application to be served."""
        app = web.Application(middlewares=[self._guard], client_max_size=2**62)
        for path, methods in self.routes().items():
            for method, handler in methods.items():
                app.router.add_route(method, path, handler, expect_handler=self._expect)
        app.router.add_route("*", "/{rest:.*}", self._nothing_there, expect_handler=self._expect)
        return app

    def routes(self) -> dict[str, dict[str, Handler]]:
        """What there is to be asked: path, method, who answers."""
        return {
            "/config": {"GET": self.config},
            "/ping": {"GET": self.ping},
            "/worker": {"GET": self.get_worker, "HEAD": self.get_worker},
            "/task": {"GET": self.task},
            "/complete": {"POST": self.complete},
            "/failed": {"GET": self.failed, "POST": self.failed},
            "/results": {"POST": self.results},
            "/back": {"GET": self.back},
            "/orders": {"GET": self.orders},
            "/answer": {"POST": self.answer},
            "/client": {"GET": self.get_client, "HEAD": self.get_client},
            "/bye": {"GET": self.bye},
            "/file": {"GET": self.file, "HEAD": self.file},
        }

    async def _nothing_there(self, request: web.Request) -> web.Response:
        known = request.path in self.routes()
        return _text(405, "not with this method") if known else _text(404, "there is no such request")

    async def _expect(self, request: web.Request) -> web.Response | None:
        """Runs before the guard, and must not say more: `Expect: 100-continue` of a client with a large body."""
        if not self._knows(request):
            return _text(403, NO_SESSION)
        if request.headers["Expect"].lower() != "100-continue":
            return _text(417, "expect 100-continue or nothing")
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun
        return None

    def _knows(self, request: web.Request) -> bool:
        given = request.query.getall("sessionID", [])
        return len(given) == 1 and hmac.compare_digest(given[0].encode("utf-8", "replace"), self._session)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Before anything else: who has not the session ID learns nothing."""
        if not self._knows(request):
            self.turned_away += 1
            if self.turned_away == 1 or self.turned_away % 1000 == 0:
                log.warning(
                    "%d requests with a wrong session ID, the last one from %s", self.turned_away, request.remote
                )
            return _text(403, NO_SESSION)
        admit(request)
        return await answered(request, partial(_refusing, handler))

    # -- who is there

    async def config(self, request: web.Request) -> web.Response:
        """Register and be configured."""
        platform = _short(request, "platform")
        host = _short(request, "host") or _address(request)
        slots = _number(request, "slots", 1)
        if not 1 <= slots <= 100_000:
            return _text(400, "slots must be from 1 to 100000")
        cores = _number(request, "cores", 0)
        if cores > 100_000:
            return _text(400, "cores must be at most 100000")
        came = await self.desk.register(host, platform, slots, request.query.get("pings") == "1", cores)
        text = protocol.config(self.desk.brief.setup, came.client, came.file, came.shell)
        self.desk.note_writers(host, _remark(request, "others"), _remark(request, "where"))
        return web.Response(text=text)

    async def ping(self, request: web.Request) -> web.Response:
        """204 keep on, 205 with the tickets that have expired."""
        tickets = _tickets(request)
        wait = _wait(request) or 0.0
        client = _short(request, "client")
        self._note_host(request, client)
        with watched(request, lambda: self.desk.suspect(client)):
            expired = await self.desk.ping(client, tickets, wait)
        headers = {"Expired": ", ".join(str(t) for t in expired if t)} if expired else {}
        if wait and _alive(request) and (idle := self.desk.take_call(client)):
            headers["Idle"] = str(idle)
        headers |= self._orders_for(client)
        return web.Response(status=205 if expired else 204, headers=headers)

    def _note_host(self, request: web.Request, client: str) -> None:
        """What it tells of its host, for people."""
        self.desk.note_host(client, *(_told(request, name, 1.0) for name in ("memory", "disk")))

    async def bye(self, request: web.Request) -> web.Response:
        """A client's last word."""
        killed, left = _short(request, "killed") == "1", _remark(request, "left")
        await self.desk.bye(_short(request, "client"), killed, left)
        return web.Response(text="bye\n")

    # -- what it needs

    async def get_worker(self, request: web.Request) -> web.StreamResponse:
        """The worker for a platform."""
        platform = _short(request, "platform")
        if self.worker is None or request.query.get("name", "") != self.worker.name:
            return _text(403, "wrong worker name")
        file = self.worker.for_platform(platform)
        if file is None:
            there = ", ".join(sorted(self.worker.files))
            return _text(415, f"no worker for platform {platform or '(none given)'}; there are: {there}")
        headers = {"Content-Type": "application/octet-stream", "ETag": f'"{file.sha256}"'}
        return web.FileResponse(file.path, headers=headers, chunk_size=1024 * 1024)

    async def get_client(self, request: web.Request) -> web.Response:
        """The client program."""
        return web.Response(body=self.client, content_type="application/octet-stream")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """An input file by its content."""
        item = await self._inputs.find(_short(request, "sha256").lower())
        if item is None:
            return _text(404, "no input file with this SHA-256")
        return await _streamed(request, item.file) if item.file else web.Response(body=item.content)

    async def task(self, request: web.Request) -> web.Response:
        """Up to `count` records, or 503."""
        name = request.query.get("worker")
        if name and (self.worker is None or name != self.worker.name):
            return _text(403, "wrong worker name")
        count = _number(request, "count", 1)
        if not 1 <= count <= MAX_COUNT:
            return _text(400, f"count must be from 1 to {MAX_COUNT}")
        client, loop = _short(request, "client"), asyncio.get_running_loop()
        began = loop.time()
        ahead = min(count, _number(request, "ahead", 0))
        self._note_host(request, client)
        with watched(request, lambda: self.desk.suspect(client)):
            records = await self.desk.tasks(
                client, count, _wait(request), lambda: _alive(request), _load(request), ahead, _address(request)
            )
        if not records:
            return self._none_left(client, held=loop.time() - began >= 1.0)
        extra = request.query.get("extra") == "1"
        by_digest = request.query.get("files") == "sha256"
        timeout = self.desk.dispatch.handout.timeout()
        bodies = []
        for record in records:
            if by_digest:
                self._inputs.remember(record.task.number, record.work.inputs)
            bodies.append(self._text_of(record, timeout, extra, by_digest))
        return web.Response(body=b"\n".join(bodies), content_type="text/plain", charset="utf-8")

    def _text_of(self, record: Record, timeout: float, extra: bool, by_digest: bool) -> bytes:
        ticket, task = record.ticket.id, record.task.number
        results = self._results + self._whole if extra else self._results
        return protocol.task_record(ticket, task, timeout, record.work, results, extra=extra, by_digest=by_digest)

    def _none_left(self, client: str, held: bool) -> web.Response:
        """Who was held does not ask too often, and may be reached again at once."""
        dispatch = self.desk.dispatch
        if dispatch.steering.closed_for(client):
            dispatch.clients.told_the_end(client)
            self.desk.moved.set()
            return _text(503, "the sweep is over")
        orders = self._orders_for(client)
        again = "0" if held or orders else RETRY_AFTER
        return _text(503, "no task now, there may be one later", {"Retry-After": again, **orders})

    # -- what it brings

    async def complete(self, request: web.Request) -> web.Response:
        """A result."""
        ticket = _ticket(request)
        with spool(self.spool_folder, self.desk.store.disk) as into:
            parts = await receive(request, self._wanted, self.desk.brief.setup.max_result, into)
            line = await self.desk.complete(_short(request, "client"), ticket, parts)
        return web.Response(text=line + "\n")

    async def results(self, request: web.Request) -> web.Response:
        """What came of several tickets, all of it small: one line of answer for each."""
        with spool(self.spool_folder, self.desk.store.disk) as into:
            body, kind = await read_batch(request, many_results.LARGEST), request.headers.get("Content-Type", "")
            limit = self.desk.brief.setup.max_result
            try:
                reports = await many_results.reports(
                    body, kind, lambda: Intake(self._wanted, limit, into, lambda: not _alive(request))
                )
            except Lost as error:
                cut(request, str(error))
            answers = await self.desk.arrivals.take(_short(request, "client"), reports)
        lines = (f"{report.ticket} {answer}\n" for report, answer in zip(reports, answers, strict=True))
        return web.Response(text="".join(lines))

    async def back(self, request: web.Request) -> web.Response:
        """Tickets that their client has not begun and will not begin, or attempts that do not count."""
        await self.desk.give_back(_short(request, "client"), _tickets(request), protocol.reason(request.query))
        return web.Response(text="noted\n")

    async def failed(self, request: web.Request) -> web.Response:
        """An attempt that went wrong."""
        ticket = _ticket(request)
        parts: dict[str, Part] = {}
        reason = protocol.reason(request.query)
        with spool(self.spool_folder, self.desk.store.disk) as into:
            if request.method == "POST" and request.body_exists and request.content_type.startswith("multipart/"):
                parts = await receive(request, {}, self.desk.brief.setup.max_result, into)
            await self.desk.failed(_short(request, "client"), ticket, parts, reason)
        return web.Response(text="noted\n")

    # -- what it is asked

    def _orders_for(self, client: str) -> dict[str, str]:
        return {"Orders": str(due)} if (due := self.desk.orders.due(client)) else {}

    async def orders(self, request: web.Request) -> web.Response:
        """What a client is asked beside its tasks, a JSON object a line."""
        return web.Response(text=self.desk.orders.fetch(_short(request, "client")), content_type="application/x-ndjson")

    async def answer(self, request: web.Request) -> web.Response:
        """A piece of what came of an order; the last one says how it ended."""
        order = self.desk.orders.find(_short(request, "client"), _number(request, "order", 0))
        data = await read_batch(request, MOST_PIECE)
        if order is None:
            return _text(410, "nobody waits for this any more")
        await order.take(bytes(data))
        if request.query.get("end") == "1":
            code, reason = _number(request, "exit", MOST_EXIT + 1), protocol.reason(request.query)
            if code > MOST_EXIT and not reason:
                reason = "its client told no exit code"
            await order.end(code if code <= MOST_EXIT else None, reason)
        return web.Response(text="noted\n")


async def _streamed(request: web.Request, path: Path) -> web.StreamResponse:
    """A file as it is. Not a FileResponse, which may take a file of the user's beside it, `NAME.gz`, for the same."""
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    try:
        file = path.open("rb")
    except OSError as error:
        return _text(404, f"the input file can't be read: {error.strerror}")
    with file:
        response.content_length = os.fstat(file.fileno()).st_size
        await response.prepare(request)
        while request.method != "HEAD" and (chunk := await asyncio.to_thread(file.read, CHUNK)):
            await response.write(chunk)
    await response.write_eof()
    return response


async def _refusing(handler: Handler, request: web.Request) -> web.StreamResponse:
    """What is refused, and what cannot be stored any more, has a status of its own."""
    try:
        return await handler(request)
    except BodyRefused as refused:
        return _text(refused.status, refused.what)
    except NotStored:
        return _text(500, "the run ends while its disk is full; this was not stored")


def _address(request: web.Request) -> str:
    """What a host is called that does not say its name."""
    return (request.remote or "unknown").removeprefix("::ffff:")  # IPv4 by a socket that hears both


def _alive(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


def _short(request: web.Request, name: str) -> str:
    value = request.query.get(name, "")
    if len(value) > MAX_TEXT or not value.isprintable():
        raise web.HTTPBadRequest(text=f"{name} is too long or not printable")
    return value


def _remark(request: web.Request, name: str) -> str:
    """A client's words for people, as far as they can be shown: they are no reason to refuse a request."""
    return printable(request.query.get(name, "")[:MAX_REMARK])


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise web.HTTPBadRequest(text=f"{name} must be a whole number")
    return int(text) if text else default


def _ticket(request: web.Request) -> int:
    text = request.query.get("ticket", "")
    if not text:
        raise web.HTTPBadRequest(text="ticket is missing")
    return _ticket_id(text)


def _tickets(request: web.Request) -> list[int]:
    texts = request.query.getall("ticket", [])
    if len(texts) > MAX_TICKETS:
        raise web.HTTPBadRequest(text=f"at most {MAX_TICKETS} tickets")
    return [_ticket_id(text) for text in texts]


def _ticket_id(text: str) -> int:
    """0, which no ticket ever has, for what cannot be one: that is an unknown ticket like others."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _wait(request: web.Request) -> float | None:
    text = request.query.get("wait")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise web.HTTPBadRequest(text="wait must be a number of seconds")
    return min(seconds, MAX_WAIT)


def _load(request: web.Request) -> float | None:
    """The load of a client's host by others."""
    return _told(request, "load", 1e6)


def _told(request: web.Request, name: str, most: float) -> float | None:
    """A number that a client tells of its host; nonsense counts as not told."""
    try:
        found = float(request.query.get(name, ""))
    except ValueError:
        return None
    return found if 0 <= found <= most else None

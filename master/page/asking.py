"""Answers questions of people about what runs now, by asking the client that has the task.

Each answer is a stream of Server-Sent Events: `out` with a piece of output (base64), and at the end
`exit` with the exit code or `error` with one sentence.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import shlex
from collections.abc import Awaitable

from aiohttp import web

from ..desk.desk import Desk
from ..desk.orders import Order
from ..desk.questions import of_host, of_task, pieces, present, processes
from ..desk.untrusted_json import read_json
from ..errors import SpeError
from ..text import printable
from ..wire.server import watched

log = logging.getLogger("spe.asking")
LIMIT = 60.0  # seconds that a command may take where the question does not say
LONGEST = 3600.0  # seconds that it may take at most
MOST = 64 * 1024 * 1024  # bytes that it may print
BEFORE = 64 * 1024  # bytes of what was printed already, when a log is followed
WORDS = 1000  # words of a command
LONG_NAME = 1000  # characters of a host's name
SHOWN = 300  # characters of a command in the log


class Asking:
    """The requests under /ask, /output and /processes."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_post("/ask", self.ask)
        router.add_get("/output", self.output)
        router.add_get("/processes", self.processes)

    # -- the requests

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Run a command where a task runs, or in the client's folder on a host."""
        if not request["may_act"]:
            log.warning("a question without the acting token, from %s: refused", request.remote)
            return web.Response(status=403, text="asking needs the acting token\n")
        asked = _question(await request.read())
        if asked is None:
            return web.Response(
                status=400, text="asked is a JSON object with words, and task or host\n"
            )
        where, words, limit = asked
        # Logged before it runs: the log tells who looked at what, also when the command hangs.
        shown = printable(shlex.join(words))[:SHOWN]
        more = {"words": words, "limit": limit, "most": MOST}
        if isinstance(where, int):
            log.info("asked about task %d, by %s: %s", where, request.remote, shown)
            return await self._streamed(request, of_task(self.desk, where, "run", **more))
        log.info("asked about %s, by %s: %s", printable(where), request.remote, shown)
        return await self._streamed(request, of_host(self.desk, where, "run", **more))

    async def output(self, request: web.Request) -> web.StreamResponse:
        """Follow what a running task prints."""
        task = _whole(request.query.get("task", ""), 18)
        which = request.query.get("which", "stdout")
        if task is None or which not in ("stdout", "stderr"):
            return web.Response(status=400, text="name a task, and stdout or stderr\n")
        before = _whole(request.query.get("before", str(BEFORE)), 11)
        if before is None:
            return web.Response(status=400, text="before is a number of bytes\n")
        # Following is no command, so it needs no token for acts: it shows what `spe log` shows.
        order = of_task(self.desk, task, "follow", which=which, before=before)
        return await self._streamed(request, order)

    async def processes(self, request: web.Request) -> web.Response:
        """Answer the processes of all running tasks, or of one host's: those that clients report in
        time.
        """
        host = request.query.get("host", "")
        clients = [c for c in present(self.desk) if not host or c.host == host]
        if host and not clients:
            return web.Response(status=404, text=f"no client works on {host}\n")
        rows = await asyncio.gather(*(processes(self.desk, client) for client in clients))
        pairs = zip(clients, rows, strict=True)
        silent = [client.host for client, found in pairs if found is None]
        told = [row for found in rows for row in found or ()]
        return web.json_response({"processes": told, "silent": silent})

    # -- answers

    async def _streamed(self, request: web.Request, asked: Awaitable[Order]) -> web.StreamResponse:
        """Send the pieces of an order's answer as they come."""
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        here = asyncio.current_task()

        def gone() -> None:
            """End this request: otherwise it would wait for an answer that nobody reads."""
            if here:
                here.cancel()

        try:
            with watched(request, gone):
                order = await asked
                async for piece in pieces(self.desk, order):
                    await response.write(_event("out", base64.b64encode(piece).decode()))
                await response.write(_event("exit", order.exit))
        except SpeError as fault:  # also: there is no such task
            await response.write(_event("error", fault.line))
        except ConnectionError:
            log.debug("who asked is gone before the end of the answer")
        return response


def _whole(text: str, digits: int) -> int | None:
    """Return a number of at most so many digits; None for anything else."""
    # isascii: `²` is a digit for isdigit(), and int() refuses it.
    if text.isascii() and text.isdigit() and len(text) <= digits:
        return int(text)
    return None


def _question(body: bytes) -> tuple[int | str, list[str], float] | None:
    """Return what is asked about (task or host), the words of the command, and its time limit in
    seconds.

    None where the body is no such question.
    """
    try:
        asked = read_json(body)
        words = asked["words"]
        limit = asked.get("limit", LIMIT)
        where = asked.get("task")
        if where is None:
            where = asked["host"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not (_is_place(where) and _is_command(words) and _is_limit(limit)):
        return None
    return where, words, min(max(limit, 0.1), LONGEST)


def _is_place(where: object) -> bool:
    """Tell whether this may be a task's number or a host's name. True is no number here."""
    if type(where) is int:
        return 0 < where < 2**62
    return isinstance(where, str) and len(where) < LONG_NAME


def _is_command(words: object) -> bool:
    if not isinstance(words, list) or not 0 < len(words) <= WORDS:
        return False
    return all(isinstance(word, str) for word in words)


def _is_limit(limit: object) -> bool:
    return type(limit) in (int, float) and limit == limit  # NaN is not equal to itself


def _event(name: str, data: object) -> bytes:
    """Return one event as it is sent."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()

"""Questions of people about what runs now: asked on the page's listener, answered by the client that has the task.

Each answer is a stream of Server-Sent Events: `out` with a piece of output (base64), at the end `exit` with the exit
code or `error` with one sentence.
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
LIMIT, LONGEST = 60.0, 3600.0  # seconds that a command may take: without a word, and at most
MOST = 64 * 1024 * 1024  # bytes that it may print
BEFORE = 64 * 1024  # bytes of what was printed already, when a log is followed
WORDS, LONG_NAME = 1000, 1000  # words of a command, and characters of a host's name, at most
SHOWN = 300  # characters of a command in the log


class Asking:
    """The requests under /ask, /output and /processes."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Its routes."""
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
            return web.Response(status=400, text="asked is a JSON object with words, and task or host\n")
        where, words, limit = asked
        place = f"task {where}" if isinstance(where, int) else where
        log.info("asked about %s, by %s: %s", printable(place), request.remote, printable(shlex.join(words))[:SHOWN])
        more = {"words": words, "limit": limit, "most": MOST}
        if isinstance(where, int):
            return await self._streamed(request, of_task(self.desk, where, "run", **more))
        return await self._streamed(request, of_host(self.desk, where, "run", **more))

    async def output(self, request: web.Request) -> web.StreamResponse:
        """Follow what a running task prints."""
        task, which = _whole(request.query.get("task", ""), 18), request.query.get("which", "stdout")
        if task is None or which not in ("stdout", "stderr"):
            return web.Response(status=400, text="name a task, and stdout or stderr\n")
        before = _whole(request.query.get("before", str(BEFORE)), 11)
        if before is None:
            return web.Response(status=400, text="before is a number of bytes\n")
        order = of_task(self.desk, task, "follow", which=which, before=before)
        return await self._streamed(request, order)

    async def processes(self, request: web.Request) -> web.Response:
        """The processes of all running tasks, or of one host's: what the clients tell in time."""
        host = request.query.get("host", "")
        clients = [c for c in present(self.desk) if not host or c.host == host]
        if host and not clients:
            return web.Response(status=404, text=f"no client works on {host}\n")
        rows = await asyncio.gather(*(processes(self.desk, client) for client in clients))
        silent = [client.host for client, found in zip(clients, rows, strict=True) if found is None]
        return web.json_response({"processes": [row for found in rows for row in found or ()], "silent": silent})

    # -- what comes of it

    async def _streamed(self, request: web.Request, asked: Awaitable[Order]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        here = asyncio.current_task()

        def gone() -> None:
            """Or it would wait for what nobody wants any more."""
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
    """A number of at most so many digits; `²` is a digit to isdigit() and none to int()."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def _question(body: bytes) -> tuple[int | str, list[str], float] | None:
    """What is asked about, the words of the command, how long it may take; None: it cannot be read."""
    try:
        asked = read_json(body)
        words, limit = asked["words"], asked.get("limit", LIMIT)
        where = asked["host"] if asked.get("task") is None else asked["task"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    named = (type(where) is int and 0 < where < 2**62) or (isinstance(where, str) and len(where) < LONG_NAME)
    sound = isinstance(words, list) and 0 < len(words) <= WORDS and all(isinstance(word, str) for word in words)
    if not (named and sound and type(limit) in (int, float) and limit == limit):  # nan is not itself
        return None
    return where, words, min(max(limit, 0.1), LONGEST)


def _event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()

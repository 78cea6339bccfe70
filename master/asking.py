"""Questions of people about what runs now: asked on the page's listener, answered by the client that has the task.

Each answer is a stream of Server-Sent Events: `out` with a piece of output (base64), at the end `exit` with the exit
code or `error` with one sentence.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from .desk import Desk
from .model import Client, Ticket, TicketState
from .orders import NotDone, Order
from .reader import Reader

log = logging.getLogger("spe.asking")
LIMIT, LONGEST = 60.0, 3600.0  # seconds that a command may take: without a word, and at most
MOST = 64 * 1024 * 1024  # bytes that it may print
BEFORE = 64 * 1024  # bytes of what was printed already, when a log is followed
WORDS = 1000
SURVEY_TIME = 3.0  # seconds for all clients to tell their processes


class Asking:
    """The requests under /ask, /output and /processes."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder = desk, folder

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
        try:
            asked = await request.json()
            words, limit = [str(word) for word in asked["words"]][:WORDS], float(asked.get("limit", LIMIT))
            task, host = asked.get("task"), asked.get("host")
        except (ValueError, KeyError, TypeError, AttributeError):
            return web.Response(status=400, text="asked is a JSON object with words, and task or host\n")
        more = {"words": words, "limit": min(max(limit, 0.1), LONGEST), "most": MOST}
        if task is None:
            return await self._streamed(request, lambda: self._on_host(str(host), "run", **more))
        return await self._streamed(request, lambda: self._on_task(int(task), "run", **more))

    async def output(self, request: web.Request) -> web.StreamResponse:
        """Follow what a running task prints."""
        task, which = request.query.get("task", ""), request.query.get("which", "stdout")
        if not (task.isdigit() and len(task) < 19) or which not in ("stdout", "stderr"):
            return web.Response(status=400, text="name a task, and stdout or stderr\n")
        before = request.query.get("before", str(BEFORE))
        if not (before.isdigit() and len(before) < 12):
            return web.Response(status=400, text="before is a number of bytes\n")
        return await self._streamed(
            request, lambda: self._on_task(int(task), "follow", which=which, before=int(before))
        )

    async def processes(self, request: web.Request) -> web.Response:
        """The processes of all running tasks, or of one host's: what the clients tell in time."""
        host = request.query.get("host", "")
        clients = [c for c in self._present() if not host or c.host == host]
        if host and not clients:
            return web.Response(status=404, text=f"no client works on {host}\n")
        rows = await asyncio.gather(*map(self._of_client, clients))
        silent = [client.host for client, found in zip(clients, rows, strict=True) if found is None]
        return web.json_response({"processes": [row for found in rows for row in found or ()], "silent": silent})

    async def signal(self, tasks: Sequence[int], do: str) -> list[str]:
        """`stop` or `continue` for these tasks; a sentence for each that could not be."""
        return [said for said in await asyncio.gather(*(self._signal(task, do) for task in tasks)) if said]

    # -- whom to ask

    async def _on_task(self, task: int, do: str, **more: Any) -> Order:
        ticket = self._ticket_of(task)
        if ticket is None:
            raise NotDone(await asyncio.to_thread(self._why_not, task))
        return self.desk.orders.give(ticket.client, do, ticket=ticket.id, **more)

    async def _on_host(self, host: str, do: str, **more: Any) -> Order:
        client = next((c for c in self._present() if c.host == host), None)
        if client is None:
            raise NotDone(f"no client works on {host} now")
        return self.desk.orders.give(client.id, do, **more)

    def _present(self) -> list[Client]:
        return [c for c in self.desk.farm.clients.values() if c.pings and self.desk.is_there(c)]

    def _ticket_of(self, number: int) -> Ticket | None:
        """Of several copies the first; a client that does not ping hears no orders."""
        task = self.desk.farm.tasks.get(number)
        tickets = (self.desk.farm.tickets.get(one) for one in (task.tickets if task else ()))
        return next((t for t in tickets if t and t.state is TicketState.ISSUED and t.leased), None)

    def _why_not(self, number: int) -> str:
        with Reader(self.folder) as reader:
            state = reader.task(number).state
        return f"task {number} has finished: it is {state}" if state in ("done", "failed") else (
            f"task {number} does not run now: it is {state}"
        )  # fmt: skip

    # -- what comes of it

    async def _signal(self, number: int, do: str) -> str:
        try:
            order = await self._on_task(number, do)
            async for _ in self._pieces(order):
                pass
        except NotDone as fault:
            return f"task {number}: {fault}"
        return ""

    async def _of_client(self, client: Client) -> list[dict[str, Any]] | None:
        order = self.desk.orders.give(client.id, "processes")
        try:
            async with asyncio.timeout(SURVEY_TIME):
                text = b"".join([piece async for piece in self._pieces(order)])
        except (TimeoutError, NotDone):
            return None
        tickets = self.desk.farm.tickets
        rows = [json.loads(line) for line in text.splitlines()]
        return [
            {"host": client.host, "task": tickets[row["ticket"]].task if row["ticket"] in tickets else None, **row}
            for row in rows
        ]

    async def _pieces(self, order: Order) -> AsyncIterator[bytes]:
        try:
            async for piece in order.pieces():
                yield piece
        finally:
            self.desk.orders.withdraw(order)

    async def _streamed(self, request: web.Request, give: Callable[[], Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        try:
            order = await give()
            async for piece in self._pieces(order):
                await response.write(_event("out", base64.b64encode(piece).decode()))
            await response.write(_event("exit", order.exit))
        except NotDone as fault:
            await response.write(_event("error", str(fault)))
        return response


def _event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()

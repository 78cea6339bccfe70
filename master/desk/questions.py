"""Whom to ask about what runs now, and the way to get an answer: orders to the clients. No HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from ..model import Client, TaskState, Ticket, TicketState
from ..store.reader import Reader
from .desk import Desk
from .orders import NotDone, Order
from .untrusted_json import read_json

SURVEY_TIME = 3.0  # seconds for a client to tell its processes


async def of_task(desk: Desk, task: int, do: str, **more: Any) -> Order:
    """An order to the client that has this task. Raises NotDone when it does not run now."""
    ticket = _ticket_of(desk, task)
    if ticket is None:
        raise NotDone(await asyncio.to_thread(_why_not, desk, task))
    return desk.orders.give(ticket.client, do, ticket=ticket.id, **more)


async def of_host(desk: Desk, host: str, do: str, **more: Any) -> Order:
    """An order to a client on this host. Raises NotDone when there is none."""
    client = next((c for c in present(desk) if c.host == host), None)
    if client is None:
        raise NotDone(f"no client works on {host} now")
    return desk.orders.give(client.id, do, **more)


def present(desk: Desk) -> list[Client]:
    """Those that can hear an order."""
    return [c for c in desk.dispatch.clients if c.pings and desk.is_there(c)]


async def pieces(desk: Desk, order: Order) -> AsyncIterator[bytes]:
    """What comes of it; whoever stops reading withdraws it."""
    try:
        async for piece in order.pieces():
            yield piece
    finally:
        desk.orders.withdraw(order)


async def signal_tasks(desk: Desk, tasks: Sequence[int], do: str) -> list[str]:
    """`stop` or `continue` for the programs of these tasks; a sentence for each that could not be."""
    return [said for said in await asyncio.gather(*(_signal(desk, task, do) for task in tasks)) if said]


async def processes(desk: Desk, client: Client) -> list[dict[str, Any]] | None:
    """Those of all tasks of this client; None when it does not answer."""
    order = desk.orders.give(client.id, "processes")
    try:
        async with asyncio.timeout(SURVEY_TIME):
            text = b"".join([piece async for piece in pieces(desk, order)])
        rows = [read_json(line) for line in text.splitlines()]
        return [{"host": client.host, "task": _task_of(desk, int(row["ticket"])), **row} for row in rows]
    except (TimeoutError, NotDone, ValueError, KeyError, TypeError, OverflowError):  # int() of Infinity
        return None


def _task_of(desk: Desk, ticket: int) -> int | None:
    return desk.dispatch.board.tickets[ticket].task if ticket in desk.dispatch.board.tickets else None


def _ticket_of(desk: Desk, number: int) -> Ticket | None:
    """Of several copies the first; a client that does not ping hears no orders."""
    task = desk.dispatch.board.tasks.get(number)
    tickets = (desk.dispatch.board.tickets.get(one) for one in (task.tickets if task else ()))
    return next((t for t in tickets if t and t.state is TicketState.ISSUED and t.leased), None)


def _why_not(desk: Desk, number: int) -> str:
    with Reader(desk.folder) as reader:
        state = reader.task(number).state
    if state in (TaskState.DONE, TaskState.FAILED):
        return f"task {number} has finished: it is {state}"
    return f"task {number} does not run now: it is {state}"


async def _signal(desk: Desk, number: int, do: str) -> str:
    try:
        async for _ in pieces(desk, await of_task(desk, number, do)):
            pass
    except NotDone as fault:
        named = str(fault).startswith(f"task {number} ")
        return str(fault) if named else f"task {number}: {fault}"
    return ""

"""Questions about what runs now: which client to ask, and the answer by an order to it."""

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
    """Return an order to the client that runs this task.

    Raises NotDone when it does not run now.
    """
    ticket = _ticket_of(desk, task)
    if ticket is None:
        raise NotDone(await why_not(desk, task))
    return desk.orders.give(ticket.client, do, ticket=ticket.id, **more)


async def of_host(desk: Desk, host: str, do: str, **more: Any) -> Order:
    """Return an order to a client on this host. Raises NotDone when there is none."""
    client = next((c for c in present(desk) if c.host == host), None)
    if client is None:
        raise NotDone(f"no client works on {host} now")
    return desk.orders.give(client.id, do, **more)


def present(desk: Desk) -> list[Client]:
    """Return the clients that can be given an order: they ping, and have been heard lately."""
    return [c for c in desk.dispatch.clients if c.pings and desk.is_there(c)]


async def pieces(desk: Desk, order: Order) -> AsyncIterator[bytes]:
    """Yield the pieces of the answer. An order whose reader stops is withdrawn."""
    try:
        async for piece in order.pieces():
            yield piece
    finally:
        desk.orders.withdraw(order)


async def signal_tasks(desk: Desk, tasks: Sequence[int], do: str) -> list[str]:
    """Stop or continue the programs of these tasks.

    Return a sentence for each with which that was not possible.
    """
    return [
        said for said in await asyncio.gather(*(_signal(desk, task, do) for task in tasks)) if said
    ]


async def processes(desk: Desk, client: Client) -> list[dict[str, Any]] | None:
    """Return the processes of all tasks of this client, one row each; None when it does not answer."""
    order = desk.orders.give(client.id, "processes")
    try:
        async with asyncio.timeout(SURVEY_TIME):
            text = b"".join([piece async for piece in pieces(desk, order)])
        rows = [read_json(line) for line in text.splitlines()]
        return [
            {"host": client.host, "task": _task_of(desk, int(row["ticket"])), **row} for row in rows
        ]
    except (TimeoutError, NotDone):
        return None
    except (ValueError, KeyError, TypeError, OverflowError):
        # The answer comes from outside: no JSON, no object, no number. int() of Infinity is an
        # OverflowError.
        return None


def _task_of(desk: Desk, ticket: int) -> int | None:
    known = desk.dispatch.board.tickets.get(ticket)
    return known.task if known else None


def _ticket_of(desk: Desk, number: int) -> Ticket | None:
    """Return the ticket of the first running copy whose client pings.

    No other client hears an order.
    """
    task = desk.dispatch.board.tasks.get(number)
    if task is None:
        return None
    tickets = (desk.dispatch.board.tickets.get(one) for one in task.tickets)
    return next((t for t in tickets if t and t.state is TicketState.ISSUED and t.leased), None)


async def why_not(desk: Desk, number: int) -> str:
    """Return why a set is not one that runs. Raises UsageError for an unknown number."""
    return await asyncio.to_thread(_why_not, desk, number)


def _why_not(desk: Desk, number: int) -> str:
    with Reader(desk.folder) as reader:
        state = reader.task(number).state
    if state in (TaskState.DONE, TaskState.FAILED):
        return f"task {number} has finished: it is {state}"
    return f"task {number} does not run now: it is {state}"


async def _signal(desk: Desk, number: int, do: str) -> str:
    try:
        order = await of_task(desk, number, do)
        async for _ in pieces(desk, order):
            pass
        desk.dispatch.steering.note_signal(int(order.what["ticket"]), do == "stop")
    except NotDone as fault:
        sentence = str(fault)
        return sentence if sentence.startswith(f"task {number} ") else f"task {number}: {sentence}"
    return ""

"""Commits one accepted task after the other and says each number when its commit is acknowledged; to be killed."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from spe.dispatch.changes import TaskMoved, TicketEnded, TicketIssued
from spe.model import Output, TaskState, TicketState, Usage
from spe.store.store import NewSet, Store


async def main(path: Path) -> None:
    """For ever; numbers go on where an earlier one was killed."""
    store = Store(path)
    await store.begin_plan(["x"], ["y"])
    first = (await store.next_ids())[0]
    await asyncio.gather(*(one_after_the_other(store, first + lane, 4) for lane in range(4)))


async def one_after_the_other(store: Store, number: int, step: int) -> None:
    """Several of these at once make groups."""
    while True:
        await store.add_sets([NewSet(number.to_bytes(16, "big"), number, {"x": str(number)})])
        task = await store.call(lambda c, n=number: c.execute(
            "SELECT number FROM tasks WHERE position = ?", (n,)).fetchone()[0])  # fmt: skip
        outputs = (Output("y", str(number)),)
        await store.commit([TicketIssued(number, task, "1", "h")])
        moved = TaskMoved(task, TaskState.DONE, 1, 0, "", number, {}, outputs)
        await store.commit([TicketEnded(number, TicketState.ACCEPTED, Usage(1.0)), moved])
        os.write(1, b"%d\n" % number)
        number += step


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

"""Makes samples/schema-N.db: `python make_sample.py PATH`. Run by hand, once a schema; samples are kept for ever."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path

from spe.dispatch.changes import ClientCame, TaskMoved, TasksOut, TicketEnded, TicketIssued
from spe.model import Failure, Output, TaskState, TicketState, Usage
from spe.store.store import NewSet, Store

USAGE = Usage(1.5, 1.0, 0.25, 1 << 20, 4096, 0)


async def fill(store: Store) -> None:
    """Five sets: done, failed, out on a host, waiting, cancelled."""
    await store.begin_plan(["x", "a b"], ["y", "trace"])
    await store.add_sets([NewSet(bytes([n]) * 16, n, {"x": str(n), "a b": f"ü{n}"}) for n in range(5)])
    await store.commit([ClientCame("1", "lab01", "linux-x86_64", 4, True)])
    await store.commit([TicketIssued(n, n, "1", "lab01") for n in (1, 2, 3)])
    outputs = (
        Output("y", "0.5", b"0.5  \n", size=6),
        Output("trace", "files/1/trace.csv", None, "files/1/trace.csv", 9),
    )
    done = TaskMoved(1, TaskState.DONE, 1, 0, "", 1, {}, outputs)
    await store.commit([TicketEnded(1, TicketState.ACCEPTED, USAGE, stderr=b"a warning\n"), done])
    failure = Failure("exit:3", "exit code 3: no licence", 3, files="12 out.txt\n- work@\n+3\n")
    await store.commit([TicketEnded(2, TicketState.FAILED, USAGE, failure, b"", b"no licence\n")])
    await store.commit([TaskMoved(2, TaskState.FAILED, 1, 0, failure.reason, None, {"exit:3": 1})])
    await store.commit([TasksOut(1)])
    await store.cancel([5], "cancelled by hand")
    await store.set_meta("workers", '{"any": "' + "0" * 64 + '"}')


def main(path: Path) -> None:
    """Write it, as one file."""
    store = Store(path)
    asyncio.run(fill(store))
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

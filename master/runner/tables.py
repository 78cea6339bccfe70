"""results.csv and its companions, from the store: written at the end of a run, unless they stand as they would be.

How they look is results/table_files.py's.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from ..errors import StoreError
from ..results.table_files import files_made, write_all
from ..session.run_folder import Folder, anchor_of, real
from ..store import stored
from ..store.reader import Reader
from ..store.statistics import Statistics
from ..store.store import Store
from ..sweep.sweep import Sweep


def write_tables(folder: Folder, sweep: Sweep) -> Statistics:
    """Write the tables of a sweep from its store; the sweep in numbers."""
    with Reader(folder) as reader:
        root = anchor_of(folder)
        try:
            write_all(root, reader.parameters, sweep.results, sweep.collect, reader.rows, reader.failed())
        except StoreError as error:
            where = error.where.replace(str(root), str(real(folder)))
            raise StoreError(error.what, where=where, todo=error.todo) from error
        return reader.statistics()


async def bring_up_to_date(store: Store, folder: Folder, sweep: Sweep) -> Statistics:
    """The same, where anything has changed since the tables were written, also by the hands of others."""
    if await store.meta("tables") == await asyncio.to_thread(_made_of, folder, sweep):
        return await asyncio.to_thread(_statistics, folder)
    statistics = await asyncio.to_thread(write_tables, folder, sweep)
    await store.set_meta("tables", await asyncio.to_thread(_made_of, folder, sweep))
    return statistics


def _statistics(folder: Folder) -> Statistics:
    with Reader(folder) as reader:
        return reader.statistics()


def _made_of(folder: Folder, sweep: Sweep) -> str:
    """All that decides what the tables say, and the files as they are.

    No set changes but by a ticket, which is new then, or into another state, or because it was extracted again, which
    is counted; `spe collect` leaves other files behind.
    """
    with Reader(folder) as reader:
        rows = [reader.plan, reader.last_ticket(), sorted(reader.counts().items()), reader.meta(stored.COUNT)]
        columns = [reader.parameters, repr(sweep.results), list(sweep.collect)]
    made = files_made(anchor_of(folder), sweep.results, sweep.collect)
    return json.dumps([rows, columns, [_facts(path) for path in made]])


def _facts(path: Path) -> list[object]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return [path.name]
    return [path.name, found.st_size, found.st_mtime_ns, found.st_ino]

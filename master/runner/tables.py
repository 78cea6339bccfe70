"""The tables: results.csv and its companions, written from the store at the end of a run.

Tables that are up to date are not written again. Their form is the business of
results/table_files.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from ..desk.result_files import place_left_over
from ..disk_errors import is_full
from ..earlier.extract_again import extract_again
from ..earlier.missing import decide_about_missing
from ..errors import SpeError, StoreError
from ..hooks.hooks import Hooks
from ..results.table_files import files_made, write_all
from ..session.run_folder import Folder, RunFolder, anchor_of, real
from ..session.stamps import stamp
from ..state.progress import Progress
from ..store.reader import Reader
from ..store.statistics import Statistics
from ..store.store import Store
from ..store.tables.made_tables import TABLES, rows_key
from ..sweep.sweep import Sweep
from .safekeeping import Safekeeping


def write_tables(folder: Folder, sweep: Sweep) -> Statistics:
    """Write the tables of a sweep from its store; return the sweep in numbers."""
    with Reader(folder) as reader:
        root = anchor_of(folder)
        try:
            write_all(
                root, reader.parameters, sweep.results, sweep.collect, reader.rows, reader.failed()
            )
        except StoreError as error:
            # The anchor is no path for people.
            where = error.where.replace(str(root), str(real(folder)))
            raise StoreError(error.what, where=where, todo=error.todo) from error
        return reader.statistics()


async def bring_up_to_date(store: Store, folder: Folder, sweep: Sweep) -> Statistics:
    """Write the tables if anything has changed since they were written, also by others.

    Return the sweep in numbers.
    """
    if await store.meta(TABLES) == await asyncio.to_thread(_made_of, folder, sweep):
        return await asyncio.to_thread(_statistics, folder)
    return await write_anew(store, folder, sweep)


async def write_anew(store: Store, folder: Folder, sweep: Sweep) -> Statistics:
    """Write the tables, note what they were made of, and return the sweep in numbers."""
    statistics = await asyncio.to_thread(write_tables, folder, sweep)
    await store.set_meta(TABLES, await asyncio.to_thread(_made_of, folder, sweep))
    return statistics


def _statistics(folder: Folder) -> Statistics:
    with Reader(folder) as reader:
        return reader.statistics()


def _made_of(folder: Folder, sweep: Sweep) -> str:
    """Return a key of the tables' content: equal keys mean equal tables.

    The files themselves are part of the key, as `spe collect` and people change them, too.
    """
    with Reader(folder) as reader:
        rows = rows_key(reader)
        columns = [reader.parameters, repr(sweep.results), list(sweep.collect)]
    made = files_made(anchor_of(folder), sweep.results, sweep.collect)
    return json.dumps([rows, columns, [[path.name, stamp(path)] for path in made]])


class TodaysResults:
    """The results of one run as today's `results` ask for them, in the store and in the tables."""

    def __init__(
        self, store: Store, sweep: Sweep, folder: RunFolder, hooks: Hooks, progress: Progress
    ) -> None:
        self.store, self.sweep, self.folder = store, sweep, folder
        self.hooks, self.progress = hooks, progress

    async def extract(self, others: Sequence[int] = ()) -> None:
        """Bring the values of finished sets up to date, and tell the user what has changed.

        `others`: sets that were none of the last run's, and are meant, too.
        """
        extracted = await extract_again(
            self.store, self.sweep.results, self.hooks, self.folder, self.sweep.results_of, others
        )
        text = str(extracted)
        if text:
            self.progress.line(text)

    async def renew(self, missing: bool) -> int:
        """Extract, and return how many sets run again as a value of theirs is not stored.

        `missing`: the user has asked for them already.
        """
        await self.extract()
        return await decide_about_missing(self.store, self.progress, missing)

    async def tables(self, keeping: Safekeeping) -> Statistics:
        """Make the tables where the folder is now, and again if it was removed meanwhile.

        Return the sweep in numbers.

        No table has rows by another `results`, also where Ctrl-C came before all were extracted
        again.
        """
        for more in (2, 1, 0):  # three tries: somebody who moves folders about may do it twice
            await keeping.settle()
            try:
                await place_left_over(self.store, self.folder)
                await extract_again(
                    self.store, self.sweep.results, self.hooks, self.folder, self.sweep.results_of
                )
                return await bring_up_to_date(self.store, self.folder, self.sweep)
            except (SpeError, OSError) as error:
                self._end_if_full(error)
                if not more or await keeping.is_well():
                    raise
        raise AssertionError("the last try returns or raises")

    def _end_if_full(self, error: Exception) -> None:
        """Raise NotStored if the disk is full, and the run was told twice to end."""
        disk = self.store.disk
        if disk.is_ending and isinstance(error, StoreError) and is_full(error):
            disk.lose_tables(error.what)
            raise disk.not_stored(self.folder) from error

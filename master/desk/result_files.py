"""The files of results, on their way from where they were received to runs/<name>/files/.

The files of a first result get their place before the commit that speaks of them. Files that
replace others are staged beside them, and take their places after it: until then the database
speaks of the old ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

from ..dispatch.changes import FilesStaged
from ..results.kept_files import keep_files, place_staged, stage_files
from ..session.run_folder import Folder
from ..store import writes
from ..store.store import Store
from .reports import Judged

T = TypeVar("T")


class ResultFiles:
    """Gives the files of results their places, and waits while the disk is full."""

    def __init__(self, store: Store, folder: Folder) -> None:
        """`folder` is runs/<name>/."""
        self.store, self.folder = store, folder

    async def keep(self, finished: Mapping[int, Judged]) -> tuple[list[FilesStaged], set[str]]:
        """Keep the files of these tasks: those of first results in their place, the others staged.

        Return what was staged, and the files that somebody removed before they came to their place.
        The tasks of such files are put back at the end of the run.
        """
        # All files of a request in one go: what costs is to sync the folder, and that is done once.
        first = [(one.outputs, one.report.parts) for one in finished.values() if not one.redone]
        moved, lost = set[str](), list[str]()
        if first:
            lost = await self._while_disk_is_full(lambda: keep_files(self.folder, first, moved))
        staged = []
        for number, one in finished.items():
            if one.redone:
                stage = partial(stage_files, self.folder, number, one.outputs, one.report.parts)
                moves = await self._while_disk_is_full(partial(stage, one.report.ticket))
                if moves is not None:
                    staged.append(FilesStaged(number, moves))
        return staged, set(lost)

    async def place(self, staged: Iterable[FilesStaged]) -> None:
        """Give staged files their places, now that the database speaks of them."""
        for one in staged:
            await self._while_disk_is_full(partial(place_staged, self.folder, one.task, one.moves))
            await self.store.call(partial(writes.placed, task=one.task))

    async def _while_disk_is_full(self, work: Callable[[], T]) -> T:
        # Giving up would be wrong: the dispatch has these tasks as done already.
        return await self.store.disk.until_done(work, "a result", self.folder)


async def place_left_over(store: Store, folder: Folder) -> None:
    """Give their places to files that are still staged, and remove those of sets that have failed.

    The former are there when a master was killed. Called as a run begins and as it ends.
    """
    async with store.placing:  # a result may arrive even now
        for task, moves in (await store.call(writes.staged)).items():
            await asyncio.to_thread(place_staged, folder, task, moves)
            await store.call(partial(writes.placed, task=task))

"""Finds large input files by their SHA-256, for clients that fetch them once a host.

A sweep may have a million large inputs, so only the last ones used stay in memory (many tasks share
a file). Any other is made again from its task, as long as that task is not done, also by a master
that was restarted meanwhile.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping

from ..errors import SpeError
from ..model import Input, Task, Work
from . import records

KEPT = 64 * 1024 * 1024  # bytes of contents that stay in memory
KNOWN = 10_000  # digests remembered with their task, before those of finished tasks are dropped


class LargeInputs:
    """The inputs larger than records.BY_DIGEST of the tasks that clients have, for one session."""

    def __init__(self, tasks: Mapping[int, Task], work: Callable[[Task], Work]) -> None:
        """Look for inputs in `tasks`: all that are not done, by number, as they come and go."""
        self._tasks = tasks
        self._work = work
        self._kept: OrderedDict[str, Input] = OrderedDict()
        self._size = 0
        self._task_of: dict[str, int] = {}

    def remember(self, task: int, inputs: Iterable[Input]) -> None:
        """Remember that a client was told to fetch these inputs of this task."""
        for item in inputs:
            if records.is_fetched(item):
                digest = records.digest(item)
                self._task_of[digest] = task
                self._keep(digest, item)
        if len(self._task_of) > KNOWN + 2 * len(self._tasks):
            self._task_of = {
                digest: task for digest, task in self._task_of.items() if task in self._tasks
            }

    def _keep(self, digest: str, item: Input) -> None:
        """Keep the content in memory, in place of the one that was not used for longest."""
        if item.file or item.archive:
            return  # the content is on disk, and each fetch must ask whether the file has changed
        if digest not in self._kept:
            self._kept[digest] = item
            self._size += item.size
        self._kept.move_to_end(digest)
        while self._size > KEPT and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._size -= dropped.size

    async def find(self, digest: str) -> Input | None:
        """Return the input with this digest.

        None when no task that is out has it, or when its file has changed.
        """
        item = self._kept.get(digest)
        if item is None:
            # Making inputs again may read files of any size.
            item = await asyncio.to_thread(self._made_again, digest, self._likely(digest))
            if item is not None:
                self._keep(digest, item)
        return item

    def _likely(self, digest: str) -> list[Task]:
        """Return the tasks to search: the one known to have it first, then all that are out.

        All, because a restarted master knows of none.
        """
        known = self._tasks.get(self._task_of.get(digest, 0))
        out = [task for task in self._tasks.values() if task.tickets or task.past]
        return [known, *out] if known else out

    def _made_again(self, digest: str, tasks: Iterable[Task]) -> Input | None:
        """Return the first input with this digest.

        Runs in a thread: it makes each task's inputs.
        """
        for task in tasks:
            try:
                found = self._work(task).inputs
                # The files of archives last, one by one: to make them reads them.
                for item in itertools.chain(found, _packed(found)):
                    if records.is_fetched(item) and records.digest(item) == digest:
                        return item
            except SpeError:
                # The file is gone, or the task is none of today's sets. Another task may have the
                # same content.
                continue
        return None


def _packed(inputs: Iterable[Input]) -> Iterator[Input]:
    """Yield the files in archives."""
    for one in inputs:
        if one.archive:
            yield from one.archive.inputs()

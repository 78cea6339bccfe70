"""Input files that are fetched by their SHA-256: found again from the tasks that have them, not hoarded.

A sweep may have a million large inputs. Only the last ones stay in memory (many tasks share a file); any other is
made again from its task, as long as that is undone, also by a master that was restarted meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from ..errors import SpeError
from ..model import Input, Task, Work
from . import records

KEPT = 64 * 1024 * 1024  # bytes of contents that stay in memory
KNOWN = 10_000  # digests whose task is remembered before those of finished tasks are forgotten


class LargeInputs:
    """The inputs over protocol.BY_DIGEST of the tasks that are out."""

    def __init__(self, tasks: Mapping[int, Task], work: Callable[[Task], Work]) -> None:
        """`tasks`: those that are undone, by number, as they come and go."""
        self._tasks, self._work = tasks, work
        self._kept: OrderedDict[str, Input] = OrderedDict()
        self._size = 0
        self._task_of: dict[str, int] = {}

    def remember(self, task: int, inputs: Iterable[Input]) -> None:
        """A client was told to fetch these."""
        for item in inputs:
            if item.size > records.BY_DIGEST:
                digest = records.digest(item)
                self._task_of[digest] = task
                self._keep(digest, item)
        if len(self._task_of) > KNOWN + 2 * len(self._tasks):
            self._task_of = {digest: task for digest, task in self._task_of.items() if task in self._tasks}

    def _keep(self, digest: str, item: Input) -> None:
        if item.file:
            return  # nothing of it is in memory, and whether it has changed is to be asked each time
        if digest not in self._kept:
            self._kept[digest] = item
            self._size += item.size
        self._kept.move_to_end(digest)
        while self._size > KEPT and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._size -= dropped.size

    async def find(self, digest: str) -> Input | None:
        """The input with this content, None when no task that is out has it, or its file has changed."""
        item = self._kept.get(digest)
        if item is None:
            item = await asyncio.to_thread(self._made_again, digest, self._likely(digest))
            if item is not None:
                self._keep(digest, item)
        return item

    def _likely(self, digest: str) -> list[Task]:
        """The task that is known to have it first, then all that are out (a restarted master knows none)."""
        known = self._tasks.get(self._task_of.get(digest, 0))
        out = [task for task in self._tasks.values() if task.tickets or task.past]
        return [known, *out] if known else out

    def _made_again(self, digest: str, tasks: Iterable[Task]) -> Input | None:
        for task in tasks:
            try:
                inputs = self._work(task).inputs
            except SpeError:
                continue  # its file is gone, or it is none of today's; another task may have the same content
            for item in inputs:
                if item.size > records.BY_DIGEST and records.digest(item) == digest:
                    return item
        return None

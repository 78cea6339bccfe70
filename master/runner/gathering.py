"""The gather hooks of a run: each accepted set once, one at a time, beside everything else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Sequence

from ..errors import HookError
from ..hooks.hooks import Hooks, ResultView, TaskView
from ..results.judge import hooks_of
from ..session.run_folder import Folder, result_file
from ..store.reader import GATHERS, Reader
from ..store.store import Store
from ..store.task_details import TaskDetail

log = logging.getLogger("spe.gather")
PAGE = 1000


class Gathering:
    """Calls the gather hooks in the order of acceptance. A call that goes wrong is reported and holds nothing up."""

    def __init__(self, hooks: Hooks, store: Store, folder: Folder, collect: Sequence[str]) -> None:
        self.hooks, self.store, self.folder = hooks, store, folder
        self.wanted = bool(hooks_of(collect))
        self.faults: list[str] = []
        self.calls = 0
        self._queue: asyncio.Queue[int | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def begin(self, again: bool = False) -> None:
        """From now on what is added is called. `again`: first all accepted ones, called before or not."""
        await self.store.set_meta(GATHERS, "1" if self.wanted else "")
        if not self.wanted:
            return
        if again:
            async for number in self._due(again=True):
                self._queue.put_nowait(number)
        self._task = asyncio.create_task(self._work())

    async def _due(self, again: bool) -> AsyncIterator[int]:
        after = 0
        while numbers := await self.store.uncollected(again, PAGE, after):
            for number in numbers:
                yield number
            after = numbers[-1]

    def add(self, numbers: Iterable[int]) -> None:
        """These were accepted."""
        if self.wanted:
            for number in numbers:
                self._queue.put_nowait(number)

    async def finish(self) -> None:
        """All calls that are due have been made; last, those that an earlier run accepted and did not come to.

        Those come now because only now today's parameters are all known, and which calls have been made.
        """
        if self._task:
            self._queue.put_nowait(None)
            await self._task
            with Reader(self.folder) as reader:
                async for number in self._due(again=False):
                    await self._call(reader.task(number))

    def left(self) -> int:
        """Sets that are not collected: their functions were not called, or failed, in this run or an earlier one."""
        with Reader(self.folder) as reader:
            return reader.uncollected()

    async def cancel(self) -> None:
        """Leave the rest to the next run."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _work(self) -> None:
        with contextlib.ExitStack() as opened:
            reader, connection = opened.enter_context(Reader(self.folder)), self.store.writer.connection
            while (number := await self._queue.get()) is not None:
                if connection is not self.store.writer.connection:  # the database was moved or written anew
                    opened.close()
                    reader, connection = opened.enter_context(Reader(self.folder)), self.store.writer.connection
                await self._call(reader.task(number))

    async def _call(self, task: TaskDetail) -> None:
        self.calls += 1
        try:
            await self.hooks.gather(TaskView(task.number, task.values), view(task, self.folder))
        except HookError as error:
            self.faults.append(f"task {task.number}: {error}")
            log.error("collect, task %d: %s", task.number, error)
            await self.store.mark_collected(task.number, well=False)
        else:
            await self.store.mark_collected(task.number, well=True)


def view(task: TaskDetail, folder: Folder) -> ResultView:
    """A stored result as hooks see it."""
    ticket = next((t for t in task.tickets if t.id == task.accepted_ticket), None)
    files = {o.name: result_file(folder, o.file) for o in task.outputs if o.file}
    if ticket is None:
        return ResultView(task.outputs, files)
    stderr = ticket.stderr.decode("utf-8", "replace")
    return ResultView(
        task.outputs,
        files,
        exit_code=ticket.exit_code or 0,
        stderr=stderr,
        host=ticket.host,
        seconds=ticket.seconds or 0.0,
    )

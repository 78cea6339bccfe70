"""The gather hooks of a run.

They are called once for each accepted set, one at a time, beside everything else.
"""

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
PAGE = 1000  # numbers that are read from the store at once


class Gathering:
    """Calls the gather hooks of one run in the order of acceptance.

    A call that goes wrong holds nothing up.
    """

    def __init__(self, hooks: Hooks, store: Store, folder: Folder, collect: Sequence[str]) -> None:
        """`collect` names the hooks; `folder` is runs/<name>/."""
        self.hooks, self.store, self.folder = hooks, store, folder
        self.wanted = bool(hooks_of(collect))
        self.faults: list[str] = []  # a sentence for each call that went wrong
        self.calls = 0
        self._queue: asyncio.Queue[int | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def begin(self, again: bool = False) -> None:
        """Begin to call the hooks.

        `again`: first for all sets that were accepted, called before or not.
        """
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
        """Call the hooks for these sets, too: they were accepted."""
        if self.wanted:
            for number in numbers:
                self._queue.put_nowait(number)

    async def finish(self) -> None:
        """Return when all calls that are due have been made, also those of earlier runs.

        The latter come last: only now all of today's parameters are known, and which calls have
        been made.
        """
        if self._task:
            self._queue.put_nowait(None)
            await self._task
            with Reader(self.folder) as reader:
                async for number in self._due(again=False):
                    await self._call(reader.task(number))

    def left(self) -> int:
        """Return how many sets are not collected.

        A hook was not called for them, or failed, in this run or in an earlier one.
        """
        with Reader(self.folder) as reader:
            return reader.uncollected()

    async def cancel(self) -> None:
        """Stop. The next run calls the hooks for the rest."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _work(self) -> None:
        with contextlib.ExitStack() as opened:
            reader = opened.enter_context(Reader(self.folder))
            written = self.store.writer.connection
            while (number := await self._queue.get()) is not None:
                connection = self.store.writer.connection
                if connection is not written:  # the database was moved or written anew
                    opened.close()
                    reader, written = opened.enter_context(Reader(self.folder)), connection
                await self._call(reader.task(number))

    async def _call(self, task: TaskDetail) -> None:
        self.calls += 1
        try:
            await self.hooks.gather(TaskView(task.number, task.values), view(task, self.folder))
        except HookError as error:
            self.faults.append(f"task {task.number}: {error}")
            # No error, which the terminal would show: the end of the run shows all faults.
            log.warning("collect, task %d: %s", task.number, error)
            # Stored, too: the next run must not call it again, as long as nobody has mended the
            # hook.
            await self.store.mark_collected(task.number, well=False)
        else:
            await self.store.mark_collected(task.number, well=True)


def view(task: TaskDetail, folder: Folder) -> ResultView:
    """Return a stored result in the form in which hooks see it."""
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

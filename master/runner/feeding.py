"""Parameter sets on their way: from their reading into the store, from there into the dispatch, never all in memory."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice

from ..desk.desk import Desk
from ..dispatch.changes import Decision
from ..model import TaskState
from ..state.progress import Progress
from ..store.store import NewSet
from ..sweep.sweep import Sweep

FIRST_CHUNK, CHUNK = 200, 5000  # parameter sets that go into the store at once
LOW, WINDOW = 1000, 5000  # waiting tasks in the dispatch: when to fetch more, and how many


class Feeding:
    """What a run reads and hands on; `fed`: the sets that this run had to do, so far."""

    def __init__(
        self,
        sweep: Sweep,
        desk: Desk,
        progress: Progress,
        decision: Decision,
        renew: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        """`renew` is called once all sets are stored: it brings their results up to date, and says how many sets it
        has put to waiting."""
        self.sweep, self.desk, self.progress, self.decision, self._renew = sweep, desk, progress, decision, renew
        self.fed = 0
        self._stored = False

    async def read(self) -> None:
        """The parameter sets go into the store, chunk by chunk; the first are handed out before the last is stored."""
        store = self.desk.store
        digest = await asyncio.to_thread(self.sweep.plan_digest)
        kinds = {one.name: one.kind for one in self.sweep.results}
        census = await asyncio.to_thread(self.sweep.parameters.check)
        if await store.begin_plan(self.sweep.parameters.names, kinds, digest, census.numeric):
            await self._store_sets()
            if await asyncio.to_thread(self.sweep.plan_digest) == digest:  # else it was changed while it was read
                await store.end_plan(digest)
        await self._settle()
        if self._renew and await self._renew():
            self.desk.dispatch.board.look_again()
        self._stored = True
        await self._count()
        self.desk.moved.set()

    async def _store_sets(self) -> None:
        sets = self._new_sets()
        size = FIRST_CHUNK
        with _short_turns():
            while chunk := await asyncio.to_thread(lambda: list(islice(sets, size))):  # noqa: B023
                await self.desk.store.add_sets(chunk)
                size = CHUNK
                self.desk.moved.set()

    def _new_sets(self) -> Iterator[NewSet]:
        for position, one in enumerate(self.sweep.parameters):
            yield NewSet(self.sweep.key(one.values), position, one.values, self.sweep.older_key(one.values))

    async def _settle(self) -> None:
        """All of today's sets are known: which of them run again, and which came with old tickets."""
        dispatch, store = self.desk.dispatch, self.desk.store
        settled = await store.settle(self.decision)
        if settled.again or settled.retried:
            dispatch.board.look_again()
        todays = await store.among_todays(dispatch.board.unplanned())
        for number in dispatch.board.unplanned():
            if number in todays:
                dispatch.board.plan(dispatch.board.tasks[number], todays[number])
            else:
                dispatch.board.call_back(dispatch.board.tasks[number])
        await self.desk.obey()
        if self.decision.retry is not None and not self.decision.fresh:
            self._say_retried(settled.retried)

    def _say_retried(self, count: int) -> None:
        self.progress.line(f"{count} failed {'set' if count == 1 else 'sets'} put back")
        if self.decision.retry and count < len(self.decision.retry):
            self.progress.warn("of the sets named, only those among today's parameters were put back")

    async def _count(self) -> None:
        """How many there are in all, and how many of them ended before this run."""
        dispatch = self.desk.dispatch
        counts = await self.desk.store.count()
        before = {s: max(0, counts.get(s, 0) - dispatch.board.in_state[s]) for s in TaskState}
        dispatch.board.total = sum(counts.values())
        dispatch.board.done_before, dispatch.board.failed_before = before[TaskState.DONE], before[TaskState.FAILED]
        dispatch.board.cancelled_before = before[TaskState.CANCELLED]
        self.progress.plan(
            dispatch.board.total,
            dispatch.board.done_before,
            dispatch.board.failed_before,
            dispatch.board.cancelled_before,
        )

    async def feed(self) -> None:
        """Keep enough of today's waiting tasks in the dispatch, and not many more."""
        dispatch, store = self.desk.dispatch, self.desk.store
        if not store.begun or not dispatch.board.more or len(dispatch.board.waiting) >= LOW:
            return
        all_stored = self._stored
        # For the store, those that are finishing wait until their files are kept.
        after, looks, ending = dispatch.board.fed, dispatch.board.looks, self.desk.arrivals.finishing
        rows = await store.waiting(after, WINDOW)
        if looks != dispatch.board.looks:  # sets were put back or given back meanwhile: what was read may not know it
            return
        self.fed += dispatch.board.add(task for _, task in rows if task.number not in ending)
        if rows:
            dispatch.board.fed = rows[-1][0]
            self.desk.wake_idle()
        elif all_stored:
            self.desk.no_more()


@contextlib.contextmanager
def _short_turns() -> Iterator[None]:
    """While a thread of ours computes without a pause, who answers clients gets its turn ten times sooner."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(before)

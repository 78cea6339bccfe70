"""The way of the parameter sets.

They go from their source into the store, and from there into the dispatch. The dispatch holds a
window of them: a million sets are never in memory at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import islice

from ..desk.desk import Desk
from ..dispatch.changes import Decision
from ..earlier.kept_command import command_text
from ..model import Task, TaskState
from ..startup import short_turns
from ..state.progress import Progress
from ..store.store import NewSet
from ..sweep.sweep import Sweep
from ..text import counted
from .adding.carrying import Carrying

FIRST_CHUNK = 200  # sets of the first transaction: small, so that the first hosts get work at once
CHUNK = 5000  # sets of each further transaction
LOW = 1000  # tasks that wait in the dispatch: below this number more are loaded
WINDOW = 5000  # tasks that are loaded at once
MOST_BACK_OFFS = 50_000  # tasks that wait for their next attempt, and are in memory, before no more are loaded


class Feeding:
    """Reads the sets of one run, and loads them into its dispatch.

    `fed`: sets that this run had to do, so far.
    """

    def __init__(
        self,
        sweep: Sweep,
        desk: Desk,
        progress: Progress,
        decision: Decision,
        renew: Callable[[], Awaitable[int]] | None = None,
        limits_failures: bool = False,
        resumes: bool = False,
        adds: bool = False,
    ) -> None:
        """`renew` is called once all sets are stored.

        It brings their results up to date, and returns how many sets it has put back into the
        queue. `limits_failures`: there is a `stop_after`, for which sets of earlier runs count.
        `resumes`: the run goes on with one that was killed. `adds`: sets of before stay.
        """
        self.sweep, self.desk, self.progress = sweep, desk, progress
        self.decision, self._renew = decision, renew
        self._limits_failures = limits_failures
        self._carrying = Carrying(sweep, desk.store, resumes, adds)
        self.fed = 0
        self.adding = 0  # requests of people to add sets that are being stored just now
        self._stored = False
        self.is_counted = False  # all sets are stored and counted
        self._is_held = False  # nothing is loaded before the sets are counted

    @property
    def is_read(self) -> bool:
        """True once all of today's sets are stored, and it is decided which of them run."""
        return self._stored

    async def read(self) -> None:
        """Read the parameter sets into the store, chunk by chunk.

        The first are handed out before the last is stored.

        Raises ConfigError for an error in the parameters.
        """
        store = self.desk.store
        # Where sets have failed before, their number may end the run before anything is begun. A
        # `spe retry` of some of them runs those, however many others have failed.
        limited = self._limits_failures and self.decision.retry is None
        self._is_held = limited and await store.anything_failed()
        digest = await asyncio.to_thread(self.sweep.plan_digest)
        kinds = {one.name: one.kind for one in self.sweep.results}
        census = await asyncio.to_thread(self.sweep.parameters.check)
        names, numeric = self.sweep.parameters.names, census.numeric
        is_new = await store.begin_plan(names, kinds, digest, numeric)
        # Before the sets: each must be known by its own command, also when this run is killed.
        await store.keep_command(command_text(self.sweep.recipe))
        if is_new:
            await self._carrying.begin()
            await self._store_sets()
            await self._carrying.carry()
            # A file that was changed while it was read is read again by the next run.
            if await asyncio.to_thread(self.sweep.plan_digest) == digest:
                await store.end_plan(digest)
        await self._settle()
        if self._renew and await self._renew():
            self.desk.dispatch.board.look_again()
        self._stored = True
        await self._count()
        self.is_counted = True
        if self._is_held:
            await self._stop_if_too_many_failed()
            self._is_held = False
        self.desk.moved.set()

    async def _stop_if_too_many_failed(self) -> None:
        """End the run if as many sets have failed before as `stop_after` says, and others wait."""
        counts = await self.desk.store.count()
        if counts.get(TaskState.WAITING):
            self.desk.dispatch.attempts.stop_if_too_many_failed()
            await self.desk.obey()

    async def _store_sets(self) -> None:
        sets = self._new_sets()
        size = FIRST_CHUNK
        with short_turns():
            while chunk := await asyncio.to_thread(_first, sets, size):
                await self.desk.store.add_sets(chunk)
                size = CHUNK
                self.desk.moved.set()

    def _new_sets(self) -> Iterator[NewSet]:
        for position, one in enumerate(self.sweep.parameters):
            yield NewSet(
                self.sweep.key(one.values), position, one.values, self.sweep.older_key(one.values)
            )

    async def _settle(self) -> None:
        """Decide which sets run again, and what becomes of tickets of before a crash.

        Called once all of today's sets are known.
        """
        dispatch, store = self.desk.dispatch, self.desk.store
        settled = await store.settle(self.decision)
        if settled.again or settled.retried:
            dispatch.board.look_again()
        await self._plan_old_tickets()
        await self.desk.obey()
        # Afresh all run again, not only these
        if self.decision.retry is not None and not self.decision.fresh:
            self._say_retried(settled.retried)

    async def _plan_old_tickets(self) -> None:
        """Let old tickets go on whose sets are among today's, and call back the others."""
        dispatch = self.desk.dispatch
        todays = await self.desk.store.among_todays(dispatch.board.unplanned())
        for number in dispatch.board.unplanned():
            if number in todays:
                dispatch.board.plan(dispatch.board.tasks[number], todays[number])
            else:
                dispatch.board.call_back(dispatch.board.tasks[number])

    def _say_retried(self, count: int) -> None:
        self.progress.line(f"{counted(count, 'set')} put back")
        if self.decision.retry and count < len(self.decision.retry):
            self.progress.warn(
                "the named sets that are not among today's parameters were not put back"
            )

    async def _count(self) -> None:
        """Count all sets, and those that ended before this run, for the dispatch and for the user."""
        board = self.desk.dispatch.board
        counts = await self.desk.store.count()
        # Some sets have ended in this run already: the first ones run while the last ones are being
        # read.
        before = {
            state: max(0, counts.get(state, 0) - board.in_state[state]) for state in TaskState
        }
        rule = self.desk.dispatch.handout.one_each
        # Of the copies that a check has ready, those that are to run.
        board.total = rule.count if rule else sum(counts.values())
        board.done_before = before[TaskState.DONE]
        board.failed_before = before[TaskState.FAILED]
        board.cancelled_before = before[TaskState.CANCELLED]
        self.progress.plan(
            board.total, board.done_before, board.failed_before, board.cancelled_before
        )

    async def came(self, sets: Mapping[TaskState, int]) -> None:
        """Count sets that people have added, by their state, and have the waiting ones loaded."""
        board = self.desk.dispatch.board
        board.total += sum(sets.values())
        board.done_before += sets.get(TaskState.DONE, 0)
        board.failed_before += sets.get(TaskState.FAILED, 0)
        board.cancelled_before += sets.get(TaskState.CANCELLED, 0)
        board.look_again()
        # A ticket of before a crash may be one of a set that has become one of today's.
        await self._plan_old_tickets()
        await self.desk.obey()
        self.progress.grow(board.total, board.done_before, board.failed_before)
        self.desk.moved.set()

    async def feed(self) -> None:
        """Load tasks when few wait in the dispatch. Called after each change."""
        dispatch, store = self.desk.dispatch, self.desk.store
        if not store.begun or not dispatch.board.more or len(dispatch.board.waiting) >= LOW:
            return
        if self._is_held or len(dispatch.board.back_offs) >= MOST_BACK_OFFS:
            return
        # Before the question: sets that are stored meanwhile are not in its answer
        all_stored = self._stored and not self.adding
        # For the store, those that are finishing wait until their files are kept.
        ending = self.desk.arrivals.finishing
        after, looks = dispatch.board.fed, dispatch.board.looks
        rows = await store.waiting(after, WINDOW)
        if looks != dispatch.board.looks:
            return  # sets were put back or given back meanwhile: the answer may be without them
        await self._set_back_offs([task for _, task in rows])
        if looks != dispatch.board.looks:
            return
        self.fed += dispatch.board.add(task for _, task in rows if task.number not in ending)
        if rows:
            dispatch.board.fed = rows[-1][0]
            self.desk.wake_idle()
        elif all_stored:
            self.desk.no_more()

    async def _set_back_offs(self, tasks: Sequence[Task]) -> None:
        """Set until when tasks that failed before wait for their next attempt (`retry.after`).

        So a pause goes on in the run, or the master, that comes after the one in which it began.
        """
        rules = self.desk.dispatch.rules
        tried = [task.number for task in tasks if task.attempts] if rules.retry_after else []
        if not tried:
            return
        ago = await self.desk.store.since_failures(tried)
        now = self.desk.clock()
        for task in tasks:
            if task.number in ago:
                task.not_before = now - ago[task.number] + rules.back_off(task.attempts)


def _first(sets: Iterator[NewSet], count: int) -> list[NewSet]:
    return list(islice(sets, count))

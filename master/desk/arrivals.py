"""The reports of clients.

Each is judged, stored, and answered when what the answer rests on is on disk.

Reports that come in one request share one commit. What they mean for the sweep is the dispatch's
business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from ..dispatch.dispatch import Dispatch
from ..errors import Lost, NotStored
from ..model import Task, TaskState, Ticket, Usage
from ..results.evidence import (
    usage_of,
    whole_outputs,
)
from ..results.failed_files import LeftFiles
from ..session.run_folder import Folder
from ..store.store import Store
from .conclusions import NOTED, Conclusions
from .judging import Judges
from .reports import Judged, Key, Report
from .result_files import ResultFiles

__all__ = ["Arrivals", "Report"]
log = logging.getLogger("spe.arrivals")
Answers = dict[int, str]  # ticket -> what its client is told


class Arrivals:
    """Takes in the reports of one run."""

    def __init__(
        self,
        dispatch: Dispatch,
        store: Store,
        judges: Judges,
        folder: Folder,
        clock: Callable[[], float],
        spread: Callable[[], None],
        keep_failed: int = 0,
    ) -> None:
        """`folder` is runs/<name>/; `spread` is called when something has changed for others.

        `keep_failed`: bytes of the files that are kept of a failed set.
        """
        self.dispatch, self.store, self.judges = dispatch, store, judges
        self.files = ResultFiles(store, folder)
        self._conclusions = Conclusions(dispatch, judges, clock)
        self._clock, self._spread = clock, spread
        self.stored = 0  # sets that were done here and are in the store
        # Task numbers for the gather hooks, in the order of acceptance
        self._accepted: list[int] = []
        self.left = LeftFiles(folder, keep_failed)
        self._looking: dict[Key, asyncio.Future[Answers]] = {}
        # Tasks that are done here and not yet in the store
        self._finishing: dict[int, asyncio.Future[None]] = {}

    def take_accepted(self) -> list[int]:
        """Return the tasks accepted since the last call."""
        accepted, self._accepted = self._accepted, []
        return accepted

    async def take(self, client: str, reports: Sequence[Report]) -> list[str]:
        """Return the answer to each report, in their order.

        A result is answered with `accepted`, `rejected: REASON`, `expired` or `unknown`, a failure
        with `noted`.

        A client that hangs up and sends again finds the first look at its report still going on.
        """
        found = {report.key: report for report in reports}
        fresh = {key: report for key, report in found.items() if key not in self._looking}
        if fresh:
            work = asyncio.ensure_future(self._take(client, list(fresh.values())))
            self._looking.update(dict.fromkeys(fresh, work))
            work.add_done_callback(lambda _: self._forget(fresh))
        answers: Answers = {}
        for look in {self._looking[key] for key in found}:
            # A shield, as a client that hangs up cancels its request and must not cancel the look
            # of another one.
            answers.update(await asyncio.shield(look))
        return [answers[report.ticket] for report in reports]

    def _forget(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._looking.pop(key, None)

    async def _take(self, client: str, reports: Sequence[Report]) -> Answers:
        answers: Answers = {}
        try:
            judged = [
                one for report in reports if (one := await self._look_at(client, report, answers))
            ]
            # Reports without files first: a failure must not wait for the files of others.
            with_files = [one for one in judged if one.keeps_files]
            await self._conclude([one for one in judged if not one.keeps_files], client, answers)
            await self._conclude(with_files, client, answers)
        except Exception:
            for report in reports:
                # The ticket must not be out for ever; the client sends its result again
                self.dispatch.attempts.release(report.ticket)
            await self.store.commit(self.dispatch.board.take_changes())
            self._spread()
            raise
        return answers

    # -- whether it counts, and what it is worth

    async def _look_at(self, client: str, report: Report, answers: Answers) -> Judged | None:
        if report.reason is not None:
            return await self._failure(report, answers)
        task = await self._arrive(client, report.ticket)
        if isinstance(task, str):
            answers[report.ticket] = task
            return None
        if self.judges.is_outdated(report.ticket):
            log.info(
                "task %d, ticket %d was handed out under another `results`",
                task.number,
                report.ticket,
            )
            self.dispatch.attempts.release(report.ticket)
            await self.store.commit(self.dispatch.board.take_changes())
            answers[report.ticket] = "expired"
            return None
        ticket = self.dispatch.board.tickets[report.ticket]
        usage = self._usage(report, ticket)
        verdict = await self.judges.judge(task, ticket.host, usage.wall, report.parts)
        if not all(part.is_there for part in report.parts.values()):
            # The client still has the result, and sends it again
            raise Lost("a file of it was removed while it was looked at")
        whole = whole_outputs(report.parts, f"files/{task.number}")
        return Judged(report, verdict, usage, task.redone, whole)

    async def _failure(self, report: Report, answers: Answers) -> Judged | None:
        answers[report.ticket] = NOTED
        if report.ticket not in self.dispatch.board.tickets:
            await self.recall(report.ticket)
        ticket = self.dispatch.board.tickets.get(report.ticket)
        if ticket is None:
            return None
        return Judged(report, None, self._usage(report, ticket))

    def _counts(self, one: Judged) -> bool:
        return one.verdict is None or self.dispatch.board.is_live(one.report.ticket)

    async def _comes_back(self, client: str, one: Judged, answers: Answers) -> bool:
        """Let a result arrive once more whose task was done or given up meanwhile.

        Its program has run, and its result is as good as another one.
        """
        again = await self._arrive(client, one.report.ticket)
        if isinstance(again, str):
            answers[one.report.ticket] = again
            return False
        return True

    def _usage(self, report: Report, ticket: Ticket) -> Usage:
        wall = 0.0  # unknown for a ticket that was given out before a restart of the master
        if ticket.issued:
            wall = self._clock() - ticket.issued
        return usage_of(report.parts, wall)

    async def _arrive(self, client: str, ticket_id: int) -> Task | str:
        """Return the task whose result is to be looked at, or the answer when nobody needs it."""
        task = self.dispatch.attempts.arrive(self._clock(), ticket_id, client)
        if task is None and ticket_id not in self.dispatch.board.tickets:
            if not await self.recall(ticket_id):
                return "unknown"
            task = self.dispatch.attempts.arrive(self._clock(), ticket_id, client)
        return task or "expired"

    async def recall(self, ticket_id: int) -> bool:
        """Bring back a ticket that the dispatch does not hold, if its task is undone.

        Return whether the store knows such a ticket.
        """
        found = await self.store.find(ticket_id)
        if found is None:
            return False
        ticket, task = found
        if ticket.program != self.dispatch.board.program:
            # The ticket ran another program than today's: its result belongs to no row of today
            return True
        undone = (
            task.state not in (TaskState.DONE, TaskState.CANCELLED)
            and task.number not in self.dispatch.steering.cancelled
        )
        undone = undone and task.number not in self._finishing
        if undone and ticket_id not in self.dispatch.board.tickets:
            self.dispatch.board.restore(task, ticket)
        return True

    # -- what becomes of it

    async def _conclude(self, judged: Sequence[Judged], client: str, answers: Answers) -> None:
        """Decide about all these reports at once, then keep their files, then commit.

        Keeping files takes long, so with files these may only be the ends of sets: any other
        change would be overtaken by what happens meanwhile.
        """
        # While these were judged, other reports may have ended their tasks.
        while stale := [one for one in judged if not self._counts(one)]:
            judged = [
                one
                for one in judged
                if one not in stale or await self._comes_back(client, one, answers)
            ]
        if not judged:
            return
        finished: dict[int, Judged] = {}
        tasks = self._tasks_of(judged)
        for one in judged:
            answers[one.report.ticket] = self._conclusions.conclude(one, client, finished)
        # A set that has failed has left the board.
        board = self.dispatch.board
        failed = {t: n for t, n in tasks.items() if n not in board.tasks and n not in finished}
        lost = await self._store(finished)
        # Its last attempt may leave none, or none that are kept: then there are none.
        if earlier := self.left.of_earlier(failed.values()):
            await asyncio.to_thread(self.left.forget, earlier)
        self.left.ask_for(failed)
        good = [
            number for number, one in finished.items() if one.verdict and one.verdict.reason is None
        ]
        self._accepted += [
            number
            for number in good
            if not any(file.startswith(f"files/{number}/") for file in lost)
        ]
        self._spread()

    def _tasks_of(self, judged: Sequence[Judged]) -> dict[int, int]:
        """Return ticket -> task of these reports, where files of failed sets are kept."""
        if self.left.is_idle:
            return {}
        tickets = self.dispatch.board.tickets
        known = [one.report.ticket for one in judged if one.report.ticket in tickets]
        return {ticket: tickets[ticket].task for ticket in known}

    async def _store(self, finished: Mapping[int, Judged]) -> set[str]:
        """Store what the dispatch has decided, with the files of these tasks.

        Return the files that were removed.
        """
        changes = self.dispatch.board.take_changes()
        done = asyncio.get_running_loop().create_future()
        # Until the commit the store does not know of them
        self._finishing.update(dict.fromkeys(finished, done))
        with_files = {number: one for number, one in finished.items() if one.keeps_files}
        try:
            async with self._placing(with_files):
                try:
                    staged, lost = await self.files.keep(with_files)
                    await self.store.commit([*changes, *staged])
                except NotStored:
                    self.store.disk.lose(finished)
                    raise
                self.stored += len(finished)
                await self.files.place(staged)
                if stale := self.left.stale(finished):
                    await asyncio.to_thread(self.left.forget, stale)
        finally:
            for number in finished:
                del self._finishing[number]
            done.set_result(None)
        return lost

    def _placing(self, with_files: Mapping[int, Judged]) -> AbstractAsyncContextManager[object]:
        """Keep others from placing files meanwhile, where files of these results replace others."""
        if any(one.redone for one in with_files.values()):
            return self.store.placing
        return nullcontext()

    # -- what is on its way to the disk

    @property
    def finishing(self) -> frozenset[int]:
        """The tasks that are done here and not yet in the store."""
        return frozenset(self._finishing)

    @property
    def is_idle(self) -> bool:
        """True while all that is done here is on disk."""
        return not self._finishing

    async def all_finished(self, patience: float) -> bool:
        """Wait until all that is done here is on disk.

        Return False when that takes longer than `patience` seconds.
        """
        if not self._finishing:
            return True
        _, pending = await asyncio.wait(set(self._finishing.values()), timeout=patience)
        return not pending

"""What clients bring: each report is looked at, judged, stored, and answered when what the answer rests on is on disk.

Reports that come in one request share one commit. What they mean for the sweep is the dispatch's business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TypeVar

from ..dispatch.changes import FilesStaged
from ..dispatch.dispatch import Dispatch
from ..errors import Lost, NotStored
from ..model import Output, Task, TaskState, Ticket, Usage
from ..record import record
from ..results.evidence import WHOLE, exit_code_of, failure_of, files_of, printed, usage_of, whole_outputs
from ..results.extract import Part
from ..results.kept_files import keep_files, place_staged, stage_files
from ..session.run_folder import Folder
from ..store import writes
from ..store.store import Store
from .judging import Judges, Verdict

log = logging.getLogger("spe.arrivals")
NOTED = "noted"  # the answer to a failure
_Key = tuple[int, bool]
T = TypeVar("T")


@record
class Report:
    """What a client says of one ticket: its results, or (`reason`) that its program failed."""

    ticket: int
    parts: Mapping[str, Part]
    reason: str | None = None

    @property
    def key(self) -> _Key:
        """The same for a report that is sent again."""
        return self.ticket, self.reason is None


@record
class _Judged:
    """A report whose ticket counts, and the verdict about its results (None: it reports a failure)."""

    report: Report
    verdict: Verdict | None
    usage: Usage
    redone: bool = False  # its set has a result of before, which this one is to replace
    whole: tuple[Output, ...] = ()

    @property
    def keeps_files(self) -> bool:
        """Whether it is going to have files beside the store, or replaces a result that may have some."""
        return bool(self.outputs) and (self.redone or any(output.file for output in self.outputs))

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Outputs to store: the results, and with `keep_output: all` everything that the program printed."""
        if self.verdict is None or (self.verdict.reason is not None and not self.verdict.fault):
            return ()
        return self.verdict.outputs + self.whole


class Arrivals:
    """Takes in what comes of tickets."""

    def __init__(
        self,
        dispatch: Dispatch,
        store: Store,
        judges: Judges,
        folder: Folder,
        clock: Callable[[], float],
        spread: Callable[[], None],
    ) -> None:
        """`folder` is runs/<name>/; `spread` is called when something has changed for others."""
        self.dispatch, self.store, self.judges, self.folder = dispatch, store, judges, folder
        self._clock, self._spread = clock, spread
        self.stored = 0  # sets that were done here and are in the store
        self._accepted: list[int] = []  # task numbers for the gather hooks, in the order of acceptance
        self._looking: dict[_Key, asyncio.Future[dict[int, str]]] = {}
        self._finishing: dict[int, asyncio.Future[None]] = {}  # tasks that are done here and not yet in the store

    def take_accepted(self) -> list[int]:
        """The tasks accepted since the last call."""
        accepted, self._accepted = self._accepted, []
        return accepted

    async def take(self, client: str, reports: Sequence[Report]) -> list[str]:
        """The answer to each: `accepted`, `rejected: REASON`, `expired` or `unknown`; `noted` to a failure.

        A client that hangs up and sends again finds the first look at its report still going on.
        """
        found = {report.key: report for report in reports}
        fresh = {key: report for key, report in found.items() if key not in self._looking}
        if fresh:
            work = asyncio.ensure_future(self._take(client, list(fresh.values())))
            self._looking.update(dict.fromkeys(fresh, work))
            work.add_done_callback(lambda _: self._forget(fresh))
        answers: dict[int, str] = {}
        for look in {self._looking[key] for key in found}:
            answers.update(await asyncio.shield(look))
        return [answers[report.ticket] for report in reports]

    def _forget(self, keys: Iterable[_Key]) -> None:
        for key in keys:
            self._looking.pop(key, None)

    async def _take(self, client: str, reports: Sequence[Report]) -> dict[int, str]:
        answers: dict[int, str] = {}
        try:
            judged = [one for report in reports if (one := await self._look_at(client, report, answers))]
            with_files = [one for one in judged if one.keeps_files]
            others = [one for one in judged if not one.keeps_files] if with_files else judged
            await self._conclude(others, client, answers)
            await self._conclude(with_files, client, answers)
        except Exception:
            for report in reports:
                self.dispatch.attempts.release(
                    report.ticket
                )  # it must not be out for ever; the client sends its result again
            await self.store.commit(self.dispatch.board.take_changes())
            self._spread()
            raise
        return answers

    # -- whether it counts, and what it is worth

    async def _look_at(self, client: str, report: Report, answers: dict[int, str]) -> _Judged | None:
        if report.reason is not None:
            return await self._failure(report, answers)
        task = await self._arrive(client, report.ticket)
        if isinstance(task, str):
            answers[report.ticket] = task
            return None
        if self.judges.is_outdated(report.ticket):
            log.info("task %d, ticket %d was handed out under another `results`", task.number, report.ticket)
            self.dispatch.attempts.release(report.ticket)
            await self.store.commit(self.dispatch.board.take_changes())
            answers[report.ticket] = "expired"
            return None
        ticket = self.dispatch.board.tickets[report.ticket]
        usage = self._usage(report, ticket)
        verdict = await self.judges.judge(task, ticket.host, usage.wall, report.parts)
        if not all(part.is_there for part in report.parts.values()):
            raise Lost("a file of it was removed while it was looked at")  # its client has it, and sends it again
        whole = whole_outputs(report.parts, f"files/{task.number}")
        return _Judged(report, verdict, usage, task.redone, whole)

    async def _failure(self, report: Report, answers: dict[int, str]) -> _Judged | None:
        answers[report.ticket] = NOTED
        if report.ticket not in self.dispatch.board.tickets:
            await self.recall(report.ticket)
        ticket = self.dispatch.board.tickets.get(report.ticket)
        return _Judged(report, None, self._usage(report, ticket)) if ticket else None

    def _counts(self, one: _Judged) -> bool:
        return one.verdict is None or self.dispatch.board.is_live(one.report.ticket)

    async def _comes_back(self, client: str, one: _Judged, answers: dict[int, str]) -> bool:
        """Its task was done meanwhile, or given up: then this is still work done."""
        again = await self._arrive(client, one.report.ticket)
        if isinstance(again, str):
            answers[one.report.ticket] = again
        return not isinstance(again, str)

    def _usage(self, report: Report, ticket: Ticket) -> Usage:
        return usage_of(report.parts, self._clock() - ticket.issued if ticket.issued else 0.0)

    async def _arrive(self, client: str, ticket_id: int) -> Task | str:
        """The task whose result is to be looked at; or the answer, when nobody needs it."""
        task = self.dispatch.attempts.arrive(self._clock(), ticket_id, client)
        if task is None and ticket_id not in self.dispatch.board.tickets:
            if not await self.recall(ticket_id):
                return "unknown"
            task = self.dispatch.attempts.arrive(self._clock(), ticket_id, client)
        return task or "expired"

    async def recall(self, ticket_id: int) -> bool:
        """Bring back a ticket that the dispatch does not hold, if its task is undone. False: there is none."""
        found = await self.store.find(ticket_id)
        if found is None:
            return False
        ticket, task = found
        if ticket.program != self.dispatch.board.program:
            return True  # it ran another program than today's: its result is no result of today's rows
        undone = (
            task.state not in (TaskState.DONE, TaskState.CANCELLED)
            and task.number not in self.dispatch.steering.cancelled
        )
        undone = undone and task.number not in self._finishing
        if undone and ticket_id not in self.dispatch.board.tickets:
            self.dispatch.board.restore(task, ticket)
        return True

    # -- what becomes of it

    async def _conclude(self, judged: Sequence[_Judged], client: str, answers: dict[int, str]) -> None:
        """Decide all at once; then first the files, then the commit that speaks of them.

        What takes so long may only be the end of sets: anything else would be overtaken by what happens meanwhile.
        """
        while stale := [one for one in judged if not self._counts(one)]:  # others were quicker while it was judged
            judged = [one for one in judged if one not in stale or await self._comes_back(client, one, answers)]
        if not judged:
            return
        finished: dict[int, _Judged] = {}
        for one in judged:
            answers[one.report.ticket] = self._decide(one, client, finished)
        changes = self.dispatch.board.take_changes()
        lost = set[str]()
        done = asyncio.get_running_loop().create_future()
        self._finishing.update(dict.fromkeys(finished, done))  # until the commit the store does not know of them
        try:
            with_files = {number: one for number, one in finished.items() if one.keeps_files}
            replaces = any(one.redone for one in with_files.values())
            async with self.store.placing if replaces else nullcontext():
                try:
                    staged, lost = await self._keep_files(with_files)
                    await self.store.commit([*changes, *staged])
                except NotStored:
                    self.store.disk.lose(finished)
                    raise
                self.stored += len(finished)
                await self.place(staged)
        finally:
            for number in finished:
                del self._finishing[number]
            done.set_result(None)
        good = [number for number, one in finished.items() if one.verdict and one.verdict.reason is None]
        self._accepted += [number for number in good if not any(file.startswith(f"files/{number}/") for file in lost)]
        self._spread()

    def _decide(self, one: _Judged, client: str, finished: dict[int, _Judged]) -> str:
        """What the dispatch makes of it: the answer. No await in here: the changes of all belong together."""
        ticket = self.dispatch.board.tickets.get(one.report.ticket)
        if ticket is None:  # ended by another report of this very request
            return NOTED if one.verdict is None else "expired"
        stdout, stderr = printed(one.report.parts, "stdout"), printed(one.report.parts, "stderr")
        if one.verdict is None:
            self._fail(ticket, one, client, stdout, stderr)
            return NOTED
        reason = one.verdict.reason
        if reason is not None and not one.verdict.fault:
            printed_there = stdout or self.judges.stdout_of(one.report.parts)  # people look there for what was missed
            self.dispatch.attempts.reject(ticket.id, reason, one.usage, printed_there, stderr, self._files(one))
            log.info("task %d, ticket %d on %s: rejected: %s", ticket.task, ticket.id, ticket.host, reason)
            return f"rejected: {reason}"
        kept = self._kept_stdout(one.report.parts, stdout)
        if reason is not None:
            files = self._files(one)
            taken = self.dispatch.attempts.suspend(
                ticket.id, reason, one.outputs, one.usage, stderr, files, stdout=kept
            )
        else:
            taken = self.dispatch.attempts.accept(ticket.id, one.outputs, one.usage, stderr, stdout=kept)
        if taken:
            finished[ticket.task] = one
        return "accepted" if taken else "expired"

    def _kept_stdout(self, parts: Mapping[str, Part], stdout: bytes) -> bytes | None:
        """Standard output to store beside the results: empty where a result holds it, None where none was sent."""
        if self.judges.has_stdout:
            return b""
        return stdout if "stdout" in parts or WHOLE + "stdout" in parts else None

    def _files(self, one: _Judged) -> str | None:
        """Which files there were beside a result that is not good enough, as they are stored."""
        files = files_of(one.report.parts) if self.judges.wants_files else None
        return str(files) if files else None

    def _fail(self, ticket: Ticket, one: _Judged, client: str, stdout: bytes, stderr: bytes) -> None:
        parts = one.report.parts
        failure = failure_of(one.report.reason or "", exit_code_of(parts), stderr, files_of(parts))
        if self.dispatch.attempts.fail(self._clock(), ticket.id, failure, one.usage, stdout, client):
            log.info("task %d, ticket %d on %s failed: %s", ticket.task, ticket.id, ticket.host, failure.reason)

    async def _keep_files(self, finished: Mapping[int, _Judged]) -> tuple[list[FilesStaged], set[str]]:
        """First results get their files at once; those that replace others, when the database speaks of them.

        With them the files that were removed before they came to their place: at the end these sets are put back.
        """
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
        """Give files their places now that the database speaks of them."""
        for one in staged:
            await self._while_disk_is_full(partial(place_staged, self.folder, one.task, one.moves))
            await self.store.call(partial(writes.placed, task=one.task))

    async def _while_disk_is_full(self, work: Callable[[], T]) -> T:
        """Like the store, wait while the disk is full or refuses: the dispatch has these tasks as done already."""
        while True:
            try:
                return await asyncio.to_thread(work)
            except OSError as error:
                await self.store.disk.pause("a result", error, self.folder)

    @property
    def finishing(self) -> frozenset[int]:
        """The tasks that are done here and not yet in the store."""
        return frozenset(self._finishing)

    @property
    def is_idle(self) -> bool:
        """Whether all that is done here is on disk."""
        return not self._finishing

    async def all_finished(self, patience: float) -> bool:
        """Wait until all that is done here is on disk; False when that takes longer."""
        if not self._finishing:
            return True
        _, pending = await asyncio.wait(set(self._finishing.values()), timeout=patience)
        return not pending


async def place_left_over(store: Store, folder: Folder) -> None:
    """Give their places to files that a master that was killed left on their way."""
    for task, moves in (await store.call(writes.staged)).items():
        await asyncio.to_thread(place_staged, folder, task, moves)
        await store.call(partial(writes.placed, task=task))

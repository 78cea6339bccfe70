"""A run that goes on, as its pages ask about it: the memory of its master knows."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from ..desk.desk import Desk
from ..errors import SpeError
from ..model import TaskState
from ..state import blockers
from ..state.document import Picture
from ..state.why import why
from ..store.reader import Reader
from ..store.statistics import FailureGroup
from ..store.task_details import TaskDetail, TicketRow
from ..text import seconds
from .formats import clock
from .life import REASONS, Ask, Throughput, Waiting


class Running:
    """A run that goes on. Lives as long as its page."""

    is_over = False

    def __init__(self, desk: Desk, picture: Picture) -> None:
        self._desk, self._picture = desk, picture
        self.name = picture.name
        self.events = desk.events

    def document(self) -> dict[str, Any]:
        """Return the state of the sweep."""
        return self._picture.draw(self._desk.clock())

    async def throughput(self, ask: Ask) -> Throughput:
        """Return how many sets ended when."""
        history = self._desk.dispatch.tally.history
        bars = history.until(self._desk.clock())
        if not bars:
            # Not "in this run": a master that was restarted has forgotten what ended before.
            since = clock(self._picture.began)
            return Throughput([], history.width, f"No set has ended since this master began, {since}.")
        ago = time.time() - (history.began + self._picture.epoch)
        return Throughput(bars, history.width, f"Sets that ended, from {seconds(ago)} ago until now")

    async def reasons(self, ask: Ask) -> list[FailureGroup]:
        """Return the most frequent reasons of failed sets."""
        board = self._desk.dispatch.board
        if not board.in_state[TaskState.FAILED] + board.failed_before:
            return []
        found: list[FailureGroup] = await ask(lambda reader: reader.failure_groups())
        return found[:REASONS]

    def slots(self) -> Mapping[str, int]:
        """Return how many tasks each host can run at once."""
        cores = self._desk.dispatch.rules.cores
        clients = self._desk.dispatch.clients
        return {client.host: max(1, client.slots // cores) for client in clients}

    def begun(self) -> list[int] | None:
        """Return the tasks that have a slot."""
        return sorted({ticket.task for ticket in self._desk.dispatch.handout.begun()})

    def live(self, tickets: Sequence[TicketRow]) -> list[TicketRow]:
        """Return those of these attempts that run now."""
        return [one for one in tickets if self._desk.dispatch.board.is_live(one.id)]

    def why(self, reader: Reader, task: TaskDetail) -> list[str]:
        """Return why a set does not run now."""
        fleet = self._picture.fleet
        return why(reader, task, blockers.of(self._desk.dispatch, fleet.faults if fleet else {}))

    def command(self, task: TaskDetail) -> dict[str, Any]:
        """Return what a set runs.

        A set that is none of today's was made from another command, which is not known any more.
        """
        if not task.in_plan:
            return {"command": "", "inputs": [], "fault": "it is none of today's sets"}
        try:
            work = self._desk.brief.work(task.values)
        except (SpeError, KeyError) as error:
            return {"command": "", "inputs": [], "fault": str(error)}
        inputs = [(one.name, one.size) for one in work.inputs]
        return {"command": shlex.join(work.words), "inputs": inputs}

    def next(self, most: int) -> list[Waiting]:
        """Return the tasks that are handed out next."""
        board = self._desk.dispatch.board
        tasks = [board.tasks[number] for number in islice(board.waiting, most)]
        expected = self._desk.dispatch.handout.longest_first.expected
        return [Waiting(one.number, one.values, one.attempts, sorted(one.shunned), expected(one)) for one in tasks]

    async def notes(self, ask: Ask) -> list[tuple[int, dict[str, Any]]]:
        """Return what happened since the master began, the newest first."""
        return self.events.since()[::-1]

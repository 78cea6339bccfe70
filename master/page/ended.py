"""A run that is over, as its pages ask about it: the database alone knows. Nothing is written."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ..desk.events import Events
from ..errors import SpeError
from ..session.runners import who_runs
from ..state.why import why
from ..store.listing import Listing
from ..store.reader import Reader
from ..store.statistics import FailureGroup, Statistics
from ..store.task_details import TaskDetail, TicketRow
from .formats import clock
from .life import REASONS, Ask, Throughput, Waiting

BARS = 120  # stretches of time of the throughput
NOTES = 1000  # events on the page
SILENCE = 60.0  # seconds that a client which is lost was silent before the last word of others, at least
AGAIN = 2.0  # seconds between two looks whether the database has changed
Command = Callable[[TaskDetail], str]


class Ended:
    """A run that no master serves here. Lives as long as its page.

    Somebody may begin a run in its folder meanwhile, here or on another machine: its numbers follow.
    """

    is_over = True

    def __init__(self, folder: Path, command: Command) -> None:
        """`command` returns the command line of a set. Raises UsageError where nothing has run."""
        self.name = folder.name
        self.events = Events()
        self._folder, self._command = folder, command
        self._slots: dict[str, int] = {}
        self._seen: tuple[object, ...] = ()
        self._looked = 0.0
        self._document: dict[str, Any] = {}
        self._read()

    def _stamp(self) -> tuple[object, ...]:
        """Return what changes with the database."""
        found: list[object] = []
        for name in ("sweep.db", "sweep.db-wal"):
            try:
                status = (self._folder / name).stat()
                found.append((status.st_mtime_ns, status.st_size))
            except OSError:
                found.append(None)
        return tuple(found)

    def _read(self) -> None:
        stamp = self._stamp()
        with Reader(self._folder) as reader:
            statistics = reader.statistics()
            self._slots = Listing(reader).slots()
            began = float(reader.meta("used") or 0)
            aside = reader.aside()
        state = "running" if who_runs(self._folder) else "over"
        self._document = _document(self.name, state, statistics, self._slots, aside, began)
        self._seen = stamp

    def document(self) -> dict[str, Any]:
        """Return the state of the sweep; its database is read again when it has changed."""
        now = time.monotonic()
        if now - self._looked > AGAIN:
            self._looked = now
            try:
                if self._stamp() != self._seen:
                    self._read()
            except SpeError:
                pass  # it is being replaced, or gone: the page shows what it knew last
        return self._document

    async def throughput(self, ask: Ask) -> Throughput:
        """Return how many attempts of the last run ended when."""
        first, last, bars = await ask(lambda reader: Listing(reader).ends(BARS))
        if not bars:
            return Throughput([], 1.0, "No set ended in the last run.")
        caption = f"Attempts of the last run that ended, from {clock(first)} to {clock(last)}"
        return Throughput(bars, max(last - first, 1e-3) / BARS, caption)

    async def reasons(self, ask: Ask) -> list[FailureGroup]:
        """Return the most frequent reasons of failed sets."""
        found: list[FailureGroup] = await ask(lambda reader: reader.failure_groups())
        return found[:REASONS]

    def slots(self) -> Mapping[str, int]:
        """Return how many tasks each host could run at once in the last run."""
        return self._slots

    def begun(self) -> list[int] | None:
        """Return None: nobody knows which tasks have a slot."""
        return None

    def live(self, tickets: Sequence[TicketRow]) -> list[TicketRow]:
        """Return no attempt: none can be followed."""
        return []

    def why(self, reader: Reader, task: TaskDetail) -> list[str]:
        """Return why a set does not run now."""
        return why(reader, task, {})

    def command(self, task: TaskDetail) -> dict[str, Any]:
        """Return what a set ran."""
        try:
            return {"command": self._command(task), "inputs": [], "fault": ""}
        except SpeError as error:
            return {"command": "", "inputs": [], "fault": error.line}

    def next(self, most: int) -> list[Waiting]:
        """Return no task: nothing is handed out."""
        return []

    async def notes(self, ask: Ask) -> list[tuple[int, dict[str, Any]]]:
        """Return the newest events of all runs, the newest first."""

        def work(reader: Reader) -> list[tuple[int, dict[str, Any]]]:
            newest = deque(enumerate(reader.events(), 1), maxlen=NOTES)
            return list(islice(reversed(newest), NOTES))

        found: list[tuple[int, dict[str, Any]]] = await ask(work)
        return found


def _document(
    name: str,
    state: str,
    numbers: Statistics,
    slots: Mapping[str, int],
    aside: Mapping[str, str],
    began: float,
) -> dict[str, Any]:
    """Return the document of a run that no master tells about; what is unknown is left out."""
    sweep: dict[str, Any] = {
        "name": name,
        "state": state,
        "waiting": numbers.waiting,
        "running": numbers.running,
        "done": numbers.done,
        "failed": numbers.failed,
        "cancelled": numbers.cancelled,
        "total": numbers.total,
        "rate": 0.0,
        "slots": 0,
        "began": began,
        "paused": False,
    }
    if numbers.efficiency is not None:
        sweep["efficiency"] = round(numbers.efficiency, 2)
    hosts: dict[str, Any] = {}
    last = max((one.heard or 0.0 for one in numbers.hosts), default=0.0)
    for one in numbers.hosts:
        # A client that was lost fell silent while others went on, and took attempts with it.
        was_lost = one.lost > 0 and (one.heard or 0.0) < last - SILENCE
        has_ended = state == "over" and one.host not in aside and not was_lost
        hosts[one.host] = {
            "state": "ended" if has_ended else "gone",
            "slots": slots.get(one.host, 0),
            "running": 0,
            "done": one.tasks,
            "failed": one.failures,
            "lost": one.lost,
        }
        if one.heard:
            hosts[one.host]["word"] = int(one.heard)
        if one.host in aside:
            hosts[one.host]["why"] = aside[one.host]
    return {"sweep": sweep, "hosts": hosts, "tickets": {}, "failures": {}}

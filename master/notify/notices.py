"""The messages of one run: what the run looks like, what is due, and the facts that a message tells."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..desk.desk import Desk
from ..dispatch.shortfall import Reason
from ..errors import LaunchError, SpeError
from ..model import TaskState
from ..session.run_folder import RunFolder
from ..state.blockers import of as blockers_of
from ..state.progress import Progress
from ..state.why import sentences
from ..store.reader import Reader
from ..store.sessions import NOTIFIED
from .address_book import Target
from .courier import Courier, Marks
from .due import Decider, Due, Sight
from .message import Facts, Message, message

if TYPE_CHECKING:
    from ..dispatch.tally import HostTally

log = logging.getLogger("spe.notify")
PAUSE = 1.0  # seconds between two looks: the loop of a run turns with each result


class Notices:
    """Tells people of one run, from the moment at which its master serves clients."""

    def __init__(
        self, targets: Sequence[Target], name: str, desk: Desk, folder: RunFolder, progress: Progress
    ) -> None:
        """`name`: of the sweep."""
        self._targets, self._name = targets, name
        self._desk, self._folder, self._progress = desk, folder, progress
        self._began = self._next = time.monotonic()
        self._resumed = self._has_worked = False
        self._decider = Decider(targets)
        self._courier = Courier(Marks.read(""), self._save, self._tell)
        self._storing: asyncio.Task[None] | None = None  # asyncio itself keeps no task alive
        # What the run tells of itself, set when it begins to serve.
        self.interrupts: Callable[[], int] = lambda: 0  # how often people have told it to end
        self.awaits_hosts: Callable[[], bool] = lambda: False
        self.faults: Callable[[], Mapping[str, LaunchError]] = dict

    async def begin(self, resumed: bool) -> None:
        """Take up what was due and sent before, if this run goes on with one that was killed."""
        self._resumed = resumed
        marks = Marks.read(await self._desk.store.meta(NOTIFIED) if resumed else "")
        self._decider = Decider(self._targets, marks.due)
        self._courier = Courier(marks, self._save, self._tell)
        again = [Due(event, one) for one in self._targets for event in one.on]
        self._send([one for one in again if one.key in marks.due - marks.sent])

    def look(self, fed: int) -> None:
        """Send what is due by now. `fed`: sets that this run had to do so far. Cheap: often called."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + PAUSE
        if fed and not self._has_worked:
            self._has_worked = True
            if self._decider.begin_anew():
                self._courier.marks = Marks.read("")
                self._storing = asyncio.create_task(self._courier.store())
        self._send(self._decider.look(now, self._sight()))

    async def end(self, fed: int, left: int, because: Sequence[Reason] = (), why: str = "") -> None:
        """Send what is due at the end of the run, and wait a while until it is sent.

        `because`: why sets wait. `why`: what broke the run off.
        """
        self._next = 0.0
        self.look(fed)
        worked = bool(fed) or self._resumed or bool(why)
        due = self._decider.end(left or int(bool(why)), worked, bool(self.interrupts()))
        told = [one.line for one in because] or ([why] if why else [])
        self._send(due, told)
        before = self.interrupts()
        await self._courier.finish(lambda: self.interrupts() > before, self._progress.line)

    # -- what it looks like

    def _sight(self) -> Sight:
        dispatch = self._desk.dispatch
        board = dispatch.board
        hosts = list(dispatch.tally.hosts.values())
        ended = sum(one.done + one.failed for one in hosts)
        moves = board.handed_out + ended + sum(one.lost for one in hosts)
        waits = not board.waiting and not board.running and bool(board.back_offs.until)
        first = not board.handed_out and self.awaits_hosts()
        return Sight(
            left=self._left(),
            running=board.running,
            moves=moves,
            mean=_seconds(hosts) / ended if ended else 0.0,
            failed=board.in_state[TaskState.FAILED],
            is_quiet_for_good_reason=dispatch.steering.paused or waits or first,
            gave_up=board.draining and not self.interrupts(),
        )

    def _left(self) -> int:
        """Return how many sets wait or run, as far as they are counted."""
        board = self._desk.dispatch.board
        known = board.running + len(board.waiting) + len(board.back_offs)
        if not board.total:
            return known
        ended = sum(board.in_state[state] for state in (TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED))
        before = board.done_before + board.failed_before + board.cancelled_before
        return max(0, board.total - ended - before)

    # -- what it tells

    def _send(self, due: Sequence[Due], because: Sequence[str] = ()) -> None:
        if due:
            self._courier.expect(self._decider.marked)
        writings: dict[str, asyncio.Task[Message]] = {}
        for one in due:
            if one.event not in writings:
                told = list(because) or self._because(one.event)
                writings[one.event] = asyncio.create_task(self._write(one.event, told))
            self._courier.take(one, writings[one.event])

    async def _write(self, event: str, because: Sequence[str]) -> Message:
        return message(event, await self._facts(because), f"spe.{self._courier.marks.run}.{event}")

    def _because(self, event: str) -> list[str]:
        """Return why the run gives up, or why no host works."""
        if event == "given_up":
            return [one.line for one in self._desk.shortfall.explain(self._left())]
        if event == "stalled":
            return sentences(blockers_of(self._desk.dispatch, self.faults()))
        return []

    async def _facts(self, because: Sequence[str]) -> Facts:
        place = self._folder.last
        counts: dict[TaskState, int] = {}
        reasons: tuple[tuple[int, str], ...] = ()
        try:
            # In a thread, by a connection of its own: to group many failures takes a while, and a
            # full disk holds up all that goes through the writer.
            counts, reasons = await asyncio.to_thread(self._read)
        except (SpeError, OSError) as error:
            log.warning("the message is without reasons of failures: %s", error)
        return Facts(
            sweep=self._name,
            folder=str(place),
            project=str(_project(place)),
            host=socket.gethostname(),
            seconds=time.monotonic() - self._began,
            total=sum(counts.values()),
            done=counts.get(TaskState.DONE, 0),
            failed=counts.get(TaskState.FAILED, 0),
            cancelled=counts.get(TaskState.CANCELLED, 0),
            running=counts.get(TaskState.RUNNING, 0),
            waiting=counts.get(TaskState.WAITING, 0),
            reasons=reasons,
            because=tuple(because),
            continued=self._resumed,
        )

    def _read(self) -> tuple[dict[TaskState, int], tuple[tuple[int, str], ...]]:
        with Reader(self._folder, self._folder.database) as reader:
            counts = reader.counts()
            groups = reader.failure_groups() if counts[TaskState.FAILED] else []
            return counts, tuple((one.count, one.reason) for one in groups)

    async def _save(self, text: str) -> None:
        await self._desk.store.set_meta(NOTIFIED, text)

    def _tell(self, kind: str, sentence: str) -> None:
        self._desk.events.note(kind, sentence)
        if kind == "not_told":
            log.warning("%s", sentence)
            self._progress.warn(sentence)


def _seconds(hosts: Sequence[HostTally]) -> float:
    return sum(one.seconds for one in hosts)


def _project(folder: Path) -> Path:
    """Return the folder in which `spe` is called for this sweep."""
    return folder.parent.parent if folder.parent.name == "runs" else folder.parent

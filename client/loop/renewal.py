"""Renewal of originals that a program has changed, and the attempts that this costs: they are lost, not failed.

While an original is fetched again, nothing begins here. The program that changed it is not known yet, so each task
whose program had it linked is a suspect. At its next attempt here a suspect gets originals of its own: then only who
changes a file again is found guilty, and fails.
"""

from typing import Any, List, Optional, Set, Tuple

from .. import exits, log
from ..host.cache import InputCache, Worker
from ..host.originals import WORKER, Original
from ..task.attempt import Attempt
from ..wire.task_record import Task
from .hands import Hands
from .talker import Shared, Talker


class OriginalRenewal:
    """Lives as long as the client, and knows its originals. Its methods run in the loop's thread but for is_suspect."""

    def __init__(
        self, shared: Shared, hands: Hands, worker: Optional[Worker], original: Optional[Original], folder: str
    ) -> None:
        """`original`: the worker's. `folder`: where those of inputs are kept."""
        self.shared, self.hands, self.worker, self.original = shared, hands, worker, original
        self.files = InputCache(folder, needed=self._needed)
        self._under_way: Set[str] = set()  # keys of originals that are being fetched
        self._suspects: Set[str] = set()
        self._fault = ""  # why the latest one could not be fetched

    def is_under_way(self) -> bool:
        """Tell whether nothing may begin now."""
        return bool(self._under_way)

    def is_suspect(self, task: Task) -> bool:
        """Tell whether this task ran here with an original that was changed."""
        return bool(self._suspects) and _identity(task) in self._suspects

    def refresh(self, attempt: Attempt) -> None:
        """Give an attempt its originals as they are now, before it goes to a hand; or note why one is missing."""
        try:
            attempt.originals = {key: self.files.kept[key] for key in attempt.originals}
        except KeyError:
            attempt.reason = "an input file cannot be had again: %s" % self._fault

    def lost_among(self, ended: List[Attempt]) -> List[Attempt]:
        """Return the lost ones among these attempts, which the master is to have back. Their tasks are suspects."""
        lost = [one for one in ended if one.lost and not one.dropped]
        if lost:
            self._suspects.update(_identity(one.task) for one in lost)
        return lost

    def begin(self, plain: Tuple[Any, ...]) -> None:
        """Fetch a changed original again. Each hand that notices says so, perhaps when that is done already."""
        changed = Original(*plain)
        present = self.original if changed.key == WORKER else self.files.kept.get(changed.key)
        self.hands.tell("lose", plain)
        if present == changed and changed.key not in self._under_way:
            log.say("a program changed %s, which tasks share: it is fetched again" % changed.path)
            self._under_way.add(changed.key)
            Fetcher(self, changed.key).start()

    def end(self, came: Tuple[str, Optional[Original], str]) -> None:
        """Go on: (key, original, fault): the original is there again, or the fault says why not."""
        key, original, fault = came
        self._under_way.discard(key)
        self._fault = fault
        if original is not None and key == WORKER:
            self.original = original
            self.hands.tell("worker", tuple(original))

    def _needed(self) -> Set[str]:
        inputs = [two for one in list(self.shared.tickets.held.values()) for two in one.task.inputs]
        return {one.sha256 for one in inputs if one.sha256}


class Fetcher(Talker):
    """Fetches one original again. A thread, as the one that asks for tasks may be held by the master for long."""

    def __init__(self, renewal: OriginalRenewal, key: str) -> None:
        super().__init__(renewal.shared)
        self._renewal, self._key = renewal, key

    def talk(self) -> None:
        renewal = self._renewal
        original, fault = None, ""
        try:
            if self._key != WORKER:
                original = renewal.files.have(self.line, self._key)
            elif renewal.worker:
                original = renewal.worker.have(self.line)
        except OSError as trouble:
            fault = str(trouble)
            if self._key == WORKER:
                raise exits.Ending(exits.WORKER, "the worker cannot be had again: %s" % fault)
        self.inbox.tell("renewed", (self._key, original, fault))
        self.line.close()


def _identity(task: Task) -> str:
    """Return what tells a task's next attempt: its number, or its command where the master gives no numbers."""
    return task.number or repr(task.words)

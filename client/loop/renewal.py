"""Renewal of originals that a program has changed.

The attempts that this costs are lost, not failed.

While an original is fetched again, nothing begins here. The program that changed it is not known
yet, so each task whose program had it linked is a suspect. At its next attempt here a suspect gets
originals of its own: then only the program that changes a file again is found guilty, and fails.
"""

from typing import Any, List, Optional, Set, Tuple

from .. import exits, log
from ..shared.cache import Worker
from ..shared.inputs import InputCache
from ..shared.originals import WORKER, Original
from ..task.attempt import Attempt
from ..wire.task_record import Task
from .hands import Hands
from .talker import Shared, Talker


class OriginalRenewal:
    """The originals of this client and the renewals under way. Lives as long as the client.

    All methods but `is_suspect` run in the thread of the loop.
    """

    def __init__(
        self,
        shared: Shared,
        hands: Hands,
        worker: Optional[Worker],
        original: Optional[Original],
        folder: str,
    ) -> None:
        """Take the worker with its original, if there is one. Inputs are kept in `folder`."""
        self.shared, self.hands, self.worker, self.original = shared, hands, worker, original
        self.files = InputCache(folder, needed=self._needed)
        self._under_way: Set[str] = set()  # keys of originals that are being fetched
        self._suspects: Set[str] = set()
        self._fault = ""  # reason why the latest original could not be fetched

    def is_under_way(self) -> bool:
        """Tell whether nothing may begin now."""
        return bool(self._under_way)

    def is_suspect(self, task: Task) -> bool:
        """Tell whether this task ran here with an original that was changed."""
        return bool(self._suspects) and _identity(task) in self._suspects

    def refresh(self, attempt: Attempt) -> None:
        """Give an attempt its originals as they are now, before it goes to a hand.

        Where one could not be fetched again, the attempt fails for that reason.
        """
        try:
            attempt.originals = {key: self.files.kept[key] for key in attempt.originals}
        except KeyError:
            attempt.reason = "an input file cannot be had again: %s" % self._fault

    def lost_among(self, ended: List[Attempt]) -> List[Attempt]:
        """Return the lost ones among these attempts, which go back to the master.

        Their tasks are suspects.
        """
        lost = [one for one in ended if one.lost and not one.dropped]
        if lost:
            self._suspects.update(_identity(one.task) for one in lost)
        return lost

    def begin(self, plain: Tuple[Any, ...]) -> None:
        """Fetch a changed original again, given as the plain tuple that the hands have.

        Each hand that notices the change says so, perhaps when the renewal is done already.
        """
        changed = Original(*plain)
        present = self.original if changed.key == WORKER else self.files.kept.get(changed.key)
        # All hands, also those that have noticed nothing: their programs may have read wrong bytes.
        self.hands.tell("lose", plain)
        if present == changed and changed.key not in self._under_way:
            log.say("a program changed %s, which tasks share: it is fetched again" % changed.path)
            self._under_way.add(changed.key)
            Fetcher(self, changed).start()

    def end(self, came: Tuple[str, Optional[Original], str]) -> None:
        """Let attempts begin again: (key, original, fault).

        The fault says why there is no new original.
        """
        key, original, fault = came
        self._under_way.discard(key)
        self._fault = fault
        if original is not None and key == WORKER:
            self.original = original
            self.hands.tell("worker", tuple(original))

    def _needed(self) -> Set[str]:
        # A copy of the list, as other threads hold and release tickets meanwhile.
        inputs = [two for one in list(self.shared.tickets.held.values()) for two in one.task.inputs]
        return {one.key for one in inputs if one.key}


class Fetcher(Talker):
    """A thread that fetches one original again.

    The asking thread cannot do it: the master may hold its request for long.
    """

    def __init__(self, renewal: OriginalRenewal, changed: Original) -> None:
        super().__init__(renewal.shared)
        self._renewal, self._changed, self._key = renewal, changed, changed.key

    def talk(self) -> None:
        renewal = self._renewal
        original, fault = None, ""
        try:
            if self._key != WORKER:
                original = renewal.files.have(self.connection, self._key, self._changed)
            elif renewal.worker:
                original = renewal.worker.have(self.connection)
        except OSError as trouble:
            fault = str(trouble)
            if self._key == WORKER:  # without it nothing can run here; without an input, most can
                text = "the worker could not be fetched again: %s"
                raise exits.Ending(exits.WORKER, text % fault)
        self.inbox.tell("renewed", (self._key, original, fault))
        self.connection.close()


def _identity(task: Task) -> str:
    """Return what two attempts at one task share: its number, or its command where it has none."""
    return task.number or repr(task.words)

"""The client's part with the files that tasks share: an original that was changed is thrown away and brought again.

Meanwhile nothing begins here. What ran with it is lost: the master has it back, as if it had never been given out. Who
did it is not known yet, so all whose programs had begun are suspects, and have originals of their own the next time.
"""

from typing import TYPE_CHECKING, Any, List, Optional, Set, Tuple

from . import ends, log
from .cache import Files, Worker
from .originals import WORKER, Original
from .record import Task
from .slot import Attempt
from .talk import Talker

if TYPE_CHECKING:
    from .loop import Loop


class Mending:
    """As long as the client."""

    def __init__(self, loop: "Loop", worker: Optional[Worker], original: Optional[Original], folder: str) -> None:
        """`original`: the worker's. `folder`: where those of inputs are kept."""
        self.loop, self.worker, self.original = loop, worker, original
        self.files = Files(folder, needed=self._needed)
        self._under_way: Set[str] = set()  # keys of originals that are being brought again
        self._suspects: Set[str] = set()  # sets, by number
        self._fault = ""

    def is_under_way(self) -> bool:
        """Whether nothing may begin now."""
        return bool(self._under_way)

    def is_suspect(self, task: Task) -> bool:
        """Whether its set ran with an original that was changed."""
        return bool(self._suspects) and _identity(task) in self._suspects

    def renew(self, attempt: Attempt) -> None:
        """Before it goes to a hand: the originals as they are now."""
        try:
            attempt.originals = {key: self.files.kept[key] for key in attempt.originals}
        except KeyError:
            attempt.reason = "an input file cannot be had again: %s" % self._fault

    def without_lost(self, attempts: List[Attempt]) -> List[Attempt]:
        """Of those that have ended: the others."""
        lost = [one for one in attempts if one.lost and not one.dropped]
        if not lost:
            return attempts
        self._suspects.update(_identity(one.task) for one in lost)
        self.loop.give_up(lost, lost[0].lost)
        return [one for one in attempts if one not in lost]

    def heard(self, plain: Tuple[Any, ...]) -> None:
        """A hand says that this original was changed; others may say so later."""
        changed = Original(*plain)
        key = changed.key
        present = self.original if key == WORKER else self.files.kept.get(key)
        self.loop.hands.tell("lose", plain)
        if present == changed and key not in self._under_way:
            log.say("a program changed %s, which tasks share: it is brought again" % changed.path)
            self._under_way.add(key)
            Mender(self.loop, key).start()

    def mended(self, key: str, original: Optional[Original], fault: str) -> None:
        """It is there again, or why it is not."""
        self._under_way.discard(key)
        self._fault = fault
        if original is not None and key == WORKER:
            self.original = original
            self.loop.hands.tell("worker", tuple(original))

    def _needed(self) -> Set[str]:
        return {key for one in list(self.loop.held.values()) for key in (two.sha256 for two in one.task.inputs) if key}


class Mender(Talker):
    """Brings one original again."""

    def __init__(self, loop: "Loop", key: str) -> None:
        super().__init__(loop)
        self._key = key

    def talk(self) -> None:
        mending = self.loop.mending
        original, fault = None, ""
        try:
            if self._key != WORKER:
                original = mending.files.have(self.line, self._key)
            elif mending.worker:
                original = mending.worker.have(self.line)
        except OSError as trouble:
            fault = str(trouble)
            if self._key == WORKER:
                raise ends.Ending(ends.WORKER, "the worker cannot be had again: %s" % fault)
        self.loop.post(mending.mended, self._key, original, fault)
        self.line.close()


def _identity(task: Task) -> str:
    """Of its set; a master that tells no numbers is asked the same by its command."""
    return task.number or repr(task.words)

"""A hand's part with the files that its tasks share: it makes directories and compares originals."""

from typing import Any, Callable, Dict, List, Optional, Tuple

from .directory import prepare
from .originals import Changed, Original
from .place import Places
from .slot import LOST, Attempt, CannotRun


class Shares:
    """As long as its hand. The client is told of each original that was changed, and has it brought again."""

    def __init__(self, worker: Optional[Original], places: Places, say: Callable[[str, Any], None]) -> None:
        self._worker, self._places, self._say = worker, places, say

    def renew_worker(self, plain: Tuple[Any, ...]) -> None:
        """It was brought again."""
        self._worker = Original(*plain)

    def prepare(self, attempt: Attempt) -> None:
        """Make the directory of a task that is going to begin, if it has none; or give the reason why it can't."""
        if attempt.prepared or attempt.reason or attempt.dropped:
            return
        try:
            prepare(attempt, self._worker, self._places)
        except CannotRun as fault:
            attempt.reason = str(fault)
        except Changed as fault:
            self._tell([fault.original])

    def may_begin(self, attempt: Attempt) -> bool:
        """Whether all that it shares is as it was."""
        if not attempt.linked:
            return attempt.prepared
        changed = [original for _, original in attempt.changed()]
        self._tell(changed)
        return not changed

    def judge(self, ended: List[Attempt]) -> None:
        """After the end of attempts: those are lost whose originals were changed meanwhile."""
        for attempt in ended:
            if attempt.linked:
                self._tell(attempt.judge())

    def lose(self, plain: Tuple[Any, ...], running: Dict[int, Attempt]) -> None:
        """This original was changed: what runs with it is of no use, whatever it has read so far."""
        original = Original(*plain)
        for attempt in running.values():
            for name, one in attempt.linked:
                if one == original:
                    attempt.lost = LOST % name
                    attempt.stop()

    def _tell(self, changed: List[Original]) -> None:
        for original in changed:
            self._say("changed", tuple(original))

"""The files of a hand's tasks: directories are made here, and shared originals compared."""

from typing import Any, Callable, Dict, List, Optional, Tuple

from ..shared.originals import Changed, Original
from ..task.attempt import LOST, Attempt, CannotRun
from ..task.directory import prepare
from ..task.place import FreePlaces


class TaskFiles:
    """The files of all tasks of one hand. Lives as long as the hand.

    It tells the client of each changed original, and the client renews that.
    """

    def __init__(
        self, worker: Optional[Original], places: FreePlaces, say: Callable[[str, Any], None]
    ) -> None:
        """Serve one hand, which has this original of the worker.

        `say` sends a message to the client.
        """
        self._worker, self._places, self._say = worker, places, say

    def take_worker(self, plain: Tuple[Any, ...]) -> None:
        """Use this original of the worker, which the client has renewed, from now on."""
        self._worker = Original(*plain)

    def prepare(self, attempt: Attempt) -> None:
        """Make the directory of an attempt that has none, or note the reason why that fails.

        Where an original has changed, the client is told and the attempt stays unprepared.
        """
        if attempt.prepared or attempt.reason or attempt.dropped:
            return
        try:
            prepare(attempt, self._worker, self._places)
        except CannotRun as fault:
            attempt.reason = str(fault)
        except Changed as fault:
            self._tell([fault.original])

    def may_begin(self, attempt: Attempt) -> bool:
        """Tell whether the directory is there and all originals that it links to are unchanged."""
        if not attempt.linked:  # nothing to compare, as for all tasks with small files
            return attempt.prepared
        # A tree has too many files for a second look: its end finds what was changed before its start.
        changed = [original for _, original in attempt.changed(with_trees=False)]
        self._tell(changed)
        return not changed

    def judge(self, ended: List[Attempt]) -> None:
        """Compare the originals of attempts of which nothing runs any more."""
        for attempt in ended:
            if attempt.linked:
                self._tell(attempt.judge())

    def lose(self, plain: Tuple[Any, ...], running: Dict[int, Attempt]) -> None:
        """End the attempts that run with a changed original: nobody knows what they have read."""
        original = Original(*plain)
        # Only what runs: the originals of the others are compared before their start.
        for attempt in running.values():
            for name, one in attempt.linked:
                if one == original:
                    attempt.lost = LOST % name
                    attempt.stop()

    def _tell(self, changed: List[Original]) -> None:
        for original in changed:
            self._say("changed", tuple(original))

"""Why a run ends with sets that still wait: collected while it runs, said at its end, kept for `spe status`. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ..record import record

META = "waiting_because"  # of the store: what `written` makes, "" while a run goes on
FAULT = (
    "they were not handed out, and that is a fault of spe: please report it, with master.log of this folder; "
    "`spe run` tries them again"
)


@record
class Reason:
    """One reason why sets wait, and how many of them it explains."""

    sets: int
    sentence: str

    @property
    def line(self) -> str:
        """For people."""
        return f"{self.sets} {'set waits' if self.sets == 1 else 'sets wait'}: {self.sentence}"


class Shortfall:
    """Told by whoever keeps sets from being handed out; lives as long as a run."""

    def __init__(self) -> None:
        self._counted: dict[str, int] = {}
        self._of_the_rest: list[str] = []

    def note(self, sentence: str, sets: int | None = None) -> None:
        """So many sets will wait at the end; None: all that nothing else explains.

        `sentence` has no full stop and is about the run, as in "the run was interrupted".
        """
        if sets is not None:
            self._counted[sentence] = self._counted.get(sentence, 0) + sets
        else:
            self._of_the_rest.append(sentence)

    def explain(self, waiting: int) -> tuple[Reason, ...]:
        """The reasons why so many sets wait, together for all of them.

        What nobody has explained is told as the fault of spe that it is. Of several reasons for the rest, the first
        one ended the run.
        """
        found: list[Reason] = []
        for sentence, sets in self._counted.items():
            explained = min(sets, waiting)
            waiting -= explained
            if explained:
                found.append(Reason(explained, sentence))
        if waiting:
            found.append(Reason(waiting, self._of_the_rest[0] if self._of_the_rest else FAULT))
        return tuple(found)


def records(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    """For programs."""
    return [{"sets": one.sets, "reason": one.sentence} for one in reasons]


def written(reasons: Iterable[Reason]) -> str:
    """As the store keeps them."""
    return json.dumps(records(reasons))


def read(text: str) -> tuple[Reason, ...]:
    """What `written` made."""
    return tuple(Reason(one["sets"], one["reason"]) for one in json.loads(text or "[]"))

"""Reasons why a run ends with sets that wait: collected while it runs, told at its end and by `spe status`. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ..record import record
from ..text import counted

META = "waiting_because"  # setting of the store: the text that `written` makes, "" while a run goes on
GIVEN_UP = "the sweep is given up (stop_after)"  # how that reason begins
FAULT = (
    "they were not handed out, and that is a fault of spe: please report it, with master.log of this folder; "
    "`spe run` tries them again"
)


@record
class Reason:
    """A reason why sets wait, and the number of sets that it explains."""

    sets: int
    sentence: str

    @property
    def line(self) -> str:
        """The reason as a sentence for people."""
        return f"{counted(self.sets, 'set waits', 'sets wait')}: {self.sentence}"


class Shortfall:
    """The reasons of one run, collected from all parts that keep sets from being handed out."""

    def __init__(self) -> None:
        self._counted: dict[str, int] = {}
        self._of_the_rest: list[str] = []

    def note(self, sentence: str, sets: int | None = None) -> None:
        """Add a reason why sets will wait at the end. `sets`: how many; None for all that nothing else explains.

        `sentence` has no full stop and is about the run, as in "the run was interrupted".
        """
        if sets is not None:
            self._counted[sentence] = self._counted.get(sentence, 0) + sets
        else:
            self._of_the_rest.append(sentence)

    def explain(self, waiting: int) -> tuple[Reason, ...]:
        """Return the reasons why `waiting` sets wait; their numbers add up to it.

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
    """Return the reasons for programs: a list of objects with `sets` and `reason`."""
    return [{"sets": one.sets, "reason": one.sentence} for one in reasons]


def written(reasons: Iterable[Reason]) -> str:
    """Return the reasons as the store keeps them: JSON text."""
    return json.dumps(records(reasons))


def read(text: str) -> tuple[Reason, ...]:
    """Return the reasons of which `written` made this text."""
    return tuple(Reason(one["sets"], one["reason"]) for one in json.loads(text or "[]"))

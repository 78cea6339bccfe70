"""The files that lay in the directory of a task when it failed: as a client tells them, as they are stored and shown.

The names are foreign: they are words to be shown and never a path of anything. What is no such line is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..record import record
from ..text import printable, volume

MOST, MOST_BYTES = 100, 8000  # files that are kept of an attempt, bytes of all their lines
LARGEST = 10**18 - 1  # what a line can say
_LINE = re.compile(r"(-|[0-9]{1,18}) (.+)")
SUMMED_UP = 10  # files that a sentence names
_MORE = re.compile(r"([+>])([0-9]{1,18})")


@record
class Left:
    """One file; folders end in `/`, links in `@`, and these have no size."""

    name: str
    size: int | None


@record
class Leftovers:
    """What there was: some of it by name, the rest as a number."""

    files: tuple[Left, ...]
    more: int = 0
    at_least: bool = False  # nobody counted to the end

    def lines(self) -> list[str]:
        """For people, one a line."""
        named = [f"{volume(one.size):>10}  {one.name}" for one in self.files]
        return [*named, *([f"and {self._more(self.more)}"] if self.more else [])]

    def summary(self) -> str:
        """For people, the first ones in one sentence."""
        first = self.files[:SUMMED_UP]
        named = [one.name if one.size is None else f"{one.name} ({volume(one.size)})" for one in first]
        others = self.more + len(self.files) - len(first)
        return ", ".join([*named, *([self._more(others)] if others else [])]) or "nothing"

    def _more(self, count: int) -> str:
        return f"{'more than ' if self.at_least else ''}{count} more"

    def __str__(self) -> str:
        """As it comes and is stored: a line `SIZE NAME` each, then `+N` or `>N` for the others."""
        return "".join([_line(one) for one in self.files]) + f"{'>' if self.at_least else '+'}{self.more}\n"


def parse(text: str) -> Leftovers | None:
    """What was told, bounded and made harmless; None when nothing was."""
    told, at_least = list[Left](), False
    more: int | None = None
    for line in text.split("\n"):
        if found := _LINE.fullmatch(line):
            told.append(Left(printable(found[2]), None if found[1] == "-" else int(found[1])))
        elif found := _MORE.fullmatch(line):
            more, at_least = int(found[2]), found[1] == ">"
    if not told and more is None:
        return None
    kept = list(_that_fit(told))
    return Leftovers(tuple(kept), min(LARGEST, (more or 0) + len(told) - len(kept)), at_least)


def _that_fit(files: Sequence[Left]) -> Iterator[Left]:
    room = MOST_BYTES
    for one in files[:MOST]:
        room -= len(_line(one).encode())
        if room >= 0:
            yield one


def _line(one: Left) -> str:
    return f"{'-' if one.size is None else one.size} {one.name}\n"

"""Files that lay in the directory of a task when it failed: as a client lists them, stored and shown.

The names are foreign: they are words to be shown and never a path of anything. Other lines in a list
are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..record import record
from ..text import printable, volume

MOST = 100  # files that are kept of an attempt
MOST_BYTES = 8000  # bytes of all lines
LARGEST = 10**18 - 1  # largest size that a line can have
SUMMED_UP = 10  # files that a sentence names
_LINE = re.compile(r"(-|[0-9]{1,18}) (.+)")
_MORE = re.compile(r"([+>])([0-9]{1,18})")


@record
class Left:
    """A file that was left; folders end in `/`, links in `@`, and these have no size."""

    name: str
    size: int | None


@record
class Leftovers:
    """The files of one directory: some by name, the others as a number."""

    files: tuple[Left, ...]
    more: int = 0
    at_least: bool = False  # there were too many to count

    def lines(self) -> list[str]:
        """Return the files for people, one a line."""
        lines = [_row(one) for one in self.files]
        if self.more:
            lines.append(f"and {self._more(self.more)}")
        return lines

    def summary(self) -> str:
        """Return the first files for people, in one sentence."""
        first = self.files[:SUMMED_UP]
        words = [_words(one) for one in first]
        others = self.more + len(self.files) - len(first)
        if others:
            words.append(self._more(others))
        return ", ".join(words) or "nothing"

    def _more(self, count: int) -> str:
        if self.at_least:
            return f"more than {count} more"
        return f"{count} more"

    def __str__(self) -> str:
        """Return the list as clients send it: lines `SIZE NAME`, then `+N` or `>N` for the others."""
        sign = ">" if self.at_least else "+"
        return "".join([_line(one) for one in self.files]) + f"{sign}{self.more}\n"


def _size(one: Left) -> str:
    if one.size is None:
        return ""
    return volume(one.size)


def _row(one: Left) -> str:
    return f"{_size(one):>10}  {one.name}"


def _words(one: Left) -> str:
    if one.size is None:
        return one.name
    return f"{one.name} ({_size(one)})"


def parse(text: str) -> Leftovers | None:
    """Return the list that a client sent, bounded and made harmless; None when it sent none."""
    lines = text.split("\n")
    listed = [_left(found) for found in _matches(_LINE, lines)]
    counts = _matches(_MORE, lines)
    if not listed and not counts:
        return None
    kept = list(_bounded(listed))
    more, at_least = _last_count(counts)
    # Capped: a client could send so many digits that the sum fits no column.
    return Leftovers(tuple(kept), min(LARGEST, more + len(listed) - len(kept)), at_least)


def _matches(pattern: re.Pattern[str], lines: Sequence[str]) -> list[re.Match[str]]:
    return [found for found in map(pattern.fullmatch, lines) if found]


def _left(found: re.Match[str]) -> Left:
    name = printable(found[2])
    if found[1] == "-":
        return Left(name, None)
    return Left(name, int(found[1]))


def _last_count(counts: Sequence[re.Match[str]]) -> tuple[int, bool]:
    """Return (number of other files, whether there may be still more)."""
    if not counts:
        return 0, False
    last = counts[-1]
    return int(last[2]), last[1] == ">"


def _bounded(files: Sequence[Left]) -> Iterator[Left]:
    """Yield the files that fit into MOST lines and MOST_BYTES bytes."""
    room = MOST_BYTES
    # The room never grows again: once it is used up, all files behind are only counted.
    for one in files[:MOST]:
        room -= len(_line(one).encode())
        if room >= 0:
            yield one


def _line(one: Left) -> str:
    size = "-" if one.size is None else one.size
    return f"{size} {one.name}\n"

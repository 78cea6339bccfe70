"""Words and numbers for people: sizes, durations, rates, counts, foreign text made harmless,
and near spellings."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence

ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
#: Lengths of words with their number of slips that still count as near. Two slips in four letters
#: make another word: `slots` and `stop`.
_SLIPS = ((3, 1), (6, 1), (10, 2))
_MOST_SLIPS = 3
_SHORTEST_BEGINNING = 4  # letters of an abbreviation, such as `param` for `parameters`
NAMED = 10  # numbers or names in one message: more than a line of a terminal is not read


def set_counts(
    done: int,
    total: int,
    failed: int,
    running: int,
    waiting: int,
    *,
    cancelled: int = 0,
    paused: int = 0,
    others: Sequence[tuple[int, str]] = (),
) -> str:
    """Return how many sets are in which state, in the words of `run`, `attach`, `status` and `top`.

    `paused` are counted apart from the running ones, among which they are. `others`: further
    numbers with their words. What most sweeps do not have is not told as 0: the line is read at a
    glance.
    """
    parts = [f"{done} of {total} sets done", f"{failed} failed"]
    parts += [f"{count} {what}" for count, what in ((cancelled, "cancelled"), *others) if count]
    if running or waiting:
        parts.append(f"{running - paused} running")
        if paused:
            parts.append(f"{paused} paused")
        parts.append(f"{waiting} waiting")
    return ", ".join(parts)


def rate(per_second: float) -> str:
    """Return a rate per second, minute or hour, whichever gives a number of 1 or more."""
    for unit, seconds in (("s", 1), ("min", 60)):
        if per_second * seconds >= 1:
            return f"{per_second * seconds:.3g}/{unit}"
    return f"{per_second * 3600:.3g}/h"


def span(seconds: float) -> str:
    """Return an estimated length of time, rounded to one unit: `40 s`, `6 min`, `3 h`, `2 days`."""
    for unit, size, until in (("s", 1, 90), ("min", 60, 5400), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds / 86400)} days"


def span_between(least: float, most: float) -> str:
    """Return a range of estimated seconds in one unit: `81 to 108 s`, `4 to 6 min`, `3 h`.

    It is the largest unit in which the range is still two units wide, so that rounding does not
    change its width much; of lengths far above a unit, that unit is too fine for a guess.
    """
    units = (("days", 86_400.0, math.inf), ("h", 3600.0, 172_800.0), ("min", 60.0, 36_000.0), ("s", 1.0, 600.0))
    fitting = [one for one in units if most <= one[2]]
    wide = (one for one in fitting if most - least >= 2 * one[1] and most >= one[1])
    unit, size, _ = next(wide, fitting[-1])
    low, high = round(least / size), round(most / size)
    return f"{high} {unit}" if low == high else f"{low} to {high} {unit}"


def seconds(value: float | None) -> str:
    """Return a measured length of time: `0.25 s`, `12 s`, `3 min 5 s`, `2 h 10 min`; "" for None."""
    if value is None:
        return ""
    if value < 10:
        return f"{value:.3g} s"
    whole = round(value)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def time_of_day(moment: float | None) -> str:
    """Return seconds since 1970 as a local time, `14:35:02`; "" when unknown."""
    if not moment:
        return ""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def volume(size: float | None) -> str:
    """Return a number of bytes in powers of 1000: `1 byte`, `70 kB`, `1.0 GB`; "" for None."""
    if size is None:
        return ""
    if size < 1000:
        return counted(int(size), "byte")
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000:
            return f"{_digits(size)} {unit}"
    return f"{_digits(size / 1000)} TB"


def _digits(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"


def counted(count: int, one: str, many: str = "") -> str:
    """Return the count with the words that fit it: `1 set waits`, `3 sets wait`.

    An empty `many` stands for `one` with an s.
    """
    if count == 1:
        return f"1 {one}"
    return f"{count} {many or one + 's'}"


def ordinal(number: int) -> str:
    """Return `first`, `second`, …, `tenth`, `11th`, `22nd`."""
    if 1 <= number <= len(ORDINALS):
        return ORDINALS[number - 1]
    ending = "th"
    if number % 100 not in (11, 12, 13):
        ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def sets(count: int) -> str:
    """Return `1 set` or `3 sets`."""
    return counted(count, "set")


_ADDRESS = re.compile(r"\b\d+(\.\d+){3}\b|(?<![\w:])[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F]+\b")


def without_host(text: str, host: str) -> str:
    """Return a text about a host without what differs from host to host: its name and addresses."""
    named_host = rf"(?<![\w.-]){re.escape(host)}(?![\w-]|\.\w)"
    return _ADDRESS.sub("ADDRESS", re.sub(named_host, "HOST", text))


def named(things: Sequence[int] | Sequence[str], most: int = NAMED) -> str:
    """Return `3, 5 and 8`; of more than `most` numbers or names the first ones and how many more there are."""
    words = [str(thing) for thing in things[:most]]
    more = len(things) - len(words)
    if more:
        return f"{', '.join(words)} and {more} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def printable(text: str) -> str:
    """Return foreign text without characters that could steer a terminal.

    Tabs and line ends become blanks, the others `·`.
    """
    if text.isprintable():
        return text
    blank = text.replace("\n", " ").replace("\t", " ")
    return "".join(char if char.isprintable() else "·" for char in blank)


def shown(values: Mapping[str, str], between: str = " ") -> str:
    """Return a parameter set in one line: `x=1 y=a`."""
    return between.join(f"{name}={value}" for name, value in values.items())


def said(values: Mapping[str, str]) -> str:
    """Return a parameter set in one line of a sentence: `x=1, y=a`."""
    return shown(values, ", ")


def clean_name(name: str) -> str:
    """Return a text made into the name of a folder."""
    return re.sub(r"[^\w .+=-]", "-", name).strip(" .-")[:100].strip(" .-") or "sweep"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is nearest to a misspelt one; "" where none is near.

    Near are words with few slips: a letter too many, too few, wrong, or two that changed places.
    The longer the word, the more slips. So is the only word that begins with the misspelt one.
    Unlike `difflib`, no words that merely share letters: `--retries` is not near `--fresh`.
    """
    candidates = sorted(set(known))
    by_slips = [(slips(_plain(word), _plain(one)), one) for one in candidates]
    best = min(by_slips, default=(_MOST_SLIPS + 1, ""))
    # Another letter in two is another word; one too many or too few is a slip.
    if len(_plain(word)) == 2 and best[0] == 1 and len(_plain(best[1])) == 2:
        return ""
    if best[0] <= _allowed(word):
        return best[1]
    begin = _plain(word)
    if len(begin) < _SHORTEST_BEGINNING:
        return ""
    found = [one for one in candidates if _plain(one).startswith(begin)]
    return found[0] if len(found) == 1 else ""


def slips(word: str, other: str) -> int:
    """Return the number of slips between two words: the optimal string alignment distance."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(word, 1):
        before, above, row = row, before, [at]
        for column, wanted in enumerate(other, 1):
            cost = min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != wanted))
            swapped = at > 1 and column > 1 and word[at - 2] == wanted and letter == other[column - 2]
            if swapped:
                cost = min(cost, above[column - 2] + 1)
            row.append(cost)
    return row[-1]


def _plain(word: str) -> str:
    """Return a word without what people do not look at: dashes in front, case, `_` for `-`."""
    return word.lstrip("-").lower().replace("_", "-")


def _allowed(word: str) -> int:
    """Return the number of slips that a word of this length may have."""
    length = len(_plain(word))
    if length < 2:
        return 0
    for longest, count in _SLIPS:
        if length <= longest:
            return count
    return _MOST_SLIPS

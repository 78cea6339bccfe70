"""Words and numbers for people: sizes, durations, rates, counts, and foreign text made harmless."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

NAMED = 10  # numbers in one message: more than a line of a terminal is not read


def rate(per_second: float) -> str:
    """Return a rate in the first unit that gives at least 1: `3.2/s`, `12/min`, `0.5/h`."""
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600)):
        if per_second * seconds >= 1 or unit == "h":
            return f"{per_second * seconds:.3g}/{unit}"
    raise AssertionError


def span(seconds: float) -> str:
    """Return a length of time in one unit: `85 s`, `3 min`, `2 days`."""
    # Each unit serves until 1.5 of the next one (hours until 2 days): sooner, 80 s would read `1 min`.
    for unit, size, until in (("s", 1, 90), ("min", 60, 5400), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds / 86400)} days"


def printable(text: str) -> str:
    """Return foreign text with a blank for each character that could steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def human(size: float) -> str:
    """Return a size as people write it: `1 byte`, `70 kB`, `1.0 GB`."""
    if size == 1:
        return "1 byte"
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return _with_unit(size, unit, unit == "bytes" or size >= 10)
        size /= 1000  # powers of 1000: as disks are sold and as `df -H` counts
    return f"{size:.1f} GB"


def _with_unit(value: float, unit: str, whole: bool) -> str:
    """Return the value as a whole number or with one digit behind the point."""
    digits = 0 if whole else 1
    return f"{value:.{digits}f} {unit}"


def time_of_day(moment: float | None) -> str:
    """Return seconds since 1970 as local time, `14:03:59`; "" when unknown."""
    if not moment:
        return ""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def named(numbers: Sequence[int]) -> str:
    """Return `3, 5 and 8`; of many numbers the first ten and how many more there are."""
    words = [str(number) for number in numbers[:NAMED]]
    more = len(numbers) - len(words)
    if more:
        return f"{', '.join(words)} and {more} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def sets(count: int) -> str:
    """Return `1 set` or `3 sets`."""
    if count == 1:
        return "1 set"
    return f"{count} sets"


def size(count: int) -> str:
    """Return a size in a short form for tables: `900 B`, `1.5 kB`, `3.0 TB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return _with_unit(value, unit, unit == "B" or value >= 100)
        value /= 1000
    return f"{value:.1f} TB"


def duration(seconds: float) -> str:
    """Return a length of time in the largest unit that it has at least two of."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def seconds(value: float | None) -> str:
    """Return seconds as people say them: `0.25 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
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


def volume(size: float | None) -> str:
    """Return bytes with three digits: `512 bytes`, `1.53 GB`; "" when unknown."""
    if size is None:
        return ""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            digits = f"{size:.3g}" if unit != "bytes" else str(int(size))
            return f"{digits} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def said(values: Mapping[str, str]) -> str:
    """Return a parameter set as a sentence has it: `x=1, y=a`."""
    return ", ".join(f"{name}={value}" for name, value in values.items())


def shown(values: Mapping[str, str]) -> str:
    """Return a parameter set as a table has it: `x=1 y=a`."""
    return " ".join(f"{name}={value}" for name, value in values.items())


def clean_name(name: str) -> str:
    """Return a text made into a name that a folder can have, at most 100 characters long."""
    # Stripped twice: the cut at 100 characters may leave a blank or a dot at the end.
    return re.sub(r"[^\w .+=-]", "-", name).strip(" .-")[:100].strip(" .-") or "sweep"

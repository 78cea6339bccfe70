"""Words and numbers for people: sizes, durations, rates, counts of things, and text from outside made harmless."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

NAMED = 10  # numbers in one message


def rate(per_second: float) -> str:
    """In the unit that gives a number to read."""
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600)):
        if per_second * seconds >= 1 or unit == "h":
            return f"{per_second * seconds:.3g}/{unit}"
    raise AssertionError


def span(seconds: float) -> str:
    """A length of time in one unit."""
    for unit, size, until in (("s", 1, 90), ("min", 60, 5400), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds / 86400)} days"


def printable(text: str) -> str:
    """What a program said, without what could move the cursor."""
    return "".join(char if char.isprintable() else " " for char in text)


def human(size: float) -> str:
    """1.0 GB, 70 kB: for people."""
    if size == 1:
        return "1 byte"
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def time_of_day(moment: float | None) -> str:
    """Seconds since 1970 as a local time for people; "" when unknown."""
    return time.strftime("%H:%M:%S", time.localtime(moment)) if moment else ""


def named(numbers: Sequence[int]) -> str:
    """Return `3, 5 and 8`; of many numbers the first ten and how many more there are."""
    words = [str(number) for number in numbers[:NAMED]]
    more = len(numbers) - len(words)
    if more:
        return f"{', '.join(words)} and {more} more"
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def sets(count: int) -> str:
    """Return `1 set` or `3 sets`."""
    return "1 set" if count == 1 else f"{count} sets"


def size(count: int) -> str:
    """Bytes for people."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds for people."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def seconds(value: float | None) -> str:
    """As people say it: 0.25 s, 12 s, 3 min 5 s, 2 h 10 min."""
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
    """Bytes in powers of 1000."""
    if size is None:
        return ""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}" if unit != "bytes" else f"{int(size)} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def said(values: Mapping[str, str]) -> str:
    """A parameter set in one line."""
    return ", ".join(f"{name}={value}" for name, value in values.items())


def shown(values: Mapping[str, str]) -> str:
    """`x=1 y=a`."""
    return " ".join(f"{name}={value}" for name, value in values.items())


def clean_name(name: str) -> str:
    """A text made into the name of a folder."""
    return re.sub(r"[^\w .+=-]", "-", name).strip(" .-")[:100].strip(" .-") or "sweep"

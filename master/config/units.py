"""Durations and sizes as people write them: `10min`, `1.5 h`, `64 kB`, `2 GiB`."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-zA-Z]*)\s*\Z")

# In lower case, as the text is compared: people write `10 Min` and `2H`, too.
_SECONDS = {
    1.0: ("", "s", "sec", "secs", "second", "seconds"),
    0.001: ("ms",),
    60.0: ("m", "min", "mins", "minute", "minutes"),
    3600.0: ("h", "hour", "hours"),
    86400.0: ("d", "day", "days"),
}
_DURATIONS = {unit: seconds for seconds, units in _SECONDS.items() for unit in units}
# `kB` is 1000 and `KiB` is 1024, as the standards have it; `KB` cannot be told from `kB`.
_SIZES = {"": 1, "b": 1} | {
    prefix + ending: base**power
    for power, prefix in enumerate("kmgt", start=1)
    for ending, base in (("", 1000), ("b", 1000), ("ib", 1024))
}


def duration(text: str) -> float:
    """Return the seconds of `10min`, `30`, `2h`, `90s`, `1.5 h`.

    Raises ValueError for anything else.
    """
    return _value(text, _DURATIONS)


def size(text: str) -> int:
    """Return the bytes of `10 GB`, `64 kB`, `2 GiB`, `500`. Raises ValueError for anything else."""
    return round(_value(text, _SIZES))


def _value(text: str, units: dict[str, float] | dict[str, int]) -> float:
    """Return the number times its unit."""
    match = _NUMBER.match(text)
    if not match or match[2].lower() not in units:
        raise ValueError(text)
    return float(match[1]) * units[match[2].lower()]

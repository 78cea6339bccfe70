"""The settings of a farm that stand in its hosts file: `setting half_life=1d jobs_per_host=4`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..config import units
from ..errors import ConfigError
from ..record import record
from ..text import nearest

MOST_JOBS_PER_HOST = 1000


@record
class _Kind:
    """A setting: how its text is read, which numbers it takes, and an example."""

    read: Callable[[str], float]
    least: float
    most: float
    example: str


def _part(text: str) -> float:
    """Return a part of the whole: `90%` or `0.9`."""
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


#: Name -> what it takes. `interval` is the watchers', the others are in `farm.Settings`.
KINDS: Mapping[str, _Kind] = {
    "half_life": _Kind(units.duration, 60.0, 366 * 86_400.0, "1d"),
    "long": _Kind(units.duration, 1.0, 366 * 86_400.0, "1h"),
    "long_share": _Kind(_part, 0.0, 1.0, "90%"),
    "interval": _Kind(units.duration, 1.0, 600.0, "10s"),
    "jobs_per_host": _Kind(int, 1, MOST_JOBS_PER_HOST, "8"),
}


def parse_setting(name: str, text: str, place: str) -> float:
    """Return the value of a setting. Raises ConfigError, which names the place."""
    kind = KINDS.get(name)
    if kind is None:
        near = nearest(name, KINDS)
        hint = f"Did you mean {near}? " if near else ""
        todo = f"{hint}There are {', '.join(KINDS)}."
        raise ConfigError(f"there is no setting {name!r}", where=place, todo=todo)
    todo = f"Write it like: setting {name}={kind.example}"
    try:
        value = kind.read(text)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{name}={text} cannot be read", where=place, todo=todo) from error
    # NaN fails both comparisons.
    if not kind.least <= value <= kind.most:
        raise ConfigError(f"{name}={text} is too small or too large", where=place, todo=todo)
    return value

"""The time of `spe run --until 18:00`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from ..config.units import duration
from ..errors import UsageError

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def moment(text: str, now: datetime) -> float:
    """Return the time that a text names, in seconds since 1970.

    `18:00` is the next one, `2026-12-24 18:00` that one, `2h` is from now. Raises UsageError.
    """
    where = f"--until {text}"
    try:
        if found := _CLOCK.fullmatch(text):
            day = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
            return (day if day > now else day + timedelta(days=1)).timestamp()
        if "-" in text:
            then = datetime.fromisoformat(text)
            if then.timestamp() <= now.timestamp():
                raise UsageError("this time is over", where=where, todo="Name one that is to come.")
            return then.timestamp()
        return now.timestamp() + duration(text)
    except (ValueError, OverflowError) as error:
        todo = "Write it like --until 18:00, --until '2026-12-24 18:00' or --until 2h ."
        raise UsageError(f"{text!r} is no time", where=where, todo=todo) from error

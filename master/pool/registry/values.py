"""Checks that a row fits into every kind of database.

SQLite takes what PostgreSQL and MariaDB refuse or round. So each row is checked before it is
committed: a farm that works on SQLite works on the others.
"""

from __future__ import annotations

import math
from typing import Any

LARGEST = 2**63 - 1
DEFAULT_LENGTH = 100  # characters
#: Characters of text columns by name, or by `table.name` where one table differs.
LENGTHS = {
    "hosts.name": 253,  # the longest name in DNS
    "settings.value": 4000,
    "also": 500,
    "boot": 64,
    "exclude": 4000,
    "groups": 500,
    "host": 253,
    "hosts": 4000,
    "info": 200,
    "labels": 500,
    "licences": 500,
    "mail": 254,
    "only": 2000,
    "outcome": 500,
    "place": 253,
    "reason": 300,
    "role": 16,
    "sha256": 64,
    "state": 32,
    "text": 1000,
}


class UnfitRow(ValueError):
    """A row that not every kind of database would store and return as it is."""


def length(table: str, column: str) -> int:
    """Return the most characters that a text column takes."""
    return LENGTHS.get(f"{table}.{column}", LENGTHS.get(column, DEFAULT_LENGTH))


def check(table: str, column: str, value: Any, is_key: bool) -> None:
    """Raise UnfitRow if this value cannot be stored in this column."""
    reason = ""
    if isinstance(value, str):
        reason = _text(value, length(table, column), is_key)
    elif isinstance(value, float):
        reason = "" if math.isfinite(value) else "it is not a finite number"
    elif isinstance(value, int):
        reason = "" if -LARGEST <= value <= LARGEST else "it has more than 63 bits"
    if reason:
        raise UnfitRow(f"{table}.{column} cannot be stored: {reason}")


def _text(value: str, most: int, is_key: bool) -> str:
    if len(value) > most:
        return f"it has {len(value)} characters, at most {most} are stored"
    if "\0" in value:
        return "it has a character NUL"
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        return "it is not Unicode"
    # MariaDB ignores blanks at the end when it compares keys, the others do not.
    if is_key and value.endswith(" "):
        return "it ends in a blank"
    return ""

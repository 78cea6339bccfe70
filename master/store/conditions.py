"""`seed <= 50 and mesh = 64`: what people write to filter a table, as conditions. Pure; SQL is made in listing.py."""

from __future__ import annotations

import re
from collections.abc import Collection

from ..errors import UsageError
from ..model import Kind
from ..record import record
from ..results.numerals import read

OPERATORS = ("<=", ">=", "!=", "=", "<", ">", "~")
MOST = 100  # conditions; SQLite takes no expression that is nested deeper than 1000
_ONE = re.compile(
    r"""\s*(?:"(?P<quoted>[^"]+)"|(?P<name>[^\s<>=!~",]+))\s*(?P<operator><=|>=|!=|==|=|<|>|~)\s*"""
    r"""(?:"(?P<text>[^"]*)"|(?P<value>[^\s",]+))\s*"""
)
_BETWEEN = re.compile(r"(?:and\b|,|&&)", re.IGNORECASE)


@record
class Condition:
    """What a column must be; `~` means "has this text in it"."""

    name: str
    operator: str
    value: str

    @property
    def number(self) -> float | None:
        """The value, if it is one; `inf` is one too."""
        found = read(self.value, Kind.FLOAT)
        return None if found is None or found.value is None else float(found.value)


def parse(text: str, names: Collection[str]) -> list[Condition]:
    """The conditions, all of which must hold. Raises UsageError that says what is wrong with them."""
    found: list[Condition] = []
    place = 0
    while text[place:].strip():
        one = _ONE.match(text, place)
        if not one:
            raise _unreadable(text[place:].strip())
        if len(found) == MOST:
            raise UsageError(f"these are more than {MOST} conditions", todo="Leave some of them out.")
        found.append(_condition(one, names))
        place = one.end()
        if text[place:].strip():
            between = _BETWEEN.match(text, place)
            if not between:
                raise _unreadable(text[place:].strip())
            place = between.end()
    return found


def _condition(one: re.Match[str], names: Collection[str]) -> Condition:
    name = one["quoted"] or one["name"]
    if name not in names:
        raise UsageError(f"there is no column {name}", todo=f"There are: {', '.join(names)}.")
    operator = "=" if one["operator"] == "==" else one["operator"]
    value = one["value"] if one["text"] is None else one["text"]
    condition = Condition(name, operator, value)
    if operator[0] in "<>" and condition.number is None:
        raise UsageError(f"{name} {operator} {value}: {value} is no number")
    return condition


def _unreadable(rest: str) -> UsageError:
    return UsageError(
        f"this is no condition: {rest}", todo=f"Write NAME {' or '.join(OPERATORS)} VALUE, several joined by `and`."
    )

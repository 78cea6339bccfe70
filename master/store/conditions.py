"""Conditions that people write to filter a table, `seed <= 50 and mesh = 64`: read, and made SQL.

Columns of the table are SQL here, too: conditions compare them, and listing.py sorts by them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ..errors import UsageError
from ..model import Kind
from ..record import record
from ..results.reading.numerals import read
from . import schema

OPERATORS = ("<=", ">=", "!=", "=", "<", ">", "~")
MOST = 100  # conditions; SQLite takes no expression that is nested deeper than 1000
_ONE = re.compile(
    r"""\s*(?:"(?P<quoted>[^"]+)"|(?P<name>[^\s<>=!~",]+))\s*(?P<operator><=|>=|!=|==|=|<|>|~)\s*"""
    r"""(?:"(?P<text>[^"]*)"|'(?P<other>[^']*)'|(?P<value>[^\s"',]+))\s*"""
)
_BETWEEN = re.compile(r"(?:and\b|,|&&)", re.IGNORECASE)


@record
class ColumnCondition:
    """A comparison of a column with a value; `~` means "has this text in it".

    `as_written`: the value was in quotes, so it equals only cells that are written in the same way.
    """

    name: str
    operator: str
    value: str
    as_written: bool = False

    @property
    def number(self) -> float | None:
        """Return the value as a number, None if it is none; `inf` is one."""
        found = read(self.value, Kind.FLOAT)
        if found is None or found.value is None:
            return None
        return float(found.value)


def parse(text: str, names: Collection[str]) -> list[ColumnCondition]:
    """Return the conditions of a text, all of which must hold. `names`: the columns that there are.

    Raises UsageError that says what is wrong with them.
    """
    found: list[ColumnCondition] = []
    place = 0
    while text[place:].strip():
        one = _ONE.match(text, place)
        if not one:
            raise _unreadable(text[place:].strip())
        if len(found) == MOST:
            raise UsageError(
                f"these are more than {MOST} conditions", todo="Leave some of them out."
            )
        found.append(_condition(one, names))
        place = one.end()
        if text[place:].strip():
            between = _BETWEEN.match(text, place)
            if not between:
                raise _unreadable(text[place:].strip())
            place = between.end()
    return found


def _condition(one: re.Match[str], names: Collection[str]) -> ColumnCondition:
    name = one["quoted"] or one["name"]
    if name not in names:
        raise UsageError(f"there is no column {name}", todo=f"There are: {', '.join(names)}.")
    operator = one["operator"].replace("==", "=")
    value = next(found for found in (one["text"], one["other"], one["value"]) if found is not None)
    if one["value"] in names:
        raise _unreadable(one[0].strip())  # two columns: this is no comparison with a value
    condition = ColumnCondition(name, operator, value)
    if operator in ("=", "!=") and one["value"] is None and condition.number is not None:
        condition = ColumnCondition(name, operator, value, as_written=True)
    if operator[0] in "<>" and condition.number is None:
        raise UsageError(f"{name} {operator} {value}: {value} is no number")
    return condition


def _unreadable(rest: str) -> UsageError:
    operators = " or ".join(OPERATORS)
    todo = f"Write NAME {operators} VALUE, several joined by `and`."
    return UsageError(f"this is no condition: {rest}", todo=todo)


# -- as SQL

READ_NUMBER = "spe_number"  # SQL's name for numerals.comparable
_TICKET = ("seconds", "host")  # columns of the attempt
_LIKE_NUMBERS = "[-+.0-9 ]*"


class Where:
    """Terms that rows must meet, as SQL, and the values to fill in; made for one question."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._terms: list[str] = []

    def add(self, term: str, *values: Any) -> None:
        """Ask for one thing more. `values`: for the question marks of `term`."""
        self._terms.append(term)
        self.values += values

    @property
    def sql(self) -> str:
        """Return all terms as one expression."""
        return " AND ".join(self._terms)


@record
class Columns:
    """The columns of a sweep's table as SQL, of a task `t` and its attempt `k`."""

    parameters: Collection[str]
    results: Collection[str]
    numeric: Collection[str]  # parameters that are numbers in all sets
    kinds: Mapping[str, str]  # kinds of the results

    def is_of_ticket(self, name: str) -> bool:
        """Tell whether a column is one of the attempt; a parameter of the same name goes before."""
        return name in _TICKET and name not in self.parameters

    def sql(self, name: str) -> str:
        """Return a column as SQL; a parameter of the same name goes before ours."""
        if name in self.parameters:
            return schema.cell(name)
        if name in self.results:
            return schema.output(name, as_number=False)
        return f"k.{name}" if name in _TICKET else f"t.{name}"

    def value(self, name: str) -> str:
        """Return a column as SQL: as a number where the store has the numbers of it."""
        own = name not in self.parameters and name not in self.results
        return self.sql(name) if own or not self._has_numbers(name) else self._number(name)

    def order(self, name: str, way: str) -> str:
        """Return SQL that orders by a column: numbers by their value, texts by their letters.

        In a column with both, texts are on the side of what is missing.
        """
        if name not in self.parameters and name not in self.results:
            return f"{self.sql(name)} {way}"
        by_number = f"{self._number(name)} {way}"
        return by_number if self._has_numbers(name) else f"{by_number}, {self.sql(name)} {way}"

    def add_condition(self, where: Where, one: ColumnCondition) -> None:
        """Ask for rows that meet a condition."""
        column, number = self.sql(one.name), one.number
        if one.operator == "~":
            where.add(f"instr({column}, ?) > 0", one.value)
        elif not self._is_text(one.name):
            where.add(f"{column} {one.operator} ?", one.value if number is None else number)
        elif one.operator[0] in "<>":
            where.add(f"{self._number(one.name)} {one.operator} ?", number)
        elif number is not None and not one.as_written:
            # The text as it is written, or any other spelling of the same number. IS instead of =,
            # as what is no number is NULL and must not be equal to this one.
            equal = f"({column} = ? OR {self._number(one.name)} IS ?)"
            where.add(equal if one.operator == "=" else f"NOT {equal}", one.value, number)
        else:
            where.add(f"{column} {one.operator.replace('!=', '<>')} ?", one.value)

    def _is_text(self, name: str) -> bool:
        return name in self.parameters or name in self.results or name == "host"

    def _has_numbers(self, name: str) -> bool:
        """Tell whether the store has the numbers of a parameter or result."""
        if name in self.parameters:
            return name in self.numeric
        return schema.is_number(self.kinds.get(name))

    def _number(self, name: str) -> str:
        """Return SQL for a parameter or result as a number, NULL where it is none.

        Where the store has no numbers of it (a parameter with other cells too, a result that is a
        text, a database of before), Python reads the texts that begin like a number: a microsecond
        each.
        """
        if not self._has_numbers(name):
            text = self.sql(name)
            return f"CASE WHEN {text} GLOB '{_LIKE_NUMBERS}' THEN {READ_NUMBER}({text}) END"
        if name in self.parameters:
            return schema.number_cell(name)
        # An int beyond 64 bits is stored as a text.
        beyond = f"iif(typeof(number) = 'text', {READ_NUMBER}(number), number)"
        column = schema.output(name, as_number=True)
        return column.replace("SELECT number", f"SELECT {beyond}", 1)

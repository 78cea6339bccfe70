"""A condition: an expression over the cells of a set, such as `x <= 5 or y == 'a'`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ...errors import ConfigError
from ...results.reading.foreign_numbers import has_decimal_comma
from .numbers import number, written_number

_MIXED = re.compile(r"not supported between instances|unsupported operand|concatenate")
Seen = int | float | str  # a cell as a condition sees it


class Condition:
    """The `where` of a sweep: an expression over the values, which are numbers where they look like
    numbers.
    """

    def __init__(self, text: str) -> None:
        """Raise ConfigError for what is no expression."""
        # Late: most sweeps have none, and these load jinja.
        from ..expression import condition
        from .compiled import check_condition, compiled, numeric_names

        self.names, tree, self._holds = condition(text)
        check_condition(tree, text)
        self.text = text
        self._compiled = compiled(tree, self.names)
        # Only where it names texts does it matter how a number was written: a million sets are read
        # faster as plain numbers.
        names_texts = "'" in text or '"' in text
        #: Names that are compared with numbers, and occur nowhere else.
        self.compared = numeric_names(tree)
        self._as_written = self.names - self.compared if names_texts else frozenset[str]()
        # The first set in which a value was compared as a text for its decimal comma: (name, value).
        self.decimal_comma: tuple[str, str] | None = None

    def holds(self, values: Mapping[str, str]) -> bool:
        """Tell whether it is true for these values. Raises ConfigError when that can't be told."""
        return self.is_true({name: self.sight(name)(values[name]) for name in self.names})

    def sight(self, name: str) -> Callable[[str], Seen]:
        """Return the function that makes of a cell what this condition sees: a number if it looks
        like one.

        Compared with a text (`x == '007'`), such a number is the text that was written.
        """
        return written_number if name in self._as_written else number

    def is_true(self, found: Mapping[str, Seen]) -> bool:
        """Tell whether it is true for values as it sees them.

        Raises ConfigError when that can't be told.
        """
        comma = self._decimal_comma(found)
        try:
            if self._compiled is None:
                return bool(self._holds(found))
            return bool(self._compiled.of_one(*[found[name] for name in self._compiled.names]))
        except Exception as error:  # the expression is the user's code: anything can come out of it
            todo = "Mend the expression, or the value."
            if comma:
                todo = (
                    f"{comma[0]} is {comma[1]!r}, a text: write numbers with a point, not a comma."
                )
            what = str(error)
            if isinstance(error, TypeError) and _MIXED.search(what):
                # Python names its own types there, and those of numbers.py.
                what = "a number and a text do not go together"
                todo = todo if comma else "Write a number without quotes, and a text with ==."
            raise ConfigError(f"{self.text!r} can't be told: {what}", todo=todo) from error

    def places(self, columns: Mapping[str, Sequence[Seen]]) -> Sequence[int] | None:
        """Return the places of the rows for which it is true, of values as it sees them.

        None where they have to be asked one by one: jinja alone knows the expression, or it cannot
        be told for one of them.
        """
        if self._compiled is None or not self.names:
            return None
        try:
            return self._compiled.places(
                zip(*(columns[name] for name in self._compiled.names), strict=True)
            )
        except Exception:  # whatever it is, `is_true` raises it again, for the row that it is about
            return None

    def _decimal_comma(self, values: Mapping[str, Seen]) -> tuple[str, str] | None:
        """Return name and value of a number with a decimal comma, which is a text here; else None."""
        for name, value in values.items():
            # A text that the expression itself names is meant as one: x == '1,5'.
            if isinstance(value, str) and has_decimal_comma(value) and value not in self.text:
                self.decimal_comma = self.decimal_comma or (name, value)
                return name, value
        return None

"""Values of parameters within expressions: texts that refuse to be taken for numbers.

`{{ x * 2 }}` would be 11 for 1, `x == 2` never true, and 22 less than 3: texts have these operators,
too, and mean another thing by them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, SupportsIndex

from ..results.reading.foreign_numbers import has_decimal_comma

_NUMBER = re.compile(r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eEdD][-+]?[0-9]+)?\s*\Z")


class NotANumber(ValueError):
    """An expression counts with a text."""


class Value(str):
    """The value of a parameter. Raises NotANumber where an operator would take it for a number."""

    name: str

    def __new__(cls, text: str, name: str) -> Value:
        made = super().__new__(cls, text)
        made.name = name
        return made

    def _refuse(self, operator: str = "") -> NoReturn:
        how = f"{self.name} | float"
        join = "; ~ joins texts" if operator == "+" else ""
        also = f", or {self.name} {operator} '…' for a text" if operator in ("==", "!=") else ""
        text = f"{self.name} is a text, also where it looks like a number"
        raise NotANumber(f"{text}: write {how}{also}{join}")

    def _would_mislead(self, other: Any) -> bool:
        """Tell whether an operator between these two reads like one between numbers."""
        if isinstance(other, str):
            return bool(_NUMBER.match(self) and _NUMBER.match(other))
        return isinstance(other, (int, float))

    # -- counting

    def __add__(self, other: Any) -> str:
        if self._would_mislead(other):
            self._refuse("+")
        return Value(super().__add__(other), self.name)

    def __radd__(self, other: Any) -> str:
        if not isinstance(other, str) or self._would_mislead(other):
            self._refuse("+")
        return Value(str(other) + str(self), self.name)

    def __mul__(self, other: Any) -> str:
        if _NUMBER.match(self):
            self._refuse()
        return Value(super().__mul__(other), self.name)

    __rmul__ = __mul__

    def _counted(self, other: Any) -> NoReturn:
        self._refuse()

    __sub__ = __rsub__ = __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _counted
    __pow__ = __rpow__ = _counted

    def __mod__(self, other: Any) -> str:
        if _NUMBER.match(self):
            self._refuse()
        return super().__mod__(other)

    def __rmod__(self, other: Any) -> str:
        if not isinstance(other, str):
            self._refuse()
        return other % str(self)

    def __neg__(self) -> NoReturn:
        self._refuse()

    __pos__ = __abs__ = __neg__

    def __round__(self, digits: int = 0) -> NoReturn:
        if has_decimal_comma(self):
            raise NotANumber(f"'{self}' has a decimal comma, and numbers have a point")
        self._refuse()

    # -- comparing

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (int, float)):
            self._refuse("==")
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        if isinstance(other, (int, float)):
            self._refuse("!=")
        return super().__ne__(other)

    __hash__ = str.__hash__

    def __lt__(self, other: Any) -> bool:
        if self._would_mislead(other):
            self._refuse()
        return super().__lt__(other)

    def __le__(self, other: Any) -> bool:
        if self._would_mislead(other):
            self._refuse()
        return super().__le__(other)

    def __gt__(self, other: Any) -> bool:
        if self._would_mislead(other):
            self._refuse()
        return super().__gt__(other)

    def __ge__(self, other: Any) -> bool:
        if self._would_mislead(other):
            self._refuse()
        return super().__ge__(other)

    # -- parts of it, which expressions count with as well

    def __iter__(self) -> Iterator[str]:
        return (Value(one, self.name) for one in super().__iter__())

    def __getitem__(self, place: SupportsIndex | slice) -> Value:
        return Value(super().__getitem__(place), self.name)


def like(value: Any, made: Any) -> Any:
    """Return what was made of a value: texts are values, too, also those in a list."""
    if not isinstance(value, Value):
        return made
    if type(made) is str:
        return Value(made, value.name)
    if type(made) in (list, tuple):
        return type(made)(like(value, one) for one in made)
    return made


def _method(name: str) -> Callable[..., Any]:
    plain = getattr(str, name)

    @functools.wraps(plain)
    def method(self: Value, *arguments: Any, **more: Any) -> Any:
        return like(self, plain(self, *arguments, **more))

    return method


#: All methods of a text that make texts of it.
_MAKERS = (
    "capitalize casefold center expandtabs format join ljust lower lstrip partition removeprefix "
    "removesuffix replace rjust rpartition rsplit rstrip split splitlines strip swapcase title "
    "translate upper zfill"
)
for _name in _MAKERS.split():  # as words it is read, and kept short
    setattr(Value, _name, _method(_name))

"""Immutable records, of some of which there are millions, and enums for the words in them.

Why not frozen dataclasses: they set each field through object.__setattr__, which costs more than
everything else about them, and each takes half a millisecond to compile when its module is loaded.
Records are frozen for the type checker, which is where a mistake would be noticed, and plain when
the program runs. Comparing, hashing and showing are written once here, not compiled for each class.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


class Word(StrEnum):
    """Base of enums whose members are texts.

    Hashed as a text: the hash of Enum is a call into Python, a dozen times for each task.
    """

    __hash__ = str.__hash__


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Make the class a dataclass with slots, compared, hashed and shown by its fields.

    The type checker refuses assignments to its fields; nothing checks them when the program runs.
    """
    made: Any = dataclass(slots=True, eq=False, repr=False)(cls)
    made._values = attrgetter(*made.__match_args__)
    made._shown = tuple(one.name for one in fields(made) if one.repr)  # secrets have repr=False
    made.__eq__ = _equal
    made.__hash__ = _hash
    made.__repr__ = _repr
    return made  # type: ignore[no-any-return]


def _equal(self: Any, other: Any) -> Any:
    # Two classes may have equal fields by chance: records of different classes never are equal.
    if type(other) is not type(self):
        return NotImplemented
    return self._values(self) == self._values(other)


def _hash(self: Any) -> int:
    return hash(self._values(self))


def _repr(self: Any) -> str:
    fields_shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shown)
    return f"{type(self).__qualname__}({fields_shown})"

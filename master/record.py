"""Immutable records, of some of which there are millions, and the words in them.

A frozen dataclass sets each field by a detour, which costs more than all else about it, and takes half a millisecond
to be made when its module is loaded. These are frozen for the type checker, which is where it would be noticed, and
plain when the program runs; what all records do alike is here, and not compiled for each.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


class Word(StrEnum):
    """One of a few words, hashed as a text: Enum's own hash is a call into Python, a dozen times for each task."""

    __hash__ = str.__hash__


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A class decorator: a dataclass with slots, compared, hashed and shown by its fields, that nobody changes."""
    made: Any = dataclass(slots=True, eq=False, repr=False)(cls)
    made._values = attrgetter(*made.__match_args__)
    made._shown = tuple(one.name for one in fields(made) if one.repr)
    made.__eq__, made.__hash__, made.__repr__ = _equal, _hash, _repr
    return made  # type: ignore[no-any-return]


def _equal(self: Any, other: Any) -> Any:
    return self._values(self) == self._values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(self._values(self))


def _repr(self: Any) -> str:
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._shown)})"

"""Immutable records of which millions are made, and the words in them.

A frozen dataclass sets each field by a detour, which costs more than all else about it. These are frozen for the type
checker, which is where it would be noticed, and plain when the program runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


class Word(StrEnum):
    """One of a few words, hashed as a text: Enum's own hash is a call into Python, a dozen times for each task."""

    __hash__ = str.__hash__


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """A class decorator: a dataclass with slots, compared and hashed by its fields, that nobody changes."""
    return dataclass(slots=True, unsafe_hash=True)(cls)

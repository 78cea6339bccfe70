"""Values of parameters and keys as Python programs give them, as a file would have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..config.config import Config
from ..config.keys import keys_of, unknown
from ..errors import UsageError
from ..text import nearest

Value = str | int | float | bool | Path
_SHAPES = {"grid", "zip", "list", "sample"}  # what stands below `parameters`
_UNTOLD: Any = object.__str__  # an object that does not say what it is has no other one
_NO_VALUE = {"NoneType", "NAType", "NaTType"}  # None, and what pandas has in its place


def set_of(given: Any) -> dict[str, Value]:
    """Return one parameter set with values as JSON has them. Raises UsageError for what is none."""
    if not isinstance(given, Mapping):
        todo = 'Write add({"x": 1}, {"x": 2}), or add(*sets) for a list of them.'
        raise UsageError(f"a set is no dict, but {_kind(given)}", where="add", todo=todo)
    for name in given:
        if not isinstance(name, str):
            todo = 'Write it as a text: {"x": 1}.'
            raise UsageError(f"the name {name!r} is no text", where="add", todo=todo)
    return {name: _cell(name, value) for name, value in given.items()}


def _cell(name: str, value: Any) -> Value:
    """Return the value of a parameter, by the rules of JSON lines. Raises UsageError."""
    found = scalar(value)
    kind = _kind(found)
    if kind:
        what = f"{name} is {kind}, and must be a text, a number, true or false"
        raise UsageError(what, where="add", todo="null, lists and objects are no values.")
    if isinstance(found, str):
        try:
            found.encode()
        except UnicodeEncodeError as error:
            what = f"{name} has half a character (a lone surrogate)"
            raise UsageError(what, where="add", todo="Write the whole one.") from error
    return found if isinstance(found, (str, int, float)) else str(found)


def as_text(value: Value) -> str:
    """Return a value as the text that the program gets: equal texts make equal sets."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def scalar(value: Any) -> Any:
    """Return a number of numpy as the one that it holds; anything else as it is."""
    return value.item() if getattr(value, "shape", None) == () else value


def _kind(value: Any) -> str:
    """Return what a value is that is no scalar; "" for one that is."""
    if type(value).__name__ in _NO_VALUE:
        return "null"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "bytes"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, Iterable) and not isinstance(value, (str, Path)):
        return "a list"
    # Paths, decimal numbers and dates say what they are.
    says_it = isinstance(value, (str, int, float)) or type(value).__str__ != _UNTOLD
    return "" if says_it else f"an object of {type(value).__name__}"


def check_keys(keys: Mapping[str, Any]) -> None:
    """Raise UsageError for a key that spe.yaml does not have."""
    known = keys_of(Config)
    for name in keys:
        if name not in known:
            todo = unknown(name, list(known)).todo
            if near := nearest(name, _SHAPES):
                todo = f"Did you mean {near}? Write parameters={{{near!r}: ...}}."
            raise UsageError(f"spe.Sweep has no {name}=", todo=todo)


def data(value: Any) -> Any:
    """Return plain mappings, lists and scalars, as a YAML file has them."""
    value = scalar(value)
    if isinstance(value, Mapping):
        return {str(name): data(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, range)):
        return [data(one) for one in value]
    return value if value is None or isinstance(value, (str, int, float)) else str(value)

"""Reads a parameter file of JSON lines (.jsonl, .ndjson): one object a line is one set.

All objects have the names of the first one. Numbers stay as they are written (1e-3, 0.10), texts are
their content, true and false are these words. A null, a list or an object is no value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...config.parameter_names import name_fault
from ...errors import ConfigError
from .parameter_file import Cells

SUFFIXES = (".jsonl", ".ndjson")
_CHUNK = 1 << 20  # bytes read at once


class _Number(str):
    """A number as it is written."""


class JsonLines:
    """A file of JSON lines: its names, read at once, and its rows, streamed as often as asked for."""

    def __init__(self, path: Path, shown: str) -> None:
        self.path = path
        self.shown = shown
        first = next(self._objects(), None)
        if first is None:
            raise ConfigError(
                "the file has no set",
                where=shown,
                todo='Write one object a line: {"x": 1, "y": "a"}.',
            )
        self.names: Cells = tuple(first[0])
        for name in self.names:
            if fault := name_fault(name):
                raise ConfigError(
                    fault, where=self._place(first[1]), todo="Rename it in all lines."
                )

    def rows(self) -> Iterator[tuple[Cells, int]]:
        """Yield each line's cells and its number. Raises ConfigError at the first that is wrong."""
        known = set(self.names)
        for found, line in self._objects():
            if found.keys() != known:
                raise self._other_names(found, line)
            yield tuple(self._cell(name, found[name], line) for name in self.names), line

    def has_nul(self) -> bool:
        """Tell whether a NUL may be in a value: JSON writes it as an escape."""
        with self.path.open("rb") as file:
            return any(b"\\u0000" in chunk for chunk in iter(lambda: file.read(_CHUNK), b""))

    def content(self) -> Iterator[bytes]:
        """Yield what the sets are made of: the names and the whole file as it is now."""
        yield repr(self.names).encode()
        with self.path.open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")

    def columns(self) -> None:
        """Return None: only reading all rows tells what the columns have."""

    def _objects(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield the object of each line that is not empty, with the number of the line."""
        decoder = json.JSONDecoder(
            parse_int=_Number, parse_float=_Number, parse_constant=_Number, object_pairs_hook=_Pairs
        )
        try:
            with self.path.open("rb") as file:
                for line, content in enumerate(file, 1):
                    if content.strip():
                        yield self._object(content, line, decoder), line
        except OSError as error:
            todo = "Name a file that is there, relative to spe.yaml."
            raise ConfigError(
                f"can't be read: {error.strerror}", where=self.shown, todo=todo
            ) from error

    def _object(self, content: bytes, line: int, decoder: json.JSONDecoder) -> dict[str, Any]:
        todo = 'Write one object a line: {"x": 1, "y": "a"}.'
        try:
            found = decoder.decode(content.decode("utf-8-sig" if line == 1 else "utf-8").strip())
        except UnicodeDecodeError as error:
            what = "this line is not UTF-8"
            raise ConfigError(
                what, where=self._place(line), todo="Save the file as UTF-8."
            ) from error
        except (ValueError, RecursionError) as error:
            what = f"this line is no JSON: {error}"
            raise ConfigError(what, where=self._place(line), todo=todo) from error
        if not isinstance(found, _Pairs) or not found:
            raise ConfigError(
                "this line is no JSON object with names", where=self._place(line), todo=todo
            )
        names = [name for name, _ in found]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            what = f"the name {twice} is there twice"
            raise ConfigError(what, where=self._place(line), todo="Keep one of them.")
        return dict(found)

    def _cell(self, name: str, value: Any, line: int) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str):
            kind = (
                "null" if value is None else "an object" if isinstance(value, _Pairs) else "a list"
            )
            what = f"{name} is {kind}, and must be a text, a number, true or false"
            raise ConfigError(what, where=self._place(line), todo='Write it as a text: "…".')
        try:
            value.encode()
        except UnicodeEncodeError as error:
            what = f"{name} has half a character (a lone surrogate)"
            raise ConfigError(what, where=self._place(line), todo="Write the whole one.") from error
        return str(value)

    def _other_names(self, found: dict[str, Any], line: int) -> ConfigError:
        missing = [name for name in self.names if name not in found]
        more = [name for name in found if name not in self.names]
        what = f"this line has no {missing[0]}" if missing else f"this line has {more[0]}, too"
        what += f"; the first one has {', '.join(self.names)}"
        return ConfigError(what, where=self._place(line), todo="Give every line the same names.")

    def _place(self, line: int) -> str:
        return f"{self.shown}:{line}"


class _Pairs(list[tuple[str, Any]]):
    """The names and values of an object, in its order; a dict would hide a name that is there twice."""

"""The data of spe.yaml, which knows its lines: mappings, lists and texts.

Apart from yaml_file.py, which reads it, because a sweep of a command line has a document too, but
no file: it does not load PyYAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Data = Any  # YamlMap | YamlList | str | Quoted


class Quoted(str):
    """A text that stands in quotes in the file: it is meant as it is."""


class YamlMap(dict[str, Data]):
    """A mapping that knows the line of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}
        self.empty: set[str] = set()  # keys written with no value at all, or with null


class YamlList(list[Data]):
    """A list that knows the line of each entry."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []


class Document:
    """The data of one file, and the line of each key."""

    def __init__(self, name: str, data: YamlMap) -> None:
        self.name = name
        self.data = data
        self.overridden: set[str] = set()  # keys that the command line gave
        # Path of a key -> the option that gave it, as it was typed.
        self.options: Mapping[tuple[str | int, ...], str] = {}

    def where(self, *path: str | int) -> str:
        """Return the place of a path of keys, such as `spe.yaml:12: parameters.grid`.

        The line is as deep as the file goes: that of the last key that is there.
        """
        shown = ".".join(map(str, path))
        # A line of the file would send people to a value that does not count.
        if path and path[0] in self.overridden:
            return self._option(path) or f"command line: {shown}"
        line = self.line(*path)
        place = self.name
        if line:
            place = f"{self.name}:{line}"
        return f"{place}: {shown}" if shown else place

    def _option(self, path: tuple[str | int, ...]) -> str:
        """Return the option that gave a key, or the nearest one above it; "" for none."""
        above = (self.options.get(path[:depth]) for depth in range(len(path), 0, -1))
        return next(filter(None, above), "")

    def line(self, *path: str | int) -> int:
        """Return the line of a key, or of the deepest part of the path that is in the file."""
        line = 0
        here = self.data
        for step in path:
            line, here = _into(here, step, line)
        return line


def _into(here: Data, step: str | int, line: int) -> tuple[int, Data]:
    """Return the line and the data one step deeper; None as data where the file does not go on."""
    if isinstance(here, YamlMap) and str(step) in here:
        return here.lines.get(str(step), line), here[str(step)]
    if isinstance(here, YamlList) and isinstance(step, int) and step < len(here):
        return here.lines[step], here[step]
    return line, None

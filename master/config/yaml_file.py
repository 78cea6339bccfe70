"""Reads a YAML file as plain data with line numbers: mappings, lists and texts, nothing else.

A plain scalar stays the text that was written: `1e-3`, `0.10`, `012`, `1:30` and `no` are what they
look like, and what a key wants is decided in config.py. What makes a file hard to read for people
is refused by name: anchors, tags, merge keys, a key given twice. Only this module uses PyYAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from .document import Data, Document, YamlList, YamlMap

# Where YAML counts a new line: fewer would be found by "\n" alone, and a fault may stand in the last one.
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


def read(path: Path) -> Document:
    """Read a YAML file whose top is a mapping. Raises ConfigError with the line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(
            "this line is not UTF-8", where=f"{path.name}:{line}", todo="Save the file as UTF-8."
        ) from error
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", where=str(path)) from error
    return parse(text, path.name)


def parse(text: str, name: str) -> Document:
    """Return the document in a text. Raises ConfigError with the line."""
    data = _Composer(text, name).document()
    return Document(name, data)


class _Composer:
    """Builds the data of one file from the parser's events."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.events = self._parsed()

    def document(self) -> YamlMap:
        """Return the mapping at the top of the file."""
        event = next(self.events)
        if event is None:
            return YamlMap()
        data = self._node(event)
        if not isinstance(data, YamlMap):
            raise self._error(
                event, "the file is not a mapping", "Write `key: value` lines, at least `command:`."
            )
        if (more := next(self.events)) is not None:
            raise self._error(more, "a second document begins here", "Remove the `---` line.")
        return data

    def _parsed(self) -> Iterator[Any]:
        """Yield the events that matter, and None twice at the end."""
        # libyaml is faster, but PyYAML may be built without it.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        skipped = (
            yaml.StreamStartEvent,
            yaml.DocumentStartEvent,
            yaml.DocumentEndEvent,
            yaml.StreamEndEvent,
        )
        try:
            for event in yaml.parse(self.text, Loader=loader):
                if not isinstance(event, skipped):
                    yield event
        except yaml.YAMLError as error:
            raise self._syntax(error) from error
        yield None  # in place of the first document
        yield None  # in place of a second one

    def _node(self, event: Any) -> Data:
        """Return the data that begins with this event."""
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            todo = f"Write the value out; a text that begins with {sign} goes in quotes."
            raise self._error(
                event, f"anchors and aliases ({sign}{event.anchor}) are not used here", todo
            )
        if event.tag is not None and event.tag != "!":
            raise self._error(
                event,
                f"tags ({event.tag}) are not used here",
                "Write the plain value; a text with ! in quotes.",
            )
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping()
        return self._sequence() if isinstance(event, yaml.SequenceStartEvent) else event.value

    def _mapping(self) -> YamlMap:
        """Return a mapping with the lines of its keys."""
        found = YamlMap()
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key, line = self._key(event), event.start_mark.line + 1
            # PyYAML takes the last one silently.
            if key in found:
                todo = f"Keep one of the two (the first is in line {found.lines[key]})."
                raise self._error(event, f"the key {key} is given twice", todo)
            value = next(self.events)
            if (
                isinstance(value, yaml.ScalarEvent)
                and not value.style
                and value.value in ("", "~", "null")
            ):
                found.empty.add(key)
            found[key], found.lines[key] = self._node(value), line
        return found

    def _key(self, event: Any) -> str:
        """Return a key, which must be a plain name."""
        if not isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)):
            raise self._error(
                event,
                "a key must be a plain name",
                self._hint(event.start_mark.line) or "Write `name: value`.",
            )
        key = self._node(event)
        if key == "<<":
            raise self._error(event, "merge keys (<<) are not used here", "Write the keys out.")
        return str(key)

    def _sequence(self) -> YamlList:
        """Return a list with the lines of its entries."""
        found = YamlList()
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            found.lines.append(event.start_mark.line + 1)
            found.append(self._node(event))
        return found

    def _error(self, event: Any, what: str, todo: str) -> ConfigError:
        """Return the error with the line of an event."""
        return ConfigError(what, where=f"{self.name}:{event.start_mark.line + 1}", todo=todo)

    def _syntax(self, error: yaml.YAMLError) -> ConfigError:
        """Return the error for what is not YAML, with the usual causes in plain words."""
        mark = getattr(error, "problem_mark", None)
        line = mark.line if mark else self.text[: getattr(error, "position", 0)].count("\n")
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        if "\\t" in problem or re.match(r" *\t", self._written(line)):
            return ConfigError(
                "a tab character stands where YAML wants spaces",
                where=f"{self.name}:{line + 1}",
                todo="Replace the tab by spaces.",
            )
        todo = (
            self._hint(line)
            or "Mind the indentation; a text with `: `, `#` or quotes in it goes in quotes."
        )
        return ConfigError(
            f"not readable as YAML: {problem}", where=f"{self.name}:{line + 1}", todo=todo
        )

    def _written(self, line: int) -> str:
        """Return the text of a line, counted from 0."""
        return [*_BREAK.split(self.text), ""][line]

    def _hint(self, line: int) -> str:
        """Return the hint for a value that begins with `{{`, which YAML takes for a mapping."""
        if "{{" in self._written(line):
            return "A value that begins with {{ goes in quotes: '{{ name }} …'."
        return ""

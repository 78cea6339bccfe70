"""Reads a YAML file as plain data with line numbers: mappings, lists and texts, nothing else.

A plain scalar stays the text that was written: `1e-3`, `0.10`, `012`, `1:30` and `no` are what they
look like, and what a key wants is decided in config.py. What makes a file hard to read for people
is refused by name: anchors, tags, merge keys, a key given twice. Only this module uses PyYAML.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from .document import Data, Document, Quoted, YamlList, YamlMap

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


def written(data: Mapping[str, Any]) -> str:
    """Return a mapping as the text of a YAML file, which reads back as it is."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=sys.maxsize)


class _Dumper(yaml.SafeDumper):
    """Writes a text with signs that YAML takes for line ends, or that nobody sees, in escapes."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if not text.isprintable() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


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
        # One file is one sweep: whoever has a second document there expects that it counts.
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
        self._refuse_anchor(event)
        # "!" alone is the tag of a quoted text, which the parser itself gives.
        if event.tag is not None and event.tag != "!":
            raise self._error(
                event,
                f"tags ({event.tag}) are not used here",
                "Write the plain value; a text with ! in quotes.",
            )
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping()
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence()
        return Quoted(event.value) if event.style in ("'", '"') else event.value

    def _refuse_anchor(self, event: Any) -> None:
        """Raise ConfigError for an anchor or an alias.

        With them a value stands in another line than its key, and ten lines can hold a billion
        entries.
        """
        is_alias = isinstance(event, yaml.AliasEvent)
        if is_alias or event.anchor:
            sign = "*" if is_alias else "&"
            todo = f"Write the value out; a text that begins with {sign} goes in quotes."
            what = f"anchors and aliases ({sign}{event.anchor}) are not used here"
            raise self._error(event, what, todo)

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
            if _is_empty(value):
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
        line = self._line_of(error)
        # The words of PyYAML and of libyaml differ: one says in `problem` what the other one says
        # in `reason`.
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        where = f"{self.name}:{line + 1}"
        if "\\t" in problem or "\t" in self._indentation(line):
            what = "a tab character stands where YAML wants spaces"
            return ConfigError(what, where=where, todo="Replace the tab by spaces.")
        todo = "Mind the indentation; a text with `: `, `#` or quotes in it goes in quotes."
        return ConfigError(
            f"not readable as YAML: {problem}", where=where, todo=self._hint(line) or todo
        )

    def _line_of(self, error: yaml.YAMLError) -> int:
        """Return the line of a syntax error, counted from 0."""
        mark = getattr(error, "problem_mark", None)
        if mark:
            line: int = mark.line
            return line
        # A character that YAML does not allow has a position, and no mark.
        return self.text[: getattr(error, "position", 0)].count("\n")

    def _indentation(self, line: int) -> str:
        """Return the white space with which a line begins."""
        text = self._text_of(line)
        return text[: len(text) - len(text.lstrip())]

    def _text_of(self, line: int) -> str:
        """Return a line; an empty one behind the last, where the parser wanted more."""
        return [*_BREAK.split(self.text), ""][line]

    def _hint(self, line: int) -> str:
        """Return the hint for a value that begins with `{{`, which YAML takes for a mapping."""
        text = self._text_of(line)
        if "{{" in text:
            return "A value that begins with {{ goes in quotes: '{{ name }} …'."
        return ""


def _is_empty(value: Any) -> bool:
    """Tell whether a key has no value at all, or null. An empty text in quotes is a value."""
    if not isinstance(value, yaml.ScalarEvent) or value.style:
        return False
    return value.value in ("", "~", "null")

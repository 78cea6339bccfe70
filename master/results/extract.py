"""From the bytes that a program wrote to the value of a result: text, number, JSON, regex, dotted path.

Pure, given bytes or a file. A text of any size costs at most a look at its head. A regex may run for ever:
what has one is extracted in the hook process (hooks.py), where it can be killed.
What makes a whole set of results acceptable is judge.py's affair.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..model import Kind, ResultSpec
from ..record import record
from ..text import volume
from .numerals import read

HEAD = 64 * 1024  # what a cell of text holds at most, and what the database keeps inline: bytes of the source
JSON_CELL = 1_000_000  # bytes that a cell of JSON has at most: half a document is none, so nothing is cut there
SEARCHED = 64 * 1024 * 1024  # the largest result that json, path or regex look into; it is read whole
CHUNK = 1024 * 1024

JSON_SPACE = re.compile(r'("[^"\\]*+(?:\\.[^"\\]*+)*+")|[ \t\r\n]+')  # possessive: no memory for ways back


class Refused(ValueError):
    """The bytes do not give the value that the specification asks for; the message is the reason, in one line."""


@record
class Part:
    """One part of a client's report as it arrived: small ones in memory, large ones in a file."""

    name: str
    data: bytes | None
    path: Path | None
    size: int

    @classmethod
    def of(cls, name: str, data: bytes) -> Part:
        """A part that is in memory."""
        return cls(name, data, None, len(data))

    @property
    def is_there(self) -> bool:
        """Whether it can be read: nobody has removed its file."""
        return self.path is None or self.path.exists()

    def read(self, limit: int = -1) -> bytes:
        """The first `limit` bytes, or all of them."""
        if self.data is not None:
            return self.data if limit < 0 else self.data[:limit]
        with self._source().open("rb") as stream:
            return stream.read(limit)

    def chunks(self) -> Iterator[bytes]:
        """All bytes in pieces, in constant memory."""
        if self.data is not None:
            yield self.data
            return
        with self._source().open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    def _source(self) -> Path:
        if self.path is None:
            raise ValueError(f"part {self.name} has neither data nor a path")
        return self.path


def is_verbatim(spec: ResultSpec) -> bool:
    """Whether the result is the bytes themselves, not something found in them."""
    return spec.regex is None and spec.path is None


def extract(part: Part, spec: ResultSpec, file: str | None) -> str:
    """The cell of the table. `file`: where the bytes will lie, for the notes of what is too long for a cell."""
    if spec.kind is Kind.FILE:
        return file or ""
    if spec.kind is Kind.TEXT and is_verbatim(spec):
        return _head(part, file)
    text = _found(_text(part, spec), spec)
    if spec.kind in (Kind.INT, Kind.FLOAT):
        return _number(text.strip(), spec)
    if spec.kind is Kind.JSON and spec.path is None:
        _parsed(text, spec)
        text = JSON_SPACE.sub(lambda match: match[1] or "", text.removeprefix("\ufeff"))
    if spec.kind is Kind.JSON or isinstance(text, _Document):
        return _whole(text, spec)
    return _cut(text, part.size, file)


def without_newline(text: str) -> str:
    """What a cell loses: one line end, of either kind."""
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def shown(text: str) -> str:
    """A value as a reason quotes it: one line, not too long."""
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _head(part: Part, file: str | None) -> str:
    head = part.read(HEAD + 2)  # two more: a line end that the cell loses anyway
    if part.size <= len(head):
        text = head.decode("utf-8", "replace")
        cell = without_newline(text)
        if part.size - (len(text) - len(cell)) <= HEAD:
            return cell
    whole_characters = codecs.getincrementaldecoder("utf-8")("replace").decode(head[:HEAD])
    return whole_characters + _note(part.size, file)


def _cut(text: str, size: int, file: str | None) -> str:
    return text if len(text) <= HEAD else text[:HEAD] + _note(size, file)


def _whole(text: str, spec: ResultSpec) -> str:
    size = len(text.encode())
    if size > JSON_CELL:
        found = f" at {spec.path}" if spec.path else ""
        raise Refused(
            f"{size:,} bytes of JSON{found} in {spec.source}: a cell has at most 1 MB. "
            f"Take the whole file with `as: file`, or less of it with `path`"
        )
    return str(text)


def _note(size: int, file: str | None) -> str:
    return f" … ({volume(size)} in all, in {file})" if file else f" … ({volume(size)} in all)"


def _text(part: Part, spec: ResultSpec) -> str:
    plain_number = spec.kind in (Kind.INT, Kind.FLOAT) and is_verbatim(spec)
    if part.size > (HEAD if plain_number else SEARCHED):
        most = f"{_a(spec.kind)} has at most 64 kB" if plain_number else "regex, path and json look into at most 64 MB"
        raise Refused(f"{volume(part.size)} in {spec.source}: {most}")
    strict = spec.regex is None and not plain_number  # JSON is UTF-8, or it is not JSON
    try:
        return part.read().decode("utf-8", "strict" if strict else "replace")
    except UnicodeDecodeError as fault:
        raise Refused(f"{spec.source} is not JSON: byte {fault.start} is not UTF-8") from None


def _found(text: str, spec: ResultSpec) -> str:
    """Regex first, path second: a JSON text may stand in the middle of other output."""
    if spec.regex is not None:
        text = _match(text, spec)
    return text if spec.path is None else _at(text, spec)


def _match(text: str, spec: ResultSpec) -> str:
    """The first match counts: its first group that took part, or the whole match where there are no groups."""
    match = re.search(spec.regex or "", text)
    if match is None:
        raise Refused(f"no match for regex {spec.regex} in {spec.source}")
    if not match.re.groups:
        return match[0]
    taken = [group for group in match.groups() if group is not None]
    if not taken:
        raise Refused(f"no group of regex {spec.regex} took part in its match in {spec.source}")
    return str(taken[0])


def _a(kind: Kind) -> str:
    return "an int" if kind is Kind.INT else f"a {kind}"


def _number(text: str, spec: ResultSpec) -> str:
    """Return the cell of a number within its range: the text as it came, where CSV readers know its form."""
    found = read(text, spec.kind)
    if found is None:
        raise Refused(f"{shown(text)} is not {_a(spec.kind)}" if text else f"empty, not {_a(spec.kind)}")
    if spec.minimum is None and spec.maximum is None:
        return found.cell
    # Decimal for whole numbers: int() refuses more than 4300 digits, float() rounds.
    number = Decimal(found.cell) if spec.kind is Kind.INT else float(found.cell)
    if isinstance(number, float) and not math.isfinite(number):
        raise Refused(f"{shown(text)} is not a finite number, and there is a range")
    if spec.minimum is not None and number < spec.minimum:
        raise Refused(f"{shown(text)} is below the minimum {spec.minimum:g}")
    if spec.maximum is not None and number > spec.maximum:
        raise Refused(f"{shown(text)} is above the maximum {spec.maximum:g}")
    return found.cell


class _Token(str):
    """A number of a JSON text, spelled as it came."""


class _Document(str):
    """JSON that was found at a path, whatever the kind of the result: no text that may be cut."""


def _parsed(text: str, spec: ResultSpec, number: type[str] = str) -> Any:
    """The document; its numbers stay texts, spelled as they came (and Python reads no integer of 5000 digits)."""
    try:
        text = text.removeprefix("\ufeff")
        return json.loads(text, parse_int=number, parse_float=number, parse_constant=number)
    except RecursionError:
        raise Refused(f"{spec.source} is nested too deep to be read as JSON") from None
    except ValueError as fault:
        raise Refused(f"{spec.source} is not JSON: {fault}") from None


def _at(text: str, spec: ResultSpec) -> str:
    """The value at a dotted path: strings as their text, everything else as JSON."""
    value = _follow(_parsed(text, spec), spec)
    try:
        if isinstance(value, (dict, list)):  # only now numbers must be told from strings, which costs time
            return _Document(_whole_characters(_dump(_follow(_parsed(text, spec, _Token), spec))))
        return _whole_characters(value if isinstance(value, str) else _dump(value))
    except RecursionError:
        raise Refused(f"the value at {spec.path} in {spec.source} is nested too deep") from None


def _follow(value: Any, spec: ResultSpec) -> Any:
    for step in (spec.path or "").split("."):
        value = _step(value, step, spec)
    return value


def _step(value: Any, step: str, spec: ResultSpec) -> Any:
    if isinstance(value, dict):
        if step in value:
            return value[step]
        there = ", ".join(list(value)[:10]) or "nothing"
        raise Refused(f"no {step!r} of {spec.path} in {spec.source}, there is: {shown(there)}")
    if isinstance(value, list):
        if re.fullmatch(r"-?[0-9]{1,9}", step) and -len(value) <= int(step) < len(value):
            return value[int(step)]
        raise Refused(f"no {step!r} of {spec.path} in {spec.source}: there is a list of {len(value)}")
    raise Refused(f"no {step!r} of {spec.path} in {spec.source}: there is a single value")


def _dump(value: Any) -> str:
    """Compact JSON that spells numbers as they came, which json.dumps cannot."""
    if isinstance(value, _Token):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{_dump(key)}:{_dump(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_dump(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _whole_characters(text: str) -> str:
    r"""JSON may spell half a character (\ud800), which nothing can store: U+FFFD, as for any broken text."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

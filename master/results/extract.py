"""From the bytes that a program wrote to the value of a result: text, number, JSON, regex, path.

Pure, given bytes or a file. Of a text of any size only its head is read. A regex may run for ever:
results with one are extracted in the hook process (hooks.py), where they can be killed. judge.py
decides whether a whole set of results is acceptable.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from ..model import Kind, ResultSpec
from ..record import record
from ..text import volume
from .reading.foreign_numbers import why_not
from .reading.json_path import JsonValue, compact, value_at
from .reading.last_states import last_states
from .reading.numerals import read
from .reading.refusal import Refused as Refused
from .reading.refusal import shown
from .trees import Member

# Bytes of the source: the most in a cell of text, and what the database keeps inline.
HEAD = 64 * 1024
JSON_CELL = 1_000_000  # bytes in a cell of JSON: half a document is none, so it is refused, not cut
SEARCHED = 64 * 1024 * 1024  # the largest result that json, path or regex read, all of it in memory
CHUNK = 1024 * 1024
NO_MATCH = "no match for regex"  # how the refusal begins: `spe check` looks for it
_NUMBERS = (Kind.INT, Kind.FLOAT)


@record
class Part:
    """A part of a client's report as it arrived: small ones in memory, large ones in a file.

    A result of several files has them all in `tree`, in the order of their names; `size` is their
    sum.
    """

    name: str
    data: bytes | None
    path: Path | None
    size: int
    tree: tuple[Member, ...] | None = None

    @classmethod
    def of(cls, name: str, data: bytes) -> Part:
        """Return a part that is in memory."""
        return cls(name, data, None, len(data))

    @property
    def is_there(self) -> bool:
        """True when it can be read: nobody has removed its file."""
        if self.tree is not None:
            return all(one.is_there for one in self.tree)
        return self.path is None or self.path.exists()

    def members(self) -> Iterator[Part]:
        """Yield the files of a tree, each as a part that has its path in the task's directory."""
        for one in self.tree or ():
            yield Part(one.name, None, one.path, one.size)

    def read(self, limit: int = -1) -> bytes:
        """Return the first `limit` bytes, or all of them."""
        if self.data is None:
            with self._source().open("rb") as stream:
                return stream.read(limit)
        if limit < 0:
            return self.data
        return self.data[:limit]

    def chunks(self) -> Iterator[bytes]:
        """Yield all bytes in pieces: a result may be larger than the memory."""
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
    """Return whether the result is the bytes themselves, not something found in them."""
    return spec.regex is None and spec.path is None


def extract(part: Part, spec: ResultSpec, file: str | None) -> str:
    """Return the cell of the table. Raises Refused.

    `file`: where the bytes will lie, for the note behind a text that is too long for a cell.
    """
    if spec.kind.is_path:
        return file or ""
    if spec.kind is Kind.TEXT and is_verbatim(spec):
        return _head(part, file)
    text = _search(_text(part, spec), spec)
    if spec.kind in _NUMBERS:
        return _number(text.strip(), spec)
    return _cell(text, part.size, spec, file)


def _cell(text: str, size: int, spec: ResultSpec, file: str | None) -> str:
    """Return the cell of a text or of JSON. `size`: bytes of the whole part."""
    if spec.kind is Kind.JSON:
        return _whole(_json(text, spec), spec)
    if isinstance(text, JsonValue):
        return _whole(text, spec)
    if len(text) <= HEAD:
        return text
    return text[:HEAD] + _note(size, file)


def _json(text: str, spec: ResultSpec) -> str:
    if spec.path is None:
        return compact(text, spec)
    return text  # value_at() has made it compact


def without_newline(text: str) -> str:
    """Return the text without a line end of either kind, which a cell does not have."""
    if text.endswith("\r\n"):
        return text[:-2]
    return text.removesuffix("\n")


def _head(part: Part, file: str | None) -> str:
    head = part.read(HEAD + 2)  # two more: a line end that the cell loses anyway
    if part.size <= len(head):
        text = head.decode("utf-8", "replace")
        cell = without_newline(text)
        if part.size - (len(text) - len(cell)) <= HEAD:
            return cell
    # An incremental decoder drops the half of a character at the cut; decode() would spell it U+FFFD.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return decoder.decode(head[:HEAD]) + _note(part.size, file)


def _whole(text: str, spec: ResultSpec) -> str:
    size = len(text.encode())
    if size <= JSON_CELL:
        return str(text)
    place = f" at {spec.path}" if spec.path else ""
    raise Refused(
        f"{size:,} bytes of JSON{place} in {spec.source}: a cell has at most 1 MB. "
        f"Take the whole file with `as: file`, or less of it with `path`"
    )


def _note(size: int, file: str | None) -> str:
    place = f", in {file}" if file else ""
    return f" … ({volume(size)} in all{place})"


def _text(part: Part, spec: ResultSpec) -> str:
    """Return the text to search in. Raises Refused when it is too large, or should be UTF-8."""
    if spec.kind in _NUMBERS and is_verbatim(spec):
        _check_size(part, spec, HEAD, f"{_a(spec.kind)} has at most 64 kB")
        text = part.read().decode("utf-8", "replace")
        return last_states(text) if spec.source == "stdout" else text
    _check_size(part, spec, SEARCHED, "regex, path and json look into at most 64 MB")
    if spec.regex is not None:
        return part.read().decode("utf-8", "replace")
    try:
        text = part.read().decode("utf-8")  # strict: JSON is UTF-8, or it is not JSON
    except UnicodeDecodeError as fault:
        what = f"{spec.source} is not JSON: byte {fault.start} is not UTF-8"
        raise Refused(what) from None
    # A document that begins the text has no bar before it: a carriage return in it is a blank.
    if spec.source == "stdout" and not text.lstrip().startswith(("{", "[")):
        return last_states(text)
    return text


def _check_size(part: Part, spec: ResultSpec, limit: int, most: str) -> None:
    if part.size > limit:
        raise Refused(f"{volume(part.size)} in {spec.source}: {most}")


def _search(text: str, spec: ResultSpec) -> str:
    """Return what regex and path find; regex first: JSON may lie in the middle of other output."""
    if spec.regex is not None:
        text = _match(text, spec)
    if spec.path is not None:
        text = value_at(text, spec)
    return text


def _match(text: str, spec: ResultSpec) -> str:
    """Return the first match: its first group that took part, the whole match without groups."""
    match = _found(spec.regex or "", text, spec.source)
    if match is None:
        raise Refused(f"{NO_MATCH} {spec.regex} in {spec.source}")
    if not match.re.groups:
        return match[0]
    return _first_group(match, spec)


def _found(regex: str, text: str, source: str) -> re.Match[str] | None:
    """Search in the text as a person sees it, then as it was written: a regex may have `\\r` in it."""
    # Only standard output is a terminal's: in a file a carriage return alone may end lines.
    seen = last_states(text) if source == "stdout" else text.replace("\r\n", "\n")
    found = re.search(regex, seen)
    if found is None and seen != text:
        found = re.search(regex, text)
    return found


def _first_group(match: re.Match[str], spec: ResultSpec) -> str:
    # Not match[1]: of alternatives like `a=(\d+)|b=(\d+)` only one group takes part.
    taken = next((group for group in match.groups() if group is not None), None)
    if taken is None:
        raise Refused(f"no group of regex {spec.regex} took part in its match in {spec.source}")
    return str(taken)


def _a(kind: Kind) -> str:
    return "an int" if kind is Kind.INT else f"a {kind}"


def _number(text: str, spec: ResultSpec) -> str:
    """Return the cell of a number within its range: as it came, where CSV readers know its form."""
    found = read(text, spec.kind)
    if found is None:
        raise Refused(_no_number(text, spec.kind))
    if spec.minimum is not None or spec.maximum is not None:
        _check_range(text, found.cell, spec)
    return found.cell


def _no_number(text: str, kind: Kind) -> str:
    if not text:
        return f"empty, not {_a(kind)}"
    reason = why_not(text)
    return f"{shown(text)} is not {_a(kind)}" + (f": {reason}" if reason else "")


def _exact(text: str, cell: str, kind: Kind) -> Decimal | float:
    """Return the number to compare with a range. Raises Refused for NaN and infinity."""
    # Decimal for whole numbers: int() refuses more than 4300 digits, and float() rounds.
    if kind is Kind.INT:
        return Decimal(cell)
    number = float(cell)
    if not math.isfinite(number):
        raise Refused(f"{shown(text)} is not a finite number, and there is a range")
    return number


def _check_range(text: str, cell: str, spec: ResultSpec) -> None:
    number = _exact(text, cell, spec.kind)
    if spec.minimum is not None and number < spec.minimum:
        raise Refused(f"{shown(text)} is below the minimum {spec.minimum:g}")
    if spec.maximum is not None and number > spec.maximum:
        raise Refused(f"{shown(text)} is above the maximum {spec.maximum:g}")

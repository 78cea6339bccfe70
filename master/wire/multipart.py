"""Reads multipart/form-data: bytes in any pieces in, events out. No I/O; limits on all that is not content.

As RFC 7578, RFC 2046 and HTML have it. What stands outside the parts is ignored; what could be read in two ways is
refused. What a part's head says is multipart_head.py's business, where the bytes go body.py's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from .multipart_head import BadParts, Head, head_of, no_body, shown

MOST_PARTS = 1000
LONGEST_HEAD = 8 * 1024  # bytes of one part's headers
BESIDE = 64 * 1024  # bytes before the first and after the last boundary
PADDING = 100  # bytes of the rest of a boundary's line

_PLAIN_HEAD = re.compile(
    rb'\r\nContent-Disposition: form-data; name="([^"\\%\x00-\x1f\x7f]*+)"'
    rb'(?:; filename="[^"\\\x00-\x1f\x7f]*+"\r\nContent-Type: application/octet-stream)?\r\n\r\n'
)


class TooMuch(BadParts):
    """More parts, or more beside them, than is sensible."""


class Begin(NamedTuple):
    """A part begins. Its content follows in pieces, then its End."""

    name: str


class End(NamedTuple):
    """A part is complete."""


Event = Begin | End | bytes | memoryview


def whole(body: bytes, boundary: bytes, most: int = MOST_PARTS) -> dict[str, bytes]:
    """All parts of a body that is there as a whole, by name."""
    before, *segments = (b"\r\n" + body).split(b"\r\n--" + boundary, most + 1)
    found: dict[str, bytes] = {}
    if before or segments[-1] not in (b"--\r\n", b"--"):
        return _by_events(body, boundary, most)
    for segment in segments[:-1]:
        head = _PLAIN_HEAD.match(segment)
        if head is None or head.end() > LONGEST_HEAD:
            return _by_events(body, boundary, most)
        found[head[1].decode("utf-8", "surrogateescape")] = segment[head.end() :]
    return found if len(found) == len(segments) - 1 else _by_events(body, boundary, most)


def _by_events(body: bytes, boundary: bytes, most: int) -> dict[str, bytes]:
    parser, found, name = Parser(boundary, most), dict[str, list[bytes]](), ""
    for event in parser.feed(body):
        if isinstance(event, Begin):
            name, found[event.name] = event.name, []
        elif not isinstance(event, End):
            found[name].append(bytes(event))
    parser.close()
    return {name: b"".join(pieces) for name, pieces in found.items()}


class Parser:
    """One body. After an error it is of no use any more."""

    def __init__(self, boundary: bytes, most: int = MOST_PARTS) -> None:
        """`most`: how many parts there may be."""
        self._delimiter = b"\r\n--" + boundary
        self._rest = b"\r\n"  # as if a line had ended: so the first boundary is found like all others
        self._read: Callable[[bytes, int], int] = self._before
        self._most, self._names, self._beside = most, set[str](), 0
        self._head, self._size = Head("", None), 0
        self._events: list[Event] = []

    def feed(self, data: bytes) -> list[Event]:
        """What the next bytes bring. Pieces of content are views of `data` where that saves a copy."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        self._events, at = [], 0
        while at < len(data):
            at = self._read(data, at)
        return self._events

    def close(self) -> None:
        """There is no more: was it all?"""
        if self._read == self._before:
            raise no_body("its boundary is not in it")
        at_last = self._read == self._after or (self._read == self._line and self._rest.strip(b" \t\r") == b"--")
        if not at_last:
            raise BadParts("the body breaks off before its last boundary")

    # -- each reads on from `at` and says how far it came; what it needs again with more behind it is the rest

    def _before(self, data: bytes, at: int) -> int:
        end = self._search(data, at)
        self._aside(end - at)
        return self._to_line(data, end)

    def _content(self, data: bytes, at: int) -> int:
        end = self._search(data, at)
        if end > at:
            self._events.append(data if end - at == len(data) else memoryview(data)[at:end])
            self._size += end - at
        return self._to_line(data, end)

    def _search(self, data: bytes, at: int) -> int:
        """Where a delimiter begins, or may begin, when more is known; else the end."""
        found = data.find(self._delimiter, at)
        if found >= 0:
            return found
        tail = data.rfind(b"\r", max(at, len(data) - len(self._delimiter)))
        return tail if tail >= 0 and self._delimiter.startswith(data[tail:]) else len(data)

    def _to_line(self, data: bytes, end: int) -> int:
        if len(data) - end < len(self._delimiter):
            return self._wait(data, end)
        if self._read != self._before:
            self._end()
        self._read = self._line
        return end + len(self._delimiter)

    def _line(self, data: bytes, at: int) -> int:
        """The rest of a boundary's line: blanks, and before them two hyphens if it is the last."""
        end = data.find(b"\n", at, at + PADDING)
        if end < 0 and len(data) - at < PADDING:
            return self._wait(data, at)
        line = data[at : end + 1]
        if line.strip(b" \t\r\n") == b"--":
            self._read = self._after
            return end + 1
        if line.strip(b" \t") != b"\r\n":
            raise no_body("a boundary does not stand in a line of its own")
        self._read = self._heading
        return end - 1  # the line end counts again: two of them end a head, also one without headers

    def _heading(self, data: bytes, at: int) -> int:
        stop = at + 2 + LONGEST_HEAD + 4
        end = data.find(b"\r\n\r\n", at, stop)
        if end < 0 and len(data) < stop:
            return self._wait(data, at)
        if end < 0:
            raise no_body(f"the headers of a part are longer than {LONGEST_HEAD} bytes")
        self._begin(head_of(data[at + 2 : end]))
        self._read = self._first
        return end + 2

    def _first(self, data: bytes, at: int) -> int:
        """The line end after a head may be that of the next boundary as well: then there is no content."""
        if len(data) - at < len(self._delimiter) and self._delimiter.startswith(data[at:]):
            return self._wait(data, at)
        self._read = self._content
        return at if data.startswith(self._delimiter, at) else at + 2

    def _after(self, data: bytes, at: int) -> int:
        self._aside(len(data) - at)
        return len(data)

    def _wait(self, data: bytes, at: int) -> int:
        self._rest = data[at:]
        return len(data)

    def _aside(self, count: int) -> None:
        self._beside += count
        if self._beside > BESIDE:
            raise TooMuch("too much beside the parts")

    def _begin(self, head: Head) -> None:
        if len(self._names) == self._most:
            raise TooMuch(f"more than {self._most} parts")
        if head.name in self._names:
            raise BadParts(f"two parts are named {shown(head.name)}")
        self._names.add(head.name)
        self._head, self._size = head, 0
        self._events.append(Begin(head.name))

    def _end(self) -> None:
        if self._head.length not in (None, self._size):
            raise BadParts(f"part {shown(self._head.name)} has not the Content-Length that it says")
        self._events.append(End())

"""Parses multipart/form-data: bytes in chunks of any size in, events out. No I/O.

It follows RFC 7578, RFC 2046 and HTML, with limits on all that is not content. What stands outside
the parts is ignored. What could be read in two ways is refused. multipart_head.py reads the headers
of a part; body.py moves the bytes.

Why not aiohttp's reader: four small parts took it 150 to 200 us, this one takes 3 us. Why not the
library `multipart`: see "Rejected" in docs/measurements.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
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
    """The body has more parts, or more bytes beside them, than is sensible."""


class Begin(NamedTuple):
    """A part begins. Its content follows in chunks, then its End."""

    name: str
    filename: str = ""


class End(NamedTuple):
    """A part is complete."""


Event = Begin | End | bytes | memoryview


def whole(
    body: bytes, boundary: bytes, most: int = MOST_PARTS, many: Container[str] = ()
) -> dict[str, bytes]:
    """Return all parts by name, of a body that has arrived as a whole.

    `many`: names that several parts may have; the last one of a name is returned.

    One regular expression reads the heads that our clients write. Any other body goes through the
    parser, so that both ways accept the same bodies.
    """
    before, *segments = (b"\r\n" + body).split(b"\r\n--" + boundary, most + 1)
    found: dict[str, bytes] = {}
    if before or segments[-1] not in (b"--\r\n", b"--"):
        return _by_events(body, boundary, most, many)
    for segment in segments[:-1]:
        head = _PLAIN_HEAD.match(segment)
        if head is None or head.end() > LONGEST_HEAD:
            return _by_events(body, boundary, most, many)
        found[head[1].decode("utf-8", "surrogateescape")] = segment[head.end() :]
    if len(found) < len(segments) - 1:  # two parts have one name: the parser says which
        return _by_events(body, boundary, most, many)
    return found


def _by_events(
    body: bytes, boundary: bytes, most: int, many: Container[str]
) -> dict[str, bytes]:
    """Return the parts as the parser finds them."""
    parser = Parser(boundary, most, many)
    found: dict[str, list[bytes]] = {}
    name = ""
    for event in parser.feed(body):
        if isinstance(event, Begin):
            name = event.name
            found[name] = []
        elif not isinstance(event, End):
            found[name].append(bytes(event))
    parser.close()
    return {name: b"".join(pieces) for name, pieces in found.items()}


class Parser:
    """The parser of one body. After an error it is of no use any more."""

    def __init__(
        self, boundary: bytes, most: int = MOST_PARTS, many: Container[str] = ()
    ) -> None:
        """Accept at most `most` parts. Those whose name is in `many` may have it in common."""
        self._many = many
        self._delimiter = b"\r\n--" + boundary
        self._rest = b"\r\n"  # as if a line had ended, so the first boundary is found as the others
        self._read: Callable[[bytes, int], int] = self._before  # the state: how to read on
        self._most = most
        self._names: set[str] = set()
        self._beside = 0  # bytes outside the parts
        self._head = Head("", None)  # head of the part that is arriving
        self._size = 0  # bytes of its content so far
        self._events: list[Event] = []

    def feed(self, data: bytes) -> list[Event]:
        """Return the events of the next bytes.

        Content comes as views of `data`: nothing is copied.
        """
        if self._rest:
            data = self._rest + data
            self._rest = b""
        self._events = []
        at = 0
        while at < len(data):
            at = self._read(data, at)
        return self._events

    def close(self) -> None:
        """Check that the body is complete. Raises BadParts when it is not."""
        if self._read == self._before:
            raise no_body("its boundary is not in it")
        is_complete = self._read == self._after
        if self._read == self._line:  # the last line may lack its line end
            is_complete = self._rest.strip(b" \t\r") == b"--"
        if not is_complete:
            raise BadParts("the body breaks off before its last boundary")

    # The states. Each reads on from `at` and returns how far it came. Bytes that it needs again
    # together with later ones stay in `_rest`.

    def _before(self, data: bytes, at: int) -> int:
        """Skip what stands before the first boundary."""
        end = self._search(data, at)
        self._aside(end - at)
        return self._to_line(data, end)

    def _content(self, data: bytes, at: int) -> int:
        """Pass on content up to the next delimiter."""
        end = self._search(data, at)
        if end > at:
            chunk: bytes | memoryview = data
            if end - at < len(data):
                chunk = memoryview(data)[at:end]
            self._events.append(chunk)
            self._size += end - at
        return self._to_line(data, end)

    def _search(self, data: bytes, at: int) -> int:
        """Return where a delimiter begins, or may begin when more bytes arrive; else the end."""
        found = data.find(self._delimiter, at)
        if found >= 0:
            return found
        tail = data.rfind(b"\r", max(at, len(data) - len(self._delimiter)))
        if tail >= 0 and self._delimiter.startswith(data[tail:]):
            return tail
        return len(data)

    def _to_line(self, data: bytes, end: int) -> int:
        """Go on with the rest of the boundary's line, once its delimiter is whole."""
        if len(data) - end < len(self._delimiter):
            return self._wait(data, end)
        if self._read != self._before:
            self._end()
        self._read = self._line
        return end + len(self._delimiter)

    def _line(self, data: bytes, at: int) -> int:
        """Read the rest of a boundary's line: blanks, and two hyphens before them if it is the last
        one.
        """
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
        # The line end counts again: two of them end a head, also one without headers.
        return end - 1

    def _heading(self, data: bytes, at: int) -> int:
        """Read the headers of a part."""
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
        """Read the line end after the headers.

        It may be that of the next boundary as well: then the part has no content.
        """
        if len(data) - at < len(self._delimiter) and self._delimiter.startswith(data[at:]):
            return self._wait(data, at)
        self._read = self._content
        if data.startswith(self._delimiter, at):
            return at
        return at + 2

    def _after(self, data: bytes, at: int) -> int:
        """Skip what stands behind the last boundary."""
        self._aside(len(data) - at)
        return len(data)

    def _wait(self, data: bytes, at: int) -> int:
        """Keep the bytes from `at` on until more arrive."""
        self._rest = data[at:]
        return len(data)

    def _aside(self, count: int) -> None:
        """Count bytes outside the parts. Raises TooMuch."""
        self._beside += count
        if self._beside > BESIDE:
            raise TooMuch("too much beside the parts")

    def _begin(self, head: Head) -> None:
        """Open a part. Raises BadParts for a second one of its name."""
        if len(self._names) == self._most:
            raise TooMuch(f"more than {self._most} parts")
        if head.name in self._names and head.name not in self._many:
            raise BadParts(f"two parts are named {shown(head.name)}")
        self._names.add(head.name)
        self._head = head
        self._size = 0
        self._events.append(Begin(head.name, head.filename))

    def _end(self) -> None:
        """Close the part. Raises BadParts when its Content-Length says another size."""
        if self._head.length not in (None, self._size):
            raise BadParts(f"part {shown(self._head.name)} has not the Content-Length that it says")
        self._events.append(End())

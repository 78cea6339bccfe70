"""Request bodies: multipart/form-data made of bytes and of files, sent in pieces.

The memory that a body takes does not grow with its files.
"""

import os
from typing import Dict, Iterator, List, NamedTuple, Tuple, Union
from urllib.parse import quote

BLOCK = 1 << 18
SMALL = 1 << 16  # bytes of a body that is sent in one piece, together with the head of the request


class BodyGone(Exception):
    """Raised when a file shrank or vanished while it was sent."""


class FilePart(NamedTuple):
    """A part whose content is a file, as long as it was when the body was made.

    `filename` is what the master is told of it; "" where the name of the part says all.
    """

    path: str
    size: int
    filename: str = ""


Part = Tuple[str, Union[bytes, FilePart]]


class PlainBody:
    """A request body of bytes as they are."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def headers(self) -> Dict[str, str]:
        """Return the headers that describe the body."""
        kind = "application/octet-stream"
        return {"Content-Type": kind, "Content-Length": str(len(self._data))}

    def content(self) -> bytes:
        """Return all bytes of the body."""
        return self._data


class Body:
    """A multipart/form-data body: named parts in their order."""

    def __init__(self, parts: List[Part]) -> None:
        self._boundary = os.urandom(12).hex()
        self._pieces: List[Union[bytes, FilePart]] = []
        for name, content in parts:
            self._pieces += [self._head(name, content), content, b"\r\n"]
        self._pieces.append(("--%s--\r\n" % self._boundary).encode())
        self.length = sum(_size(piece) for piece in self._pieces)

    @property
    def headers(self) -> Dict[str, str]:
        """Return the headers that describe the body, its length among them."""
        kind = "multipart/form-data; boundary=%s" % self._boundary
        return {"Content-Type": kind, "Content-Length": str(self.length)}

    def content(self) -> Union[bytes, Iterator[bytes]]:
        """Return one piece when the body is small, else an iterator.

        One system call sends a small piece together with the head of the request.
        """
        blocks = self._blocks()
        return b"".join(blocks) if self.length <= SMALL else blocks

    def _head(self, name: str, content: Union[bytes, FilePart]) -> bytes:
        text = '--%s\r\nContent-Disposition: form-data; name="%s"' % (self._boundary, _safe(name))
        if isinstance(content, FilePart):
            filename = content.filename or name
            text += '; filename="%s"' % _safe(filename)
            if any(letter in filename for letter in '%"\\'):  # these could be read in two ways
                text += "; filename*=UTF-8''" + quote(filename, errors="surrogateescape")
            text += "\r\nContent-Type: application/octet-stream"
        return (text + "\r\n\r\n").encode("utf-8", "surrogateescape")

    def _blocks(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                for block in _file_blocks(piece):
                    yield block


RequestBody = Union[Body, PlainBody]


def _safe(name: str) -> str:
    """Return a name that ends no header early: HTML's way of writing these three letters."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _size(piece: Union[bytes, FilePart]) -> int:
    """Return how many bytes a piece has."""
    return len(piece) if isinstance(piece, bytes) else piece.size


def _file_blocks(part: FilePart) -> Iterator[bytes]:
    left = part.size
    try:
        with open(part.path, "rb", buffering=0) as file:
            while left:
                # No more than the size at the beginning, which the header of the request has told.
                block = file.read(min(BLOCK, left))
                if not block:
                    text = "%s became shorter while it was sent"
                    raise BodyGone(text % os.path.basename(part.path))
                left -= len(block)
                yield block
    except OSError as fault:
        raise BodyGone("%s: %s" % (os.path.basename(part.path), fault.strerror))

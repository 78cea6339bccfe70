"""A multipart/form-data body made of bytes and of files, sent in pieces: the memory it takes does not grow with it."""

import os
from typing import Dict, Iterator, List, NamedTuple, Tuple, Union

BLOCK = 1 << 18
SMALL = 1 << 16


class BodyGone(Exception):
    """A file shrank or vanished while it was sent."""


class FilePart(NamedTuple):
    """A part whose content is a file, as long as it was when the body was made."""

    path: str
    size: int


Part = Tuple[str, Union[bytes, FilePart]]


class Body:
    """The parts in their order. May be sent several times."""

    def __init__(self, parts: List[Part]) -> None:
        self._boundary = os.urandom(12).hex()
        self._pieces: List[Union[bytes, FilePart]] = []
        for name, content in parts:
            self._pieces += [self._head(name, isinstance(content, FilePart)), content, b"\r\n"]
        self._pieces.append(("--%s--\r\n" % self._boundary).encode())
        self.length = sum(_size(piece) for piece in self._pieces)

    @property
    def headers(self) -> Dict[str, str]:
        """What the request says about it."""
        kind = "multipart/form-data; boundary=%s" % self._boundary
        return {"Content-Type": kind, "Content-Length": str(self.length)}

    def content(self) -> Union[bytes, Iterator[bytes]]:
        """One piece when it is small (one system call sends it with the head), else an iterator."""
        blocks = self._blocks()
        return b"".join(blocks) if self.length <= SMALL else blocks

    def _head(self, name: str, is_file: bool) -> bytes:
        # A name can hold nothing that ends the header early: HTML's way of writing these three.
        safe = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        text = '--%s\r\nContent-Disposition: form-data; name="%s"' % (self._boundary, safe)
        if is_file:
            text += '; filename="%s"\r\nContent-Type: application/octet-stream' % safe
        return (text + "\r\n\r\n").encode("utf-8", "surrogateescape")

    def _blocks(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                for block in _file_blocks(piece):
                    yield block


def _size(piece: Union[bytes, FilePart]) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.size


def _file_blocks(part: FilePart) -> Iterator[bytes]:
    left = part.size
    try:
        with open(part.path, "rb", buffering=0) as file:
            while left:
                block = file.read(min(BLOCK, left))
                if not block:
                    raise BodyGone("%s became shorter while it was sent" % os.path.basename(part.path))
                left -= len(block)
                yield block
    except OSError as fault:
        raise BodyGone("%s: %s" % (os.path.basename(part.path), fault.strerror))

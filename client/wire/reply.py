"""The answers of the master: read into memory, or into a file when they may be large."""

import http.client
import os
from typing import Any, NamedTuple, Optional

BLOCK = 1 << 18


class Reply(NamedTuple):
    """The answer of the master to one request; the body is empty when it went into a file."""

    status: int
    headers: Any  # http.client.HTTPMessage: .get(name)
    body: bytes

    @property
    def text(self) -> str:
        """Return the body as one line for people."""
        return " ".join(self.body[:2000].decode("utf-8", "replace").split())


class CannotKeep(Exception):
    """Raised when the body of an answer could not be written to a file here."""

    def __init__(self, why: OSError) -> None:
        super().__init__(str(why))
        self.why = why


def has_no_length(response: http.client.HTTPResponse) -> bool:
    """Tell whether this is a 205 without a length. It has no body, but only some masters say so."""
    return response.status == 205 and response.getheader("Content-Length") is None


def read_body(response: http.client.HTTPResponse, into: Optional[str]) -> bytes:
    """Return the body of an answer, b"" when it goes into a file. Raises CannotKeep."""
    if has_no_length(response):
        return b""
    if into is None:
        return response.read()
    try:
        file = open(into, "wb", buffering=0)
    except OSError as fault:
        raise CannotKeep(fault)
    with file:
        for block in iter(lambda: response.read(BLOCK), b""):
            _keep(file.fileno(), block)
        os.fsync(file.fileno())
    return b""


def _keep(file: int, block: bytes) -> None:
    try:
        while block:
            block = block[os.write(file, block) :]
    except OSError as fault:
        raise CannotKeep(fault)

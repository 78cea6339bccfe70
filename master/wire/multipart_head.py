"""Parses the headers of multipart/form-data: the boundary of a body, name and length of a part.

No I/O. What could be read in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

LONGEST_BOUNDARY = 70  # RFC 2046
AS_THEY_ARE = ("", "binary", "8bit", "7bit")  # transfer encodings that change no byte
CHARSETS = ("utf-8", "us-ascii", "iso-8859-1")  # charsets of `name*=` in RFC 5987

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_HEADER = re.compile(rf"({_TOKEN}):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*+)")
_KIND = re.compile(rf"{_TOKEN}(?:/{_TOKEN})?[ \t]*+")
_PARAMETER = re.compile(rf';[ \t]*+({_TOKEN})[ \t]*+=[ \t]*+("(?:[^"\\]|\\.)*+"|[^;"\s]*+)[ \t]*+')
_ESCAPED = re.compile(r'\\(["\\])|%(22|0D|0A)', re.IGNORECASE)
_PLAIN_TYPE = re.compile(r"multipart/form-data; boundary=([0-9A-Za-z'()+_,\-./:=?]+)")


class BadParts(ValueError):
    """The body is not valid multipart/form-data. The message says why, in one line."""


class Head(NamedTuple):
    """The facts in the headers of one part."""

    name: str
    length: int | None  # None: not given; -1: nonsense
    filename: str = ""


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a request's Content-Type names. Raises BadParts."""
    # Nearly all match this: the other way takes five times as long.
    plain = _PLAIN_TYPE.fullmatch(content_type)
    boundary = plain[1] if plain else _parameters(content_type).get("boundary", "")
    if not boundary:
        raise no_body("its Content-Type names no boundary")
    if len(boundary) > LONGEST_BOUNDARY:
        raise no_body(f"its boundary is longer than {LONGEST_BOUNDARY} characters")
    if not (boundary.isascii() and boundary.isprintable()) or boundary.endswith(" "):
        raise no_body("its boundary has characters that none may have")
    return boundary.encode()


def head_of(block: bytes) -> Head:
    """Parse the lines between a boundary and the empty line. Raises BadParts."""
    headers = _headers(block)
    if headers.get("content-type", "").lower().startswith("multipart/"):
        raise BadParts("a part is itself multipart")
    disposition = _parameters(headers.get("content-disposition", ""))
    name = _text(disposition, "name")
    if name is None:
        raise BadParts("a part has no name")
    encoding = headers.get("content-transfer-encoding", "")
    if encoding.lower() not in AS_THEY_ARE:
        raise BadParts(
            f"part {shown(name)} is encoded as {shown(encoding)}: send its bytes as they are"
        )
    length = None
    if "content-length" in headers:
        length = _number(headers["content-length"])
    return Head(name, length, _text(disposition, "filename") or "")


def _headers(block: bytes) -> dict[str, str]:
    """Return the headers by their names in lower case."""
    found: dict[str, str] = {}
    if not block:
        return found
    for line in block.decode("utf-8", "surrogateescape").split("\r\n"):
        header = _HEADER.fullmatch(line)
        if header is None:
            raise no_body("a line in the head of a part is no header")
        if header[1].lower() in found:
            raise no_body(f"a part has two headers {header[1][:40]}")
        found[header[1].lower()] = header[2].rstrip(" \t")
    return found


def _text(parameters: Mapping[str, str], key: str) -> str | None:
    """Return the name of a part or of its file. `name*=` wins where both are given."""
    charset, _, value = parameters.get(f"{key}*", "").partition("'")
    if charset.lower() in CHARSETS:
        return unquote(value.partition("'")[2], charset, "surrogateescape")
    return parameters.get(key)


def _parameters(header: str) -> dict[str, str]:
    """Return the parameters of a header such as `form-data; name="x"; …`, names in lower case."""
    found: dict[str, str] = {}
    header = header.rstrip("; \t")
    kind = _KIND.match(header)
    at = 0
    if kind:
        at = kind.end()
    while at < len(header):
        parameter = _PARAMETER.match(header, at)
        if parameter is None or parameter[1].lower() in found:
            raise no_body("a header's parameters cannot be read")
        found[parameter[1].lower()] = _unquoted(parameter[2])
        at = parameter.end()
    return found


def _unquoted(value: str) -> str:
    """Decode a quoted value: browsers and spe write %22, %0D and %0A, other programs backslashes."""
    if not value.startswith('"'):
        return value
    return _ESCAPED.sub(lambda found: found[1] or chr(int(found[2], 16)), value[1:-1])


def _number(text: str) -> int:
    """Return the number; -1 for nonsense."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    return -1


def no_body(why: str) -> BadParts:
    """Return the error for bytes that are not what their Content-Type says."""
    return BadParts(f"not a multipart body: {why}")


def shown(text: str) -> str:
    """Return a text as it may stand in a message of one line."""
    return "".join(char if char.isprintable() else "?" for char in text)[:100]

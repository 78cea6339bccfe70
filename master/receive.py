"""A multipart body on its way to disk: small parts stay in memory, larger ones go to a file as they come."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from aiohttp import BodyPartReader, ClientPayloadError, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from .errors import SpeError
from .extract import HEAD, Part

SIDE_PARTS = ("stdout", "stderr", "exit-code", "usage")  # welcome beside the results
SIDE_LIMIT = 64 * 1024  # of these only the end is kept
MAX_PARTS = 1000
CHUNK = 256 * 1024


class BodyRefused(SpeError):
    """A body that cannot be taken; `status` says how HTTP is told."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Spool:
    """The files of one request, below `folder`; removed with it unless they were moved away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[Path] = []

    def new(self) -> IO[bytes]:
        """A fresh file, named by us: names from outside never become paths."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / secrets.token_hex(8)
        self.made.append(path)
        return path.open("xb")

    def clear(self) -> None:
        """Remove what is left."""
        for path in self.made:
            path.unlink(missing_ok=True)


@contextmanager
def spool(folder: Path) -> Iterator[Spool]:
    """A spool for one request."""
    made = Spool(folder)
    try:
        yield made
    finally:
        made.clear()


async def receive(request: web.Request, wanted: Mapping[str, bool], limit: int, into: Spool) -> dict[str, Part]:
    """All parts of the body by name: the results in `wanted` whole, of the side parts the last 64 kB.

    `wanted` tells for each result whether it is to be a file even when it is small.

    Raises BodyRefused: 400 for what is no complete multipart body, 413 for a part over `limit` bytes.
    """
    if not request.content_type.startswith("multipart/form-data"):
        raise BodyRefused(400, f"the body must be multipart/form-data, not {request.content_type}")
    parts: dict[str, Part] = {}
    try:
        reader = await request.multipart()
        count = 0
        while (part := await reader.next()) is not None:
            count += 1
            if count > MAX_PARTS:
                raise BodyRefused(413, f"more than {MAX_PARTS} parts")
            await _one(part, parts, wanted, limit, into)
        if not _complete(reader):
            raise BodyRefused(400, "the body breaks off before its last boundary")
    except (ClientPayloadError, web.RequestPayloadError) as error:
        raise ConnectionResetError("the connection was cut within a body") from error  # no fault of the master's
    except (ValueError, AssertionError, RuntimeError, HttpProcessingError) as error:
        raise BodyRefused(400, f"not a multipart body: {error}") from error
    return parts


def _complete(reader: MultipartReader) -> bool:
    return reader.at_eof()


async def _one(
    part: MultipartReader | BodyPartReader, parts: dict[str, Part], wanted: Mapping[str, bool], limit: int, into: Spool
) -> None:
    if isinstance(part, MultipartReader):
        raise BodyRefused(400, "a part is itself multipart")
    name = part.name
    if name is None:
        raise BodyRefused(400, "a part has no name")
    if name in parts:
        raise BodyRefused(400, f"two parts are named {name}")
    if name in wanted:
        parts[name] = await _result(name, part, wanted[name], limit, into)
        said = part.headers.get("Content-Length")  # the reader goes by it, past the next boundary if need be
        if said is not None and said.strip() != str(parts[name].size):
            raise BodyRefused(400, f"part {name} has not the Content-Length that it says")
    elif name in SIDE_PARTS:
        parts[name] = await _tail(name, part)
    else:
        await part.release()


async def _tail(name: str, part: BodyPartReader) -> Part:
    data, size = b"", 0
    while chunk := await part.read_chunk(CHUNK):
        size += len(chunk)
        data = (data + chunk)[-SIDE_LIMIT:]
    return Part(name, data, None, len(data))


async def _result(name: str, part: BodyPartReader, as_file: bool, limit: int, into: Spool) -> Part:
    if as_file:
        return await _to_file(name, part, b"", limit, into)
    data = b""
    while chunk := await part.read_chunk(CHUNK):
        data += chunk
        if len(data) > HEAD:
            return await _to_file(name, part, data, limit, into)
    _within(name, len(data), limit)
    return Part(name, data, None, len(data))


async def _to_file(name: str, part: BodyPartReader, head: bytes, limit: int, into: Spool) -> Part:
    size = len(head)
    _within(name, size, limit)
    with into.new() as file:
        file.write(head)
        while chunk := await part.read_chunk(CHUNK):
            size += len(chunk)
            _within(name, size, limit)
            file.write(chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())  # a large one takes seconds, and others are served meanwhile
        return Part(name, None, Path(file.name), size)


def _within(name: str, size: int, limit: int) -> None:
    if limit and size > limit:
        raise BodyRefused(413, f"result {name} is larger than max_result, {limit} bytes")

"""A multipart body on its way to disk: small parts stay in memory, larger ones go to a file as they come."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

from aiohttp import BodyPartReader, ClientPayloadError, MultipartReader, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from .errors import SpeError
from .extract import HEAD, Part
from .nagging import Nagging

log = logging.getLogger("spe.receive")
T = TypeVar("T")
SIDE_PARTS = ("stdout", "stderr", "exit-code", "usage")  # welcome beside the results
SIDE_LIMIT = 64 * 1024  # of these only the end is kept
MAX_PARTS = 1000
HEADS = 16 * 1024 * 1024  # bytes for all that is not content
CHUNK = 256 * 1024
PATIENCE, PROGRESS = 30.0, 3000  # within so many seconds of waiting for a sender at least so many bytes come
MOST_LINES = 150_000  # read as lines: boundaries, heads of parts, and what stands beside the parts
FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_DISK_PAUSE = 1.0  # seconds
PROBE = 64 * 1024  # bytes that are written to see whether there is room again
_nagging = Nagging(log)


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

    def new(self) -> FileIO:
        """A fresh file, named by us: names from outside never become paths."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / secrets.token_hex(8)
        self.made.append(path)
        return FileIO(path, "x")

    def probe(self) -> None:
        """Raises OSError when a file that is written here does not come to the disk."""
        with self.new() as file:
            file.write(bytes(PROBE))
            os.fsync(file.fileno())
        self.made.pop().unlink()

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


class _Lines:
    """A body whose lines are counted: between its parts there might be no end of them."""

    def __init__(self, stream: StreamReader) -> None:
        self._stream, self._lines = stream, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def readline(self, **options: Any) -> bytes:
        """The next one."""
        self._lines += 1
        if self._lines > MOST_LINES:
            raise BodyRefused(413, "too much beside the parts")
        return await self._stream.readline(**options)


class Intake:
    """The body of one request on its way: how large it is, how long it keeps us waiting, and a disk that is full."""

    def __init__(self, request: web.Request, limit: int, most: int) -> None:
        """`limit`: bytes of one part, `most`: of all; 0: any."""
        self.request, self.limit, self.most = request, limit, most
        self._waited, self._mark = 0.0, 0
        if most and (request.content_length or 0) > most:
            raise self._too_much()

    def _too_much(self) -> BodyRefused:
        return BodyRefused(413, f"the body is larger than all results of {self.limit} bytes, max_result, together")

    async def get(self, coming: Awaitable[T]) -> T:
        """What comes next. Who sends too slowly is cut off, as if the connection had broken: it may send again."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(max(0.0, PATIENCE - self._waited)):
                found = await coming
        except TimeoutError:
            log.info("a body from %s came too slowly", self.request.remote)
            self._cut("the body came too slowly")
        self._waited += clock() - began
        total = self.request.content.total_bytes
        if total - self._mark >= PROGRESS:
            self._waited, self._mark = 0.0, total
        if self.most and total > self.most:
            raise self._too_much()
        return found

    def _cut(self, why: str) -> NoReturn:
        self.request.protocol.force_close()
        raise ConnectionResetError(why)

    async def write(self, file: FileIO, data: bytes) -> None:
        """To disk, and while that is full wait, as the store does: nobody's result is at fault."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[file.write(rest) or 0 :]
            except OSError as error:
                await self.wait_for_room(error)

    async def open(self, into: Spool) -> FileIO:
        """A new file, when there is room for one."""
        while True:
            try:
                return into.new()
            except OSError as error:
                await self.wait_for_room(error)

    async def sync(self, file: FileIO, into: Spool) -> None:
        """Onto the disk. What a full one refuses only now, as NFS does, is lost: with room it is sent again."""
        try:
            await asyncio.to_thread(os.fsync, file.fileno())  # a large one takes seconds: others are served meanwhile
            return
        except OSError as error:
            await self.wait_for_room(error)
        while True:
            try:
                await asyncio.to_thread(into.probe)
                break
            except OSError as error:
                await self.wait_for_room(error)
        self._cut("a full disk has lost the body")

    async def wait_for_room(self, error: OSError) -> None:
        """A moment, if it is that the disk is full and the sender is still there."""
        if error.errno not in FULL:
            raise error
        _nagging.say(f"a result waits: {error.strerror}. Nothing is lost; make room and it goes on.")
        await asyncio.sleep(FULL_DISK_PAUSE)
        if self.request.transport is None or self.request.transport.is_closing():
            raise ConnectionResetError("the sender has gone") from error


async def receive(request: web.Request, wanted: Mapping[str, bool], limit: int, into: Spool) -> dict[str, Part]:
    """All parts of the body by name: the results in `wanted` whole, of the side parts the last 64 kB.

    `wanted` tells for each result whether it is to be a file even when it is small.

    Raises BodyRefused: 400 for what is no complete multipart body, 413 for a part over `limit` bytes.
    """
    if not request.content_type.startswith("multipart/form-data"):
        raise BodyRefused(400, f"the body must be multipart/form-data, not {request.content_type}")
    parts: dict[str, Part] = {}
    most = limit * (len(wanted) + len(SIDE_PARTS)) + HEADS if limit else 0
    intake = Intake(request, limit, most)
    try:
        reader = MultipartReader(request.headers, cast(StreamReader, _Lines(request.content)))
        count = 0
        while (part := await intake.get(reader.next())) is not None:
            count += 1
            if count > MAX_PARTS:
                raise BodyRefused(413, f"more than {MAX_PARTS} parts")
            await _one(part, parts, wanted, intake, into)
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
    part: MultipartReader | BodyPartReader,
    parts: dict[str, Part],
    wanted: Mapping[str, bool],
    intake: Intake,
    into: Spool,
) -> None:
    if isinstance(part, MultipartReader):
        raise BodyRefused(400, "a part is itself multipart")
    name = part.name
    if name is None:
        raise BodyRefused(400, "a part has no name")
    if name in parts:
        raise BodyRefused(400, f"two parts are named {name}")
    if name in wanted:
        parts[name] = await _result(name, part, wanted[name], intake, into)
        said = part.headers.get("Content-Length")  # the reader goes by it, past the next boundary if need be
        if said is not None and said.strip() != str(parts[name].size):
            raise BodyRefused(400, f"part {name} has not the Content-Length that it says")
    elif name in SIDE_PARTS:
        parts[name] = await _tail(name, part, intake)
    else:
        while await intake.get(part.read_chunk(CHUNK)):
            continue


async def _tail(name: str, part: BodyPartReader, intake: Intake) -> Part:
    data = b""
    while chunk := await intake.get(part.read_chunk(CHUNK)):
        data = (data + chunk)[-SIDE_LIMIT:]
    return Part(name, data, None, len(data))


async def _result(name: str, part: BodyPartReader, as_file: bool, intake: Intake, into: Spool) -> Part:
    if as_file:
        return await _to_file(name, part, b"", intake, into)
    data = b""
    while chunk := await intake.get(part.read_chunk(CHUNK)):
        data += chunk
        if len(data) > HEAD:
            return await _to_file(name, part, data, intake, into)
    _within(name, len(data), intake.limit)
    return Part(name, data, None, len(data))


async def _to_file(name: str, part: BodyPartReader, head: bytes, intake: Intake, into: Spool) -> Part:
    size = len(head)
    _within(name, size, intake.limit)
    with await intake.open(into) as file:
        await intake.write(file, head)
        while chunk := await intake.get(part.read_chunk(CHUNK)):
            size += len(chunk)
            _within(name, size, intake.limit)
            await intake.write(file, chunk)
        await intake.sync(file, into)
    return Part(name, None, into.made[-1], size)


def _within(name: str, size: int, limit: int) -> None:
    if limit and size > limit:
        raise BodyRefused(413, f"result {name} is larger than max_result, {limit} bytes")

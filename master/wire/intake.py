"""Where the parts of a body go: a result into memory, or into a file as it comes; of others only the end is kept.

Names from outside never become paths. While the disk is full a result waits, as the store does: nobody's is at fault.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from ..disk_errors import FULL
from ..errors import Lost, SpeError
from ..full_disk import FullDisk, probe
from ..results.extract import HEAD, Part
from .multipart import Begin, End, Event

SIDE_PARTS = ("stdout", "stderr", "exit-code", "usage", "files")  # welcome beside the results
SIDE_LIMIT = 64 * 1024  # of these only the end is kept
SYNC_EVERY = 32 * 1024 * 1024  # bytes of a large file: the disk writes while more comes, not all of it at the end
Piece = bytes | bytearray | memoryview


class BodyRefused(SpeError):
    """A body that cannot be taken; `status` says how HTTP is told."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Spool:
    """The files of one request, below `folder`; removed with it unless they were moved away.

    `disk`: the wait of this run for a disk that is full.
    """

    def __init__(self, folder: Path, disk: FullDisk) -> None:
        self.folder, self.disk = folder, disk
        self.made: list[Path] = []

    def new(self) -> FileIO:
        """A fresh file, named by us."""
        self.folder.mkdir(exist_ok=True)  # not its parents: a run folder that was moved is not made again
        path = self.folder / secrets.token_hex(8)
        self.made.append(path)
        return FileIO(path, "x")

    def probe(self) -> None:
        """Raises OSError when a file that is written here does not come to the disk."""
        self.folder.mkdir(exist_ok=True)
        probe(self.folder)

    def clear(self) -> None:
        """Remove what is left."""
        for path in self.made:
            path.unlink(missing_ok=True)


@contextmanager
def spool(folder: Path, disk: FullDisk) -> Iterator[Spool]:
    """A spool for one request."""
    made = Spool(folder, disk)
    try:
        yield made
    finally:
        made.clear()


class Intake:
    """The parts of one request, in the order in which they come."""

    def __init__(self, wanted: Mapping[str, bool], limit: int, into: Spool, gone: Callable[[], bool]) -> None:
        """`wanted`: whether a result is to be a file even when it is small. `limit`: bytes of one, 0: any."""
        self._wanted, self._limit, self._into, self._gone = wanted, limit, into, gone
        self._one: _Result | _Tail | None = None  # the part that is coming, if it is welcome
        self.parts: dict[str, Part] = {}

    async def all(self, found: Mapping[str, bytes]) -> None:
        """Parts that are there as a whole."""
        for name, data in found.items():
            as_file = self._wanted.get(name)
            if as_file is None and name in SIDE_PARTS:
                self.parts[name] = Part.of(name, data[-SIDE_LIMIT:])
            elif as_file is False and len(data) <= HEAD:
                self.within(name, len(data))
                self.parts[name] = Part.of(name, data)
            elif as_file is not None:
                for event in (Begin(name), data, End()):
                    await self.take(event)

    async def take(self, event: Event) -> None:
        """What the parser said."""
        if isinstance(event, Begin):
            self._one = self._begun(event.name)
        elif self._one is None:
            return
        elif isinstance(event, End):
            self.parts[self._one.name] = await self._one.end()
            self._one = None
        else:
            await self._one.add(event)

    def _begun(self, name: str) -> _Result | _Tail | None:
        if name in self._wanted:
            return _Result(name, self._wanted[name], self)
        return _Tail(name) if name in SIDE_PARTS else None

    def close(self) -> None:
        """No more comes, whatever the reason."""
        if self._one is not None:
            self._one.close()

    def within(self, name: str, size: int) -> None:
        """Raises BodyRefused when this is too much for one result."""
        if self._limit and size > self._limit:
            raise BodyRefused(413, f"result {name} is larger than max_result, {self._limit} bytes")

    async def open(self) -> tuple[FileIO, Path]:
        """A new file, when there is room for one, and a folder: one that was removed is being made again."""
        while True:
            try:
                return self._into.new(), self._into.made[-1]
            except OSError as error:
                await self._wait_for_room(error)

    async def write(self, file: FileIO, data: Piece) -> None:
        """To disk."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[file.write(rest) or 0 :]
            except OSError as error:
                await self._wait_for_room(error)

    async def synced(self, coming: Awaitable[None]) -> None:
        """Onto the disk. What a full one refuses only now, as NFS does, is lost: once there is room, Lost is raised."""
        try:
            return await coming
        except OSError as error:
            await self._wait_for_room(error)
        while True:
            try:
                await asyncio.to_thread(self._into.probe)
                break
            except OSError as error:
                await self._wait_for_room(error)
        raise Lost("a full disk has lost the body")

    async def _wait_for_room(self, error: OSError) -> None:
        """Wait a moment, if the disk is full and the sender is still there.

        When the run ends, the sender is cut off at once: what it had sent is removed, and is room for the store.
        """
        if error.errno not in (*FULL, errno.ENOENT):
            raise error
        disk = self._into.disk
        if disk.is_ending:
            disk.lose_upload()
            raise ConnectionResetError("the run ends, and there is no room for this result") from error
        await disk.pause("a result", error, os.path.realpath(self._into.folder))
        if self._gone():
            raise ConnectionResetError("the sender has gone") from error


class _Tail:
    """A part of which only the end is kept."""

    def __init__(self, name: str) -> None:
        self.name, self._data = name, b""

    async def add(self, piece: bytes | memoryview) -> None:
        """More of it."""
        self._data = (self._data + piece)[-SIDE_LIMIT:]

    async def end(self) -> Part:
        """That was all."""
        return Part.of(self.name, self._data)

    def close(self) -> None:
        """Nothing is open."""


class _Result:
    """A part that is kept whole: in memory, or in a file when it is to be one or is large."""

    def __init__(self, name: str, as_file: bool, intake: Intake) -> None:
        self.name, self._as_file, self._intake = name, as_file, intake
        self._head, self._size, self._synced = bytearray(), 0, 0
        self._sync: asyncio.Future[None] | None = None
        self._file: FileIO | None = None
        self._path: Path | None = None

    async def add(self, piece: bytes | memoryview) -> None:
        """More of it."""
        self._size += len(piece)
        self._intake.within(self.name, self._size)
        if self._file is None and self._size <= HEAD:
            self._head += piece
        else:
            await self._intake.write(self._file or await self._open(), piece)
            if self._size - self._synced >= SYNC_EVERY:
                await self._sync_meanwhile()

    async def end(self) -> Part:
        """That was all: a file is synced."""
        if self._file is None and not self._as_file:
            return Part.of(self.name, bytes(self._head))
        file = self._file or await self._open()
        if self._sync is not None:
            await self._intake.synced(self._sync)
        await self._intake.synced(asyncio.to_thread(os.fsync, file.fileno()))  # others are served meanwhile
        self.close()
        return Part(self.name, None, self._path, self._size)

    async def _sync_meanwhile(self) -> None:
        """One at a time: who sends faster than the disk writes is held up here, and not by a full page cache."""
        assert self._file is not None
        if self._sync is not None:
            await self._intake.synced(self._sync)
        self._sync = asyncio.ensure_future(asyncio.to_thread(_synced, os.dup(self._file.fileno())))
        self._synced = self._size

    async def _open(self) -> FileIO:
        self._file, self._path = await self._intake.open()
        await self._intake.write(self._file, self._head)
        return self._file

    def close(self) -> None:
        """Also when it is not complete."""
        if self._file is not None:
            self._file.close()


def _synced(descriptor: int) -> None:
    """With a descriptor of its own: the file may be closed meanwhile, when the sender has gone."""
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)

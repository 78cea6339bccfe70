"""Stores the parts of a request's body: a result in memory or in a file as it arrives, of any other
part the last 64 kB.

Names from outside never become paths. While the disk is full an upload waits, as the store does: a
full disk is no fault of the task, of its host or of its program.
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

SIDE_PARTS = ("stdout", "stderr", "exit-code", "usage", "files")  # taken beside the results
SIDE_LIMIT = 64 * 1024  # bytes kept of each of them: the end, where programs say what went wrong
# A large file is synced while more of it arrives. With one fsync at the end the disk would idle
# during the transfer, and the client would wait for all of it afterwards.
SYNC_EVERY = 32 * 1024 * 1024  # bytes
Piece = bytes | bytearray | memoryview


class BodyRefused(SpeError):
    """A body that the master does not take. `status` is the status of the HTTP answer."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Spool:
    """The files of one request, below `folder`.

    What was not moved elsewhere is removed when the request ends.

    `disk` is where all of this run wait for a disk that is full.
    """

    def __init__(self, folder: Path, disk: FullDisk) -> None:
        self.folder = folder
        self.disk = disk
        self.made: list[Path] = []

    def new(self) -> FileIO:
        """Open a new file under a random name."""
        # Without parents: the folder of a run that was moved away must not come into being again.
        self.folder.mkdir(exist_ok=True)
        path = self.folder / secrets.token_hex(8)
        self.made.append(path)
        return FileIO(path, "x")

    def probe(self) -> None:
        """Write and sync a small file. Raises OSError when it does not reach the disk."""
        self.folder.mkdir(exist_ok=True)
        probe(self.folder)

    def clear(self) -> None:
        """Remove the files that were not moved elsewhere."""
        for path in self.made:
            path.unlink(missing_ok=True)


@contextmanager
def spool(folder: Path, disk: FullDisk) -> Iterator[Spool]:
    """Open the spool of one request; remove its files at the end."""
    made = Spool(folder, disk)
    try:
        yield made
    finally:
        made.clear()


class Intake:
    """The parts of one request, in the order in which they come."""

    def __init__(
        self, wanted: Mapping[str, bool], limit: int, into: Spool, gone: Callable[[], bool]
    ) -> None:
        """Take the results that are `wanted` (name -> whether it becomes a file even when it is
        small).

        `limit` is the most bytes of one result, 0 for any. `gone` tells whether the sender has hung
        up.
        """
        self._wanted = wanted
        self._limit = limit
        self._into = into
        self._gone = gone
        # The part that is arriving; None for a part that nobody wants.
        self._one: _Result | _Tail | None = None
        self.parts: dict[str, Part] = {}

    async def all(self, found: Mapping[str, bytes]) -> None:
        """Take parts that have already arrived as a whole (name -> content)."""
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
        """Take one event of the multipart parser."""
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
        """Return what takes the part of this name; None for a part that nobody wants."""
        if name in self._wanted:
            return _Result(name, self._wanted[name], self)
        if name in SIDE_PARTS:
            return _Tail(name)
        return None

    def close(self) -> None:
        """Close the open file. Called once at the end of the request, also when it failed."""
        if self._one is not None:
            self._one.close()

    def within(self, name: str, size: int) -> None:
        """Raise BodyRefused when `size` bytes are too many for one result."""
        if self._limit and size > self._limit:
            raise BodyRefused(413, f"result {name} is larger than max_result, {self._limit} bytes")

    async def open(self) -> tuple[FileIO, Path]:
        """Open a new file.

        Waits while the disk is full and while the folder, if it was removed, is made again.
        """
        while True:
            try:
                return self._into.new(), self._into.made[-1]
            except OSError as error:
                await self._wait_for_room(error)

    async def write(self, file: FileIO, data: Piece) -> None:
        """Write all of `data`. Waits while the disk is full."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[file.write(rest) or 0 :]
            except OSError as error:
                await self._wait_for_room(error)

    async def synced(self, coming: Awaitable[None]) -> None:
        """Wait for a sync.

        Raises Lost when a full disk refused the data only now, as NFS does, once there is room.
        """
        try:
            await coming
            return
        except OSError as error:
            await self._wait_for_room(error)
        # What was written before is gone with the failed sync. The client keeps its copy until the
        # answer: it is cut off and sends again, but only once a sync succeeds here, or it would
        # send in vain for as long as the disk is full.
        while True:
            try:
                await asyncio.to_thread(self._into.probe)
                break
            except OSError as error:
                await self._wait_for_room(error)
        raise Lost("a full disk has lost the body")

    async def _wait_for_room(self, error: OSError) -> None:
        """Wait a moment, if the disk is full and the sender is still there; raise any other error.

        When the run ends, the sender is cut off at once: the bytes that it had sent are removed,
        which makes room for the store. Raises ConnectionResetError then, and when the sender has
        hung up.
        """
        if error.errno not in (*FULL, errno.ENOENT):
            raise error
        disk = self._into.disk
        if disk.is_ending:
            disk.lose_upload()
            raise ConnectionResetError(
                "the run ends, and there is no room for this result"
            ) from error
        await disk.pause("a result", error, os.path.realpath(self._into.folder))
        if self._gone():
            raise ConnectionResetError("the sender has gone") from error


class _Tail:
    """A part of which the last 64 kB are kept."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._data = b""

    async def add(self, piece: bytes | memoryview) -> None:
        """Append a chunk."""
        self._data = (self._data + piece)[-SIDE_LIMIT:]

    async def end(self) -> Part:
        """Return the part. Called once at its end."""
        return Part.of(self.name, self._data)

    def close(self) -> None:
        """Do nothing: no file is open."""


class _Result:
    """A result, kept whole: in memory while it is small, else in a file."""

    def __init__(self, name: str, as_file: bool, intake: Intake) -> None:
        self.name = name
        self._as_file = as_file
        self._intake = intake
        self._head = bytearray()
        self._size = 0  # bytes so far
        self._synced = 0  # bytes that a sync was begun for
        self._sync: asyncio.Future[None] | None = None
        self._file: FileIO | None = None
        self._path: Path | None = None

    async def add(self, piece: bytes | memoryview) -> None:
        """Append a chunk. Raises BodyRefused beyond the size limit."""
        self._size += len(piece)
        self._intake.within(self.name, self._size)
        if self._file is None and self._size <= HEAD:
            self._head += piece
        else:
            await self._intake.write(self._file or await self._open(), piece)
            if self._size - self._synced >= SYNC_EVERY:
                await self._sync_meanwhile()

    async def end(self) -> Part:
        """Return the part. Called once at its end; a file is on the disk when this returns."""
        if self._file is None and not self._as_file:
            return Part.of(self.name, bytes(self._head))
        file = self._file or await self._open()
        if self._sync is not None:
            await self._intake.synced(self._sync)
        # In a thread: fsync may take seconds, and the event loop serves other clients meanwhile.
        await self._intake.synced(asyncio.to_thread(os.fsync, file.fileno()))
        self.close()
        return Part(self.name, None, self._path, self._size)

    async def _sync_meanwhile(self) -> None:
        """Start a sync and go on; wait for the one before.

        A sender faster than the disk is slowed down here.

        Without this it would fill the page cache, and then every write of the machine would stall.
        """
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
        """Close the file, also one that is not complete."""
        if self._file is not None:
            self._file.close()


def _synced(descriptor: int) -> None:
    """Sync through a descriptor of its own: the file may be closed meanwhile, when the sender has
    hung up.
    """
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)

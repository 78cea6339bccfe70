"""Keeps the parts of a body: a result in memory or, as it comes, in a file; of other parts the end alone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from io import FileIO
from pathlib import Path

from ..errors import SpeError
from ..results.extract import HEAD, Part
from ..results.trees import MOST_FILES, Member, refusal
from .multipart import Begin, End, Event
from .multipart_head import shown
from .spool import Spool, SpoolWriter, spool

__all__ = ["SIDE_LIMIT", "SIDE_PARTS", "BodyRefused", "Intake", "Spool", "spool"]
SIDE_PARTS = ("stdout", "stderr", "exit-code", "usage", "files")  # welcome beside the results
SIDE_LIMIT = 64 * 1024  # bytes: of longer side parts the end is kept, where errors stand
# A large file is synced while more of it arrives. With one fsync at the end the disk would idle
# during the transfer, and the client would wait for all of it afterwards.
TOGETHER, TOGETHER_BYTES = 500, 1 << 20  # small files that are written in one go
SYNC_EVERY = 32 * 1024 * 1024  # bytes


class BodyRefused(SpeError):
    """A body that cannot be taken; `status` says how HTTP is told."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Intake:
    """The parts of one request, in the order in which they come."""

    def __init__(
        self,
        wanted: Mapping[str, bool],
        limit: int,
        into: Spool,
        gone: Callable[[], bool],
        trees: Collection[str] = (),
    ) -> None:
        """`wanted`: whether a result is to be a file even when it is small. `limit`: bytes of one, 0: any.

        `trees`: results of several files.
        """
        self._wanted, self._limit = wanted, limit
        self._writer = SpoolWriter(into, gone)
        self._trees = {name: _Tree(name, self._writer, self._within) for name in trees}
        self._one: _Result | _Tail | _TreeFile | None = None  # the part that is coming, if it is welcome
        self.parts: dict[str, Part] = {}

    def wants(self, name: str) -> bool:
        """Tell whether a part of this name is kept."""
        return name in self._wanted or name in self._trees or name in SIDE_PARTS

    async def all(self, found: Mapping[str, bytes]) -> None:
        """Take in parts that are there as a whole."""
        for name, data in found.items():
            if name in self._trees:
                raise BodyRefused(400, f"the files of {name} do not go into a batch: POST /complete")
            as_file = self._wanted.get(name)
            if as_file is None and name in SIDE_PARTS:
                self.parts[name] = Part.of(name, data[-SIDE_LIMIT:])
            elif as_file is False and len(data) <= HEAD:
                self._within(name, len(data))
                self.parts[name] = Part.of(name, data)
            elif as_file is not None:
                for event in (Begin(name), data, End()):
                    await self.take(event)

    async def take(self, event: Event) -> None:
        """Take in what the parser has found: the beginning of a part, a piece of it, or its end."""
        if isinstance(event, Begin):
            self._one = self._begun(event)
        elif self._one is None:
            return
        elif isinstance(event, End):
            part = await self._one.end()
            if part is not None:
                self.parts[self._one.name] = part
            self._one = None
        else:
            await self._one.add(event)

    def _begun(self, event: Begin) -> _Result | _Tail | _TreeFile | None:
        name = event.name
        if name in self._trees:
            if sum(len(tree.names) for tree in self._trees.values()) >= MOST_FILES:
                raise BodyRefused(413, f"more than {MOST_FILES} files")
            return _TreeFile(self._trees[name], event.filename, self._writer)
        if name in self._wanted:
            return _Result(name, self._wanted[name], self._writer, self._within)
        return _Tail(name) if name in SIDE_PARTS else None

    async def finish(self) -> None:
        """Bring the files of trees to the disk. Called once the body is complete."""
        for name, tree in self._trees.items():
            if tree.names:
                self.parts[name] = await tree.end()

    def close(self) -> None:
        """Close what is open. Called once no more comes, whatever the reason."""
        if self._one is not None:
            self._one.close()

    def _within(self, name: str, size: int) -> None:
        """Raise BodyRefused when so many bytes are too much for one result."""
        if self._limit and size > self._limit:
            raise BodyRefused(413, f"result {name} is larger than max_result, {self._limit} bytes")


class _Tree:
    """A result of several files, while they come. Their names are foreign: each is looked at."""

    def __init__(self, name: str, writer: SpoolWriter, within: Callable[[str, int], None]) -> None:
        """`within(name, size)` raises when all files together have become too large."""
        self.name, self.names = name, set[str]()
        self.size = 0
        self._writer, self._within = writer, within
        self._members: list[Member] = []
        self._large: list[Path] = []  # written, and not yet synced
        # Small files that have come. They are written and synced by threads, many at a time: one
        # file after the other would take milliseconds each, in which no other client is served.
        self._small: dict[str, bytes] = {}
        self._small_bytes = 0

    def admit(self, filename: str) -> None:
        """Raise BodyRefused for the name of a file that none may have, or that came before."""
        if why := refusal(filename):
            raise BodyRefused(400, f"result {self.name}: the name of a file {why}: {shown(filename)}")
        if filename in self.names:
            raise BodyRefused(400, f"result {self.name}: two files are named {shown(filename)}")
        self.names.add(filename)

    def grow(self, size: int) -> None:
        """Count bytes."""
        self.size += size
        self._within(self.name, self.size)

    def add_large(self, filename: str, path: Path, size: int) -> None:
        """Take a file that is written."""
        self._large.append(path)
        self._members.append(Member(filename, path, size))

    async def add_small(self, filename: str, content: bytes) -> None:
        """Take a file that is in memory."""
        self._small[filename] = content
        self._small_bytes += len(content)
        if len(self._small) >= TOGETHER or self._small_bytes >= TOGETHER_BYTES:
            await self._write_small()

    async def _write_small(self) -> None:
        small, self._small, self._small_bytes = self._small, {}, 0
        paths = await self._writer.write_all(list(small.values()))
        for path, (filename, content) in zip(paths, small.items(), strict=True):
            self._members.append(Member(filename, path, len(content)))

    async def end(self) -> Part:
        """Return the result, its files in the order of their names. All are on the disk by then."""
        await self._write_small()
        await self._writer.synced(asyncio.to_thread(_sync_all, self._large))
        members = tuple(sorted(self._members, key=lambda one: one.name))
        return Part(self.name, None, None, self.size, members)


class _TreeFile:
    """A file of a tree while it comes: in memory, or in a file when it is large."""

    def __init__(self, tree: _Tree, filename: str, writer: SpoolWriter) -> None:
        tree.admit(filename)
        self.name, self._tree, self._filename, self._writer = tree.name, tree, filename, writer
        self._head = bytearray()
        self._file: FileIO | None = None
        self._path: Path | None = None
        self._size = 0

    async def add(self, piece: bytes | memoryview) -> None:
        """Append a piece."""
        self._tree.grow(len(piece))
        self._size += len(piece)
        if self._file is None and self._size <= HEAD:
            self._head += piece
            return
        if self._file is None:
            self._file, self._path = await self._writer.open()
            await self._writer.write(self._file, self._head)
        await self._writer.write(self._file, piece)

    async def end(self) -> None:
        """Hand the file to its tree. Called once at its end."""
        self.close()
        if self._path is None:
            await self._tree.add_small(self._filename, bytes(self._head))
        else:
            self._tree.add_large(self._filename, self._path, self._size)

    def close(self) -> None:
        """Close the file, also when it is not complete."""
        if self._file is not None:
            self._file.close()


class _Tail:
    """A part of which only the end is kept."""

    def __init__(self, name: str) -> None:
        self.name, self._data = name, b""

    async def add(self, piece: bytes | memoryview) -> None:
        """Append a piece."""
        self._data = (self._data + piece)[-SIDE_LIMIT:]

    async def end(self) -> Part:
        """Return the part. Called once at its end."""
        return Part.of(self.name, self._data)

    def close(self) -> None:
        """Do nothing: no file is open."""


class _Result:
    """A part that is kept whole: in memory, or in a file when it is to be one or is large."""

    def __init__(
        self, name: str, as_file: bool, writer: SpoolWriter, within: Callable[[str, int], None]
    ) -> None:
        """`within(name, size)` raises when the result has become too large."""
        self.name, self._as_file, self._writer, self._within = name, as_file, writer, within
        self._head, self._size, self._synced = bytearray(), 0, 0
        self._sync: asyncio.Future[None] | None = None
        self._file: FileIO | None = None
        self._path: Path | None = None

    async def add(self, piece: bytes | memoryview) -> None:
        """Append a piece, in memory as long as the result is small."""
        self._size += len(piece)
        self._within(self.name, self._size)
        if self._file is None and self._size <= HEAD:
            self._head += piece
        else:
            await self._writer.write(self._file or await self._open(), piece)
            if self._size - self._synced >= SYNC_EVERY:
                await self._sync_meanwhile()

    async def end(self) -> Part:
        """Return the part; a file is on the disk by then. Called once at its end."""
        if self._file is None and not self._as_file:
            return Part.of(self.name, bytes(self._head))
        file = self._file or await self._open()
        if self._sync is not None:
            await self._writer.synced(self._sync)
        await self._writer.synced(
            asyncio.to_thread(os.fsync, file.fileno())
        )  # other requests are served meanwhile
        self.close()
        return Part(self.name, None, self._path, self._size)

    async def _sync_meanwhile(self) -> None:
        """Sync what has come while more comes, one sync at a time.

        A sender that is faster than the disk is held up here, and not by a full page cache.
        """
        assert self._file is not None
        if self._sync is not None:
            await self._writer.synced(self._sync)
        self._sync = asyncio.ensure_future(asyncio.to_thread(_synced, os.dup(self._file.fileno())))
        self._synced = self._size

    async def _open(self) -> FileIO:
        self._file, self._path = await self._writer.open()
        await self._writer.write(self._file, self._head)
        return self._file

    def close(self) -> None:
        """Close the file, also when it is not complete."""
        if self._file is not None:
            self._file.close()


def _synced(descriptor: int) -> None:
    """Sync by a descriptor of its own: the file may be closed meanwhile, when the sender has gone."""
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _sync_all(paths: Sequence[Path]) -> None:
    """Sync files that are written and closed."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""The files of a folder as one archive, which clients unpack once.

The archive has the same bytes each time it is made: names are sorted, and times and owners are left
out. So its SHA-256 is known before it lies on the disk, and it is written when a client asks for it.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from ...record import record

PART = ".part"


@record
class Member:
    """A file of an archive: its name in it, its path here, its permissions and bytes."""

    name: str
    path: Path
    mode: int
    size: int


class _Output(Protocol):
    def write(self, data: bytes, /) -> object: ...


class _Counter:
    """Takes the bytes of an archive for their digest, and passes them on if there is a file."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self.digest = hashlib.sha256()
        self.size = 0
        self._file = file

    def write(self, data: bytes, /) -> int:
        self.digest.update(data)
        self.size += len(data)
        if self._file:
            self._file.write(data)
        return len(data)


class Archive:
    """The archive of some files. It lives as long as the run."""

    def __init__(
        self, members: Sequence[Member], empty: Sequence[str], sha256: str, size: int
    ) -> None:
        self.members, self.empty = members, empty
        self.sha256, self.size = sha256, size
        self._path: Path | None = None
        self._writing = threading.Lock()

    @property
    def is_written(self) -> bool:
        """True when it lies on the disk: what happens to the files does not matter then."""
        return self._path is not None

    def written(self, folder: Path) -> Path:
        """Return its path below `folder`, written at the first call.

        Raises OSError, and ValueError when a file is not as it was when its digest was made.
        """
        with self._writing:
            if self._path is None:
                self._path = self._write(folder)
            return self._path

    def _write(self, folder: Path) -> Path:
        path = folder / f"archive-{self.sha256}.tar"
        if path.exists():  # written before this master was restarted
            return path
        temporary = path.with_name(path.name + PART)
        try:
            with temporary.open("wb") as file:
                sha256, _ = _pack(self.members, self.empty, _Counter(file))
            if sha256 != self.sha256:
                raise ValueError("a file was changed while the sweep runs")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return path


def digest_of(members: Sequence[Member], empty: Sequence[str]) -> tuple[str, int]:
    """Return (SHA-256, bytes) of the archive of these files. Raises OSError."""
    return _pack(members, empty, _Counter())


def _pack(members: Sequence[Member], empty: Sequence[str], into: _Counter) -> tuple[str, int]:
    # As a stream: nothing but the counter need know the bytes.
    with tarfile.open(fileobj=cast(BinaryIO, into), mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name in empty:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for one in members:
            entry = tarfile.TarInfo(one.name)
            entry.size, entry.mode = one.size, one.mode
            with one.path.open("rb") as file:
                # One that has grown or shrunk must not break the archive: its digest will tell.
                if os.fstat(file.fileno()).st_size != one.size:
                    raise ValueError("a file was changed while the sweep runs")
                tar.addfile(entry, file)
    return into.digest.hexdigest(), into.size

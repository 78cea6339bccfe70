"""Digests of files, remembered from one run to the next.

A file is read again when its size, times or inode differ. One that was written less than some
seconds before it was read is not remembered: times are coarse, and a later write could leave them
as they are.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from pathlib import Path
from typing import BinaryIO

FILE = ".digests"  # in runs/ of the sweep's folder
CALM = 3.0  # seconds without a write before a file is read, for its digest to be remembered
CHUNK = 1 << 20  # bytes read at once
Stamp = tuple[int, int, int, int]  # size, time of modification and of change in ns, inode


def stamp_of(info: os.stat_result) -> Stamp:
    """Return what changes with a file's content."""
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino


class Digests:
    """SHA-256 of files by their paths, and of archives by what they are made of.

    `folder`: runs/ of the sweep. Nothing is written before `save`.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._known: dict[str, tuple[Stamp, str]] | None = None
        self._archives: dict[str, tuple[str, int]] = {}
        self._is_changed = False

    def of_file(self, path: Path, file: BinaryIO) -> bytes:
        """Return the SHA-256 of a file that is open at its beginning."""
        stamp = stamp_of(os.fstat(file.fileno()))
        known = self._read().get(str(path))
        if known and known[0] == stamp:
            return bytes.fromhex(known[1])
        began = time.time()
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK):
            digest.update(chunk)
        if max(stamp[1], stamp[2]) / 1e9 < began - CALM:
            self._read()[str(path)] = stamp, digest.hexdigest()
            self._is_changed = True
        return digest.digest()

    def of_archive(self, key: str) -> tuple[str, int] | None:
        """Return (SHA-256, bytes) of the archive of these files; None when it was not made yet."""
        self._read()
        return self._archives.get(key)

    def remember_archive(self, key: str, sha256: str, size: int) -> None:
        """Remember the SHA-256 and the size of an archive."""
        self._archives[key] = sha256, size
        self._is_changed = True

    def save(self) -> None:
        """Write what is known for the next run. A folder that can't be written costs time alone."""
        if not self._is_changed:
            return
        text = json.dumps({"files": self._read(), "archives": self._archives})
        temporary = self._file.with_name(f"{FILE}-{secrets.token_hex(4)}")
        with contextlib.suppress(OSError):
            try:
                temporary.write_text(text)
                temporary.replace(self._file)
            finally:
                temporary.unlink(missing_ok=True)
        self._is_changed = False

    def _read(self) -> dict[str, tuple[Stamp, str]]:
        """Return what is known of files, read at the first call."""
        if self._known is None:
            self._known = {}
            # A file that somebody has damaged costs time alone.
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
                found = json.loads(self._file.read_text())
                files = {
                    path: (_stamp(one[0]), _hex(one[1])) for path, one in found["files"].items()
                }
                archives = {
                    key: (_hex(one[0]), int(one[1])) for key, one in found["archives"].items()
                }
                self._known, self._archives = files, archives
        return self._known


def _stamp(found: list[int]) -> Stamp:
    size, modified, changed, inode = map(int, found)
    return size, modified, changed, inode


def _hex(text: str) -> str:
    if len(bytes.fromhex(text)) != hashlib.sha256().digest_size:
        raise ValueError(text)
    return text

"""A file system like one NFS client's view of a server: what it has looked at it believes for some seconds.

    python stalefs.py SERVED MOUNT SECONDS NAME FULL

One such mount a host, all of the same folder SERVED. Sizes, times, names and *missing* names are SECONDS old at most,
as the kernel keeps them for each mount; a file that another host has removed is a stale handle (ESTALE) for who has it
open; locks are known to this mount only; rename, fsync, O_EXCL and a full disk are the server's own. In /proc/mounts it
is a `fuse.NAME`. Stop the process (SIGSTOP) and the mount hangs as a server that is away: whoever touches it waits,
and can be killed. While the file FULL is there, the server's disk is: what was written since the last fsync
is lost, and the next one says so.
"""

from __future__ import annotations

import errno
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mfusepy

STAT = ("st_ino", "st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks")
TIMES = ("st_atime", "st_mtime", "st_ctime")


class Server(mfusepy.Operations):  # type: ignore[misc]
    """The folder that is served. Calls come in several threads; a handle is a number of ours."""

    use_ns = True

    def __init__(self, folder: str, full: str) -> None:
        self._folder, self._full = os.path.realpath(folder), full
        self._safe: dict[int, int] = {}  # inode -> bytes of it that an fsync has brought to the disk
        self._numbers = itertools.count(1)
        self._files: dict[int, int] = {}  # handle -> file descriptor

    def _at(self, path: str) -> str:
        return self._folder + path

    def _file(self, handle: int) -> int:
        file = self._files[handle]
        if os.fstat(file).st_nlink == 0:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return file

    def _keep(self, file: int) -> int:
        handle = next(self._numbers)
        self._files[handle] = file
        return handle

    def _give_away(self, path: str) -> None:
        """What a user makes is the user's, though it is us who make it."""
        user, group, _ = mfusepy.fuse_get_context()
        os.chown(self._at(path), user, group, follow_symlinks=False)

    # -- looking

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        found = os.fstat(self._files[fh]) if fh in self._files else os.lstat(self._at(path))  # type: ignore[index]
        return {key: getattr(found, key) for key in STAT} | {key: getattr(found, f"{key}_ns") for key in TIMES}

    def readdir(self, path: str, fh: int) -> Iterator[Any]:
        yield from ((name, {"st_ino": 1}, 0) for name in (".", ".."))  # with use_ino each name needs a number
        with os.scandir(self._at(path)) as entries:
            yield from [(entry.name, {"st_ino": entry.inode()}, 0) for entry in entries]

    def readlink(self, path: str) -> str:
        return os.readlink(self._at(path))

    def statfs(self, path: str) -> dict[str, int]:
        disk = os.statvfs(self._at(path))
        names = ("bavail", "bfree", "blocks", "bsize", "favail", "ffree", "files", "frsize", "namemax")
        return {f"f_{name}": getattr(disk, f"f_{name}") for name in names}

    # -- files

    def open(self, path: str, flags: int) -> int:
        return self._keep(os.open(self._at(path), flags & ~(os.O_APPEND | os.O_CREAT | os.O_EXCL)))

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        file = os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        self._give_away(path)
        return self._keep(file)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(self._file(fh), size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(self._file(fh), data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        os.truncate(self._at(path) if fh is None else self._file(fh), length)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        file = self._file(fh)
        inode, size = os.fstat(file).st_ino, os.fstat(file).st_size
        if os.path.exists(self._full):
            os.ftruncate(file, min(size, self._safe.get(inode, 0)))
            number = int(Path(self._full).read_text())
            raise OSError(number, os.strerror(number))
        os.fsync(file)
        self._safe[inode] = size

    def flush(self, path: str, fh: int) -> None:
        """Nothing is held back."""

    def release(self, path: str, fh: int) -> None:
        os.close(self._files.pop(fh))

    # -- names

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(self._at(path), mode)
        self._give_away(path)

    def symlink(self, target: str, source: str) -> None:
        os.symlink(source, self._at(target))
        self._give_away(target)

    def link(self, target: str, source: str) -> None:
        os.link(self._at(source), self._at(target))

    def rename(self, old: str, new: str) -> None:
        os.rename(self._at(old), self._at(new))

    def unlink(self, path: str) -> None:
        os.unlink(self._at(path))

    def rmdir(self, path: str) -> None:
        os.rmdir(self._at(path))

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(self._at(path), mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        os.chown(self._at(path), uid, gid, follow_symlinks=False)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        os.utime(self._at(path), ns=times)


def main(served: str, mount: str, seconds: str, name: str, full: str) -> None:
    serve: Callable[..., object] = mfusepy.FUSE
    old = float(seconds)
    serve(
        Server(served, full), mount, foreground=True, allow_other=True, default_permissions=True, use_ino=True,
        attr_timeout=old, entry_timeout=old, negative_timeout=old, fsname="server:/export", subtype=name,
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])

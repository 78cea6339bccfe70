"""Part files: what is written before it takes its place, each locked by the process that writes it.

A process that is killed leaves its part file, and the kernel ends its lock. So the next one that
writes to the same place can tell it from the part file of another process that is still at work, also
of another machine on a shared folder, where a process number says nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX, SUFFIX = "spe.", ".part"
_SCRATCH = re.compile(r"spe\.[a-z0-9_]+\.part")  # as mkstemp makes them


@contextlib.contextmanager
def part_beside(place: Path) -> Iterator[Path]:
    """Make an empty part file beside a place, locked until the block ends, which removes it.

    Part files for this place that killed processes left behind are removed. Raises OSError.
    """
    _remove_left(place.parent, re.compile(rf"\.{re.escape(place.name)}\.[0-9]+\.part"))
    path = place.with_name(f".{place.name}.{os.getpid()}{SUFFIX}")
    yield from _locked(path, _opened_for_good(path))


@contextlib.contextmanager
def part_in_scratch() -> Iterator[Path]:
    """The same in the folder for temporary files: for what is copied into a device or a pipe."""
    folder = Path(tempfile.gettempdir())
    _remove_left(folder, _SCRATCH)
    descriptor, name = tempfile.mkstemp(prefix=PREFIX, suffix=SUFFIX, dir=folder)
    _lock(descriptor)
    yield from _locked(Path(name), descriptor)


def _locked(path: Path, descriptor: int) -> Iterator[Path]:
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)  # before its lock ends
        os.close(descriptor)


def _opened_for_good(path: Path) -> int:
    """Return a descriptor of the file at this path, locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        _lock(descriptor)
        # Between the two, another process may have found it unlocked and removed it.
        if _is_at(path, descriptor):
            os.ftruncate(descriptor, 0)
            return descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    # A file system without locks: then nobody else can lock it either, and it is never removed.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove_left(folder: Path, names: re.Pattern[str]) -> None:
    """Remove the user's part files of these names that no process has locked."""
    try:
        found = [one for one in os.listdir(folder) if names.fullmatch(one)]
    except OSError:
        return  # a folder that can be written to but not listed
    for name in found:
        with contextlib.suppress(OSError):
            _remove_unless_locked(folder / name)


def _remove_unless_locked(path: Path) -> None:
    # In /tmp anybody can put a link or a pipe of such a name: neither is followed or waited for.
    # For writing: NFS gives no lock on a file that is open for reading only.
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(path, descriptor):
            path.unlink()
    finally:
        os.close(descriptor)

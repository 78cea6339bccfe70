"""Signatures of files: what differs when a file was written again or replaced, without reading it."""

from __future__ import annotations

import os
from pathlib import Path

Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp | None:
    """Return inode, size and time of change of a file; None when it is not there.

    The time alone is not enough: two writes may fall into one tick of the clock, and tools such as rsync set it back.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of what is at this path, None for nothing.

    Raises OSError when the system does not tell.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):  # any other error says nothing about the file
        return None
    return found.st_dev, found.st_ino


def identity_of(descriptor: int) -> tuple[int, int]:
    """Return device and inode of what is open by this descriptor."""
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino

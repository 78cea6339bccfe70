"""Files and folders held by themselves and not by their names, so that one knows what became of them.

An open descriptor stays with its file when that is moved, and the kernel tells its name of now. What needs such a
descriptor to write through a folder, wherever that is, uses `Anchor.through`.
"""

from __future__ import annotations

import os
from pathlib import Path

DELETED = " (deleted)"
SILLY = ".nfs"  # what NFS renames a file to that is removed while it is open
FDS = Path("/proc/self/fd")


class Anchor:
    """One file or folder, from now until `let_go`."""

    def __init__(self, path: Path, name: Path | None = None) -> None:
        """Hold what is at `path`; `name`: how people call it. Raises OSError when there is nothing."""
        # O_PATH: closing any other descriptor of a database would take SQLite's POSIX locks away from this process.
        self._fd = os.open(path, getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC)
        self.identity = identity_of(self._fd)
        self.last = name or path  # the last name that is known

    @property
    def through(self) -> Path:
        """A path to it by its descriptor, also for child processes; it is the same as long as the anchor is held.

        Where the system has no such paths, it is the last known name.
        """
        return Path(f"/proc/{os.getpid()}/fd/{self._fd}") if FDS.exists() else self.last

    def is_at(self, path: Path) -> bool:
        """Whether this path leads to it. Raises OSError when nobody can tell, as on a server that does not answer."""
        return identity(path) == self.identity

    def where(self) -> Path | None:
        """Return the present name, the last known one if that still leads here; None if the file was removed."""
        if self.is_at(self.last):
            return self.last
        try:
            name = os.readlink(FDS / str(self._fd))
        except OSError:
            return None
        found = Path(name)
        if found.name.startswith(SILLY) or not self.is_at(found):
            return None
        self.last = found
        return found

    def swap(self, path: Path, name: Path | None = None) -> None:
        """Hold what is at `path` instead, by the same descriptor: what goes `through` it goes there from now on."""
        other = Anchor(path, name)
        os.dup2(other._fd, self._fd, inheritable=False)
        other.let_go()
        self.identity, self.last = other.identity, other.last

    def let_go(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of what is at this path, None for nothing.

    Raises OSError when the system does not tell.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def identity_of(descriptor: int) -> tuple[int, int]:
    """The same of something that is open."""
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino

"""Files and folders that are held by a descriptor, so that one knows what became of them.

An open descriptor stays with its file when that is moved, and the kernel tells its present name.
`Anchor.through` is a path by such a descriptor: through it, files are written into a folder
wherever that is.
"""

from __future__ import annotations

import os
from pathlib import Path

from .stamps import identity, identity_of

__all__ = ["DELETED", "Anchor", "identity"]
DELETED = " (deleted)"
SILLY = ".nfs"  # beginning of the name that NFS gives to an open file that is removed
FDS = Path("/proc/self/fd")


class Anchor:
    """A file or folder that is held, from when this is made until `let_go`."""

    def __init__(self, path: Path, name: Path | None = None) -> None:
        """Hold what is at `path`; `name`: its path for people.

        Raises OSError when there is nothing.
        """
        # O_PATH: closing any other descriptor of a database would take SQLite's POSIX locks away
        # from this process.
        self._fd = os.open(path, getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC)
        self.identity = identity_of(self._fd)
        self.last = name or path  # the last name that is known

    @property
    def through(self) -> Path:
        """A path by the descriptor, also for child processes.

        It stays the same as long as the anchor is held.

        Where the system has no such paths (outside Linux), this is the last known name.
        """
        if not FDS.exists():
            return self.last
        # With our number, not /proc/self: a child process reads the path, too.
        return Path(f"/proc/{os.getpid()}/fd/{self._fd}")

    def is_at(self, path: Path) -> bool:
        """Tell whether this path leads to what is held.

        Raises OSError for a server that does not answer.
        """
        return identity(path) == self.identity

    def where(self) -> Path | None:
        """Return the present name, or the last known one if that still leads here.

        Return None if the file was removed.
        """
        if self.is_at(self.last):
            return self.last
        try:
            name = os.readlink(FDS / str(self._fd))
        except OSError:
            return None
        found = Path(name)
        # The kernel's name is not enough: it ends in " (deleted)" for what was removed, and such a
        # file may exist.
        if found.name.startswith(SILLY) or not self.is_at(found):
            return None
        self.last = found
        return found

    def swap(self, path: Path, name: Path | None = None) -> None:
        """Hold what is at `path` instead, by the same descriptor.

        The path `through` leads there from now on.
        """
        other = Anchor(path, name)
        os.dup2(other._fd, self._fd, inheritable=False)
        other.let_go()
        self.identity, self.last = other.identity, other.last

    def let_go(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)

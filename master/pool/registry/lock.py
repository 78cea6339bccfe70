"""An exclusive lock beside an SQLite file, held as long as the farm lives.

The kernel ends it with the process, also after `kill -9`. So whoever has it knows that no other
farm lives, and need not wait until the other one's lead is old.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ...errors import BusyError


class Lock:
    """The lock of one file. `release` ends it."""

    def __init__(self, database: Path) -> None:
        """Take the lock. Raises BusyError when another process has it."""
        path = database.with_name(database.name + ".lock")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            process = os.pread(self._file, 20, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            if not isinstance(error, BlockingIOError):
                raise
            raise BusyError(
                f"another farm uses this registry: process {process or 'unknown'}",
                where=str(database),
                todo="stop that one first, or give this one another --store",
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next farm take it. The file stays: without it two could lock two files."""
        os.close(self._file)

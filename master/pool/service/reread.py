"""A file of the administrator that is read again when it changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from ...errors import ConfigError

log = logging.getLogger("spe.farm")
T = TypeVar("T")
Stamp = tuple[int, int, int]


class Reread(Generic[T]):
    """One file, and how it is read. Lives as long as the farm."""

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        self.path = path
        self.fault = ""  # what is wrong with it since it changed last, as one line
        self._read = read
        self._stamp: Stamp | None = None

    def first(self) -> T:
        """Return what the file says. Raises ConfigError."""
        self._stamp = self._stamp_now()
        return self._read(self.path)

    def again(self) -> T | None:
        """Return what the file says now; None where it has not changed, or is wrong.

        What is wrong is logged once: the farm goes on with what the file said before.
        """
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return None
        # Before it is read: a file that changes meanwhile is read once more.
        self._stamp = stamp
        try:
            found = self._read(self.path)
        except ConfigError as error:
            self.fault = error.line
            log.error("%s. The farm goes on with the older text", error.line.rstrip("."))
            return None
        self.fault = ""
        log.info("%s has changed and was read again", self.path)
        return found

    def once_more(self) -> None:
        """Have the file read again at the next look: what it said could not be taken over."""
        self._stamp = None

    def _stamp_now(self) -> Stamp | None:
        """Return what changes with each change of the file; None where it cannot be looked at."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

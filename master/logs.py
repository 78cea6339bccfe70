"""Logs that do not fill a disk: a complaint not in every second, a log file within a size."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

PAUSE = 60.0  # seconds between two equal complaints
SIZE = 2_000_000  # bytes of a log after which a new one is begun
OLDER = 4  # logs that are kept beside it
FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class RateLimitedLog:
    """A log with a rate limit: a complaint is written at once, and again only after a minute.

    Lives as long as its owner; each has its own memory of what was written.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._said: dict[str, float] = {}

    def say(self, complaint: str) -> None:
        """Log a fault that lasts until somebody mends it, unless it was logged within PAUSE."""
        now = self._clock()
        if now - self._said.get(complaint, -PAUSE) >= PAUSE:
            # Older complaints are forgotten here: texts with numbers in them would pile up for weeks.
            lately = {one: then for one, then in self._said.items() if now - then < PAUSE}
            self._said = {**lately, complaint: now}
            self._log.error("%s", complaint)


class BoundedLog(logging.StreamHandler[TextIO]):
    """A log on standard error, which is a file: at SIZE it becomes FILE.1, and a new one is begun.

    Not RotatingFileHandler, which has a file of its own: what is printed and the last words of a
    crash would go on into the first file for ever.
    """

    def __init__(self, path: Path, size: int = SIZE, older: int = OLDER) -> None:
        super().__init__(sys.stderr)
        self._path, self._size, self._older = path, size, older

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, into a new file where the old one is full."""
        try:
            if os.fstat(2).st_size >= self._size:
                self._begin_new()
        except OSError as error:
            self._size *= 2  # tried again then, and not with each line
            sys.stderr.write(f"no new log can be begun, so this one grows: {error}\n")
        super().emit(record)

    def _begin_new(self) -> None:
        for number in range(self._older, 0, -1):
            newer = numbered(self._path, number - 1)
            if newer.exists():
                os.replace(newer, numbered(self._path, number))
        # 0600: a log may name what is its owner's alone.
        new = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        for standard in (1, 2):
            os.dup2(new, standard)
        os.close(new)


def numbered(path: Path, number: int) -> Path:
    """Return the path of an older log; 0 for the newest one."""
    return path.with_name(f"{path.name}.{number}") if number else path


def log_to_standard_error(path: Path) -> None:
    """Let this process log to standard error, within a size where that is the file `path`.

    Elsewhere it is a terminal, or a service's journal, which has a bound of its own.
    """
    try:
        is_file = os.path.samestat(os.fstat(2), path.stat())
    except OSError:
        is_file = False
    handler = BoundedLog(path) if is_file else logging.StreamHandler(sys.stderr)
    logging.basicConfig(level=logging.INFO, format=FORM, handlers=[handler])

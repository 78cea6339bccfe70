"""A new place for the folder of a run that was removed while its sweep runs."""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path

from ..errors import BusyError
from ..session.anchors import DELETED
from ..session.detached import LOG
from ..session.lock import Lock


def new_folder(place: Path) -> tuple[Path, Lock]:
    """A new, locked folder at `place`; beside it when somebody else works there or has something there."""
    stamp, number = time.strftime("%Y%m%d-%H%M%S"), 1
    made = place
    place.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            made.mkdir(exist_ok=not _has_something(made))
            lock = Lock(made)
            lock.acquire()
            return made, lock
        except (FileExistsError, BusyError):
            more = f"-{number}" if number > 1 else ""
            made, number = place.with_name(f"{place.name}.rescued-{stamp}{more}"), number + 1


def _has_something(path: Path) -> bool:
    return path.exists() and not (path.is_dir() and not any(path.iterdir()))


def take_along_logs(old: Path, new: Path) -> None:
    """master.log and run.log as far as they were written, from what is open; what follows goes there, too."""
    handlers = [one for one in logging.getLogger("spe").handlers if isinstance(one, logging.FileHandler)]
    for descriptor in {1, 2, *(one.stream.fileno() for one in handlers if one.stream)}:
        try:
            name = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue
        for file in ("master.log", LOG):
            if name == f"{old / file}{DELETED}":
                _write_again(descriptor, new / file)


def _write_again(descriptor: int, path: Path) -> None:
    there = path.exists()
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as new:
        if not there:  # stdout and stderr are two descriptors of one file
            with open(f"/proc/self/fd/{descriptor}", "rb") as old:
                shutil.copyfileobj(old, new)
            new.flush()
        os.dup2(new.fileno(), descriptor)

"""Rescue of a run whose folder, or whose result files, somebody has removed while its sweep runs.

The folder gets a new place. Sets that are done but have lost result files run again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import BusyError
from ..session.anchors import DELETED
from ..session.detached import LOG
from ..session.lock import Lock
from ..session.run_folder import FILES, RunFolder
from ..store import writes
from ..store.store import Store

PAGE = 10_000  # files that are looked for at once, in a thread


def new_folder(place: Path) -> tuple[Path, Lock]:
    """Return a new, locked folder at `place`, and its lock.

    The folder is made beside `place` when somebody else works there by now, or has something there.
    """
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
            name = f"{place.name}.rescued-{stamp}"
            if number > 1:  # two runs may lose their folders in the same second
                name += f"-{number}"
            made, number = place.with_name(name), number + 1


def _has_something(path: Path) -> bool:
    return path.exists() and not (path.is_dir() and not any(path.iterdir()))


def take_along_logs(old: Path, new: Path) -> None:
    """Write master.log and run.log again in the folder `new`, and let what follows go there, too.

    What was written so far is read from the open files: their names are gone.
    """
    removed = {f"{old / file}{DELETED}": file for file in ("master.log", LOG)}
    for descriptor, name in _open_for_output():
        if name in removed:
            _write_again(descriptor, new / removed[name])


def _open_for_output() -> Iterator[tuple[int, str]]:
    """Yield descriptor and present name of each file into which this process logs or prints."""
    handlers = [
        one for one in logging.getLogger("spe").handlers if isinstance(one, logging.FileHandler)
    ]
    for descriptor in {1, 2, *(one.stream.fileno() for one in handlers if one.stream)}:
        try:
            yield descriptor, os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue  # closed, or no /proc


def _write_again(descriptor: int, path: Path) -> None:
    there = path.exists()
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as new:
        if not there:  # stdout and stderr are two descriptors of one file
            with open(f"/proc/self/fd/{descriptor}", "rb") as old:
                shutil.copyfileobj(old, new)
            new.flush()
        os.dup2(new.fileno(), descriptor)


async def put_back_lost(store: Store, folder: RunFolder) -> list[int]:
    """Look for each file that the store speaks of, and put back the tasks that have lost one.

    Return their numbers, sorted.
    """
    found, page = set[int](), await _page(store, (0, ""))
    while page:
        found |= await asyncio.to_thread(_missing, folder, page)
        page = await _page(store, page[-1][:2])
    lost = sorted(found)
    if lost:
        await store.call(lambda connection: writes.lose(connection, lost))
    return lost


async def _page(store: Store, after: tuple[int, str]) -> list[tuple[int, str, str]]:
    return await store.call(lambda connection: writes.kept_files(connection, after, PAGE))


def _missing(folder: RunFolder, page: Sequence[tuple[int, str, str]]) -> set[int]:
    held = folder.held_files
    root = held.through if held else folder.anchor / FILES
    return {task for task, _, file in page if not root.joinpath(*file.split("/")[1:]).exists()}

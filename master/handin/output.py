"""Places for what is written, and the run that is meant: is it over, is there anything to hand in?"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..disk_errors import reason
from ..errors import UsageError
from ..session.living import elsewhere, living
from ..store.history import provenance

if TYPE_CHECKING:
    from ..store.reader import Reader


def check_is_over(folder: Path) -> None:
    """Raise UsageError while a run writes into runs/<name>/: what is handed in must not change."""
    if living(folder) is not None:
        todo = "Wait for its end (`spe attach` follows it), or end it: `spe stop`."
        raise UsageError("this run is still writing", where=str(folder), todo=todo)
    there = elsewhere(folder)
    if there is not None:
        todo = f"Wait for its end; if it was killed, `spe run` there ends it: process {there[0]}."
        raise UsageError(f"a run on {there[1]} may still write here", where=str(folder), todo=todo)


def check_has_rows(reader: Reader) -> None:
    """Raise UsageError where no set is finished: there is nothing to hand in."""
    if not provenance.has_rows(reader):
        todo = "Run it first: `spe run`; why sets failed is in `spe status`."
        raise UsageError("no set is finished yet", where=str(reader.folder), todo=todo)


@contextlib.contextmanager
def written(path: Path, runs: Path) -> Iterator[Path]:
    """Yield a path to write to, whose content appears at `path` at the end, or not at all.

    `runs`: the folder runs/, in which nothing may be written. Raises UsageError where `path` cannot
    be written.
    """
    if path.resolve().is_relative_to(runs.resolve()):
        what = f"{runs} holds what spe keeps, and nothing else may be written there"
        raise UsageError(what, where=str(path), todo="Name another place with -o.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        # Before the work, which may take minutes: a place where nothing can be written is told now.
        temporary.touch()
        yield temporary
        temporary.replace(path)
    except OSError as error:
        # Files of the run that cannot be read have their own names.
        if error.filename not in (None, str(temporary), str(path)):
            raise
        what = f"it cannot be written: {reason(error)}"
        raise UsageError(what, where=str(path), todo="Name another file with -o.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()

"""A file that the user names for what is written: it appears whole, or not at all.

What is no regular file is written through: a device, a pipe, standard output.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..disk_errors import reason
from ..errors import UsageError
from .part_files import part_beside, part_in_scratch

ANOTHER = "Name another file with -o."
_DESCRIPTOR = re.compile(r"/dev/(?:fd/([0-9]+)|(stdout)|(stderr))|/proc/self/fd/([0-9]+)")


def check_not_in_runs(path: Path, runs: Path, todo: str) -> None:
    """Raise UsageError for a place among the files that spe keeps: one would be overwritten."""
    if path.resolve().is_relative_to(runs.resolve()):
        what = f"{runs} holds what spe keeps, and nothing else may be written there"
        raise UsageError(what, where=str(path), todo=todo)


def is_stream(path: Path) -> bool:
    """Tell whether a path is there and is no file: a device, a pipe, standard output."""
    try:
        return bool(_DESCRIPTOR.fullmatch(str(path))) or not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def written(path: Path, runs: Path, todo: str = ANOTHER) -> Iterator[Path]:
    """Yield a path to write to, whose content is at `path` at the end.

    A file appears whole or not at all. A link is followed. A device or a pipe gets the content when
    it is complete. `runs`: the folder runs/, in which nothing may be written. Raises UsageError with
    `todo` where `path` cannot be written.
    """
    check_not_in_runs(path, runs, "Name another place with -o." if todo == ANOTHER else todo)
    temporary: Path | None = None
    through = temporary_is_whole = False
    try:
        # Before the work, which may take minutes: a place where nothing can be written is told now.
        _check_kind(path)
        through = is_stream(path) or _is_in_a_closed_folder(path)
        # Of a link, the file that it names is written.
        with part_in_scratch() if through else part_beside(path.resolve()) as temporary:
            yield temporary
            if through:
                temporary_is_whole = True
                _copy_into(temporary, path)
            else:
                _replace(temporary, path)
    except OSError as error:
        # Files of the run that cannot be read have their own names.
        places = (None, str(temporary), str(path), str(path.resolve()))
        if temporary is not None and error.filename not in places:
            raise
        if through and not temporary_is_whole:
            raise _scratch_fault(error) from error
        what = f"it cannot be written: {reason(error)}"
        raise UsageError(what, where=str(path), todo=todo) from error


def _scratch_fault(error: OSError) -> UsageError:
    """Return the error for the folder in which a file is made before it is copied into a stream."""
    what = f"a temporary file cannot be written in this folder: {reason(error)}"
    todo = "Make room there, or name another folder for temporary files: TMPDIR=FOLDER."
    return UsageError(what, where=_scratch(), todo=todo)


def _scratch() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:  # none of the usual folders can be written to
        return os.environ.get("TMPDIR", "/tmp")


def _check_kind(path: Path) -> None:
    """Raise OSError for what nothing can be written to, or nobody means."""
    if path.is_dir():
        raise IsADirectoryError(0, "it is a folder")
    if path.is_block_device():
        raise OSError(0, "it is a disk")
    if path.is_socket():
        raise OSError(0, "it is a socket")


def _is_in_a_closed_folder(path: Path) -> bool:
    """Tell whether a file is there that can be written, in a folder where none can be made."""
    there = path.resolve()
    return os.access(there, os.W_OK) and not os.access(there.parent, os.W_OK)


def _replace(temporary: Path, path: Path) -> None:
    """Put a file in its place, with the mode of the one that was there."""
    there = path.resolve()
    if there.exists():
        temporary.chmod(stat.S_IMODE(there.stat().st_mode))
    temporary.replace(there)


def _copy_into(temporary: Path, path: Path) -> None:
    """Copy a file into what is there. Raises OSError."""
    sys.stdout.flush()
    with temporary.open("rb") as source, os.fdopen(_opened(path), "wb") as target:
        shutil.copyfileobj(source, target)


def _opened(path: Path) -> int:
    """Return a descriptor of a path for writing."""
    found = _DESCRIPTOR.fullmatch(str(path))
    if found:
        # Opened by its name, it would begin at the start of a file that a shell appends to.
        own, stdout, stderr, linked = found.groups()
        return os.dup(1 if stdout else 2 if stderr else int(own or linked))
    flags = os.O_WRONLY | os.O_TRUNC
    if not path.is_fifo():
        return os.open(path, flags)
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK)
    except OSError as error:
        if not path.is_fifo() or error.filename is None:
            raise
        # ENXIO: a pipe without a reader. It may be on its way: the shell starts both.
        print(f"spe: {path}: nobody reads this pipe yet; waiting for a reader", file=sys.stderr)
        return os.open(path, flags)
    os.set_blocking(descriptor, True)
    return descriptor

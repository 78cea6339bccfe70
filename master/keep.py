"""Result files on their way from the spool to files/<number>/, synced before anybody is told that they are kept."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from .extract import Part
from .model import Output
from .run_folder import Folder, anchor_of, files_of

Kept = Iterable[tuple[Iterable[Output], Mapping[str, Part]]]


def keep_files(folder: Folder, kept: Kept, moved: set[str] | None = None) -> list[str]:
    """Move (or write) each output that is a file to its place below `folder`, and sync file and directory.

    `kept`: for each of some tasks its outputs and the parts that they are in. `moved`: the places of those that were
    moved by an earlier try, which failed on others. Gives the places (`files/17/image.png`) of outputs that are lost:
    somebody removed what had arrived.
    """
    moved = set() if moved is None else moved
    root, lost = files_of(folder), list[str]()
    touched = {root, anchor_of(folder)}
    for outputs, parts in kept:
        for output in outputs:
            if output.file is None:
                continue
            target = root.joinpath(*Path(output.file).parts[1:])
            target.parent.mkdir(exist_ok=True)  # never its parents: a folder that was moved is not made again
            if output.file not in moved and not _place(parts[output.name], target):
                lost.append(output.file)
            moved.add(output.file)
            touched.add(target.parent)
    for directory in touched:
        sync_folder(directory)
    return lost


def _place(part: Part, target: Path) -> bool:
    """False: what had arrived is not there any more."""
    temporary = target.with_name(target.name + ".part")
    if part.path is not None:
        if not part.path.exists():
            target.unlink(missing_ok=True)  # of an earlier result: it must not pass for this one
            return False
        _move(part.path, target, temporary)  # synced when it was received
        return True
    with temporary.open("wb") as file:
        file.write(part.read())
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, target)
    return True


def _move(source: Path, target: Path, temporary: Path) -> None:
    """To its place, also where files/ is a link to another disk."""
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with source.open("rb") as old, temporary.open("wb") as new:
            shutil.copyfileobj(old, new)
            new.flush()
            os.fsync(new.fileno())
        os.replace(temporary, target)


def sync_folder(path: Path) -> None:
    """Make renames in this folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

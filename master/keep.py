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


def keep_files(folder: Folder, kept: Iterable[tuple[Iterable[Output], Mapping[str, Part]]]) -> list[str]:
    """Move (or write) each output that is a file to its place below `folder`, and sync file and directory.

    `kept`: for each of some tasks its outputs and the parts that they are in. Gives the places (`files/17/image.png`)
    of outputs that are lost: somebody removed what had arrived.
    """
    root, lost = files_of(folder), list[str]()
    touched = {root, anchor_of(folder)}
    for outputs, parts in kept:
        for output in outputs:
            if output.file is None:
                continue
            target = root.joinpath(*Path(output.file).parts[1:])
            target.parent.mkdir(exist_ok=True)  # never its parents: a folder that was moved is not made again
            if not _place(parts[output.name], target):
                lost.append(output.file)
            touched.add(target.parent)
    for directory in touched:
        sync_folder(directory)
    return lost


def _place(part: Part, target: Path) -> bool:
    """False: what had arrived is not there any more."""
    temporary = target.with_name(target.name + ".part")
    if part.path is not None:
        if part.path.exists():
            _move(part.path, target, temporary)  # synced when it was received
        return target.exists()  # also when an earlier try had moved it, which the disk had no room for
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

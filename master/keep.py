"""Result files on their way from the spool to files/<number>/, synced before anybody is told that they are kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from .extract import Part
from .model import Output


def keep_files(folder: Path, kept: Iterable[tuple[Iterable[Output], Mapping[str, Part]]]) -> None:
    """Move (or write) each output that is a file to its place below `folder`, and sync file and directory.

    `kept`: for each of some tasks its outputs and the parts that they are in.
    """
    touched: set[Path] = set()
    for outputs, parts in kept:
        for output in outputs:
            if output.file is None:
                continue
            target = folder / output.file
            target.parent.mkdir(parents=True, exist_ok=True)
            _place(parts[output.name], target)
            touched.update((target.parent, target.parent.parent, folder))
    for directory in touched:
        sync_folder(directory)


def stage_files(folder: Path, outputs: Iterable[Output], parts: Mapping[str, Part], ticket: int) -> dict[str, str]:
    """Files of a result that is to replace another one, synced, but not yet in their places.

    Gives place -> where the file lies now, both below `folder`. The old files must stay as long as the database
    speaks of them.
    """
    moves: dict[str, str] = {}
    touched: set[Path] = set()
    for output in outputs:
        if output.file is None:
            continue
        part = parts[output.name]
        lies = part.path
        if lies is None:
            lies = folder / "incoming" / f"result-{ticket}-{len(moves)}"
            lies.parent.mkdir(exist_ok=True)
            with lies.open("wb") as file:
                file.write(part.read())
                file.flush()
                os.fsync(file.fileno())
        touched.update((lies.parent, folder))
        moves[output.file] = str(lies.relative_to(folder))
    for directory in touched:  # else a power cut may leave the database with the name of a file that has none
        sync_folder(directory)
    return moves


def place_staged(folder: Path, task: int, moves: Mapping[str, str]) -> None:
    """Give staged files their places; other files of this task were an earlier result's and go. May be repeated."""
    home = folder / "files" / str(task)
    for place, lies in moves.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        if (folder / lies).exists():
            os.replace(folder / lies, folder / place)
    if not home.is_dir():
        return
    for path in home.iterdir():
        if str(path.relative_to(folder)) not in moves:
            path.unlink()
    for directory in (home, home.parent, folder):  # the result before may have had no files, and so no folder
        sync_folder(directory)
    if not moves:
        home.rmdir()


def _place(part: Part, target: Path) -> None:
    temporary = target.with_name(target.name + ".part")
    if part.path is not None:
        if part.path.exists() or not target.exists():  # else: moved by an earlier try, which the disk had no room for
            os.replace(part.path, target)  # synced when it was received
        return
    with temporary.open("wb") as file:
        file.write(part.read())
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, target)


def sync_folder(path: Path) -> None:
    """Make renames in this folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

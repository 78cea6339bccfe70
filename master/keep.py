"""Result files on their way from the spool to files/<number>/, synced before anybody is told that they are kept."""

from __future__ import annotations

import os
import secrets
import shutil
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


def put_under(folder: Path, target: str, file: str | None, raw: bytes | None) -> None:
    """Have `target` hold the bytes of `file` (both below `folder`), or `raw`; the file itself stays where it is.

    It appears all at once. A hard link where the file system has them: a result may have many gigabytes.
    """
    path = folder / target
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        if file is None or not _linked(folder / file, temporary):
            with temporary.open("wb") as stream:
                if file is None:
                    stream.write(raw or b"")
                else:
                    with (folder / file).open("rb") as source:
                        shutil.copyfileobj(source, stream, 1024 * 1024)
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(temporary, path)  # does nothing where both are the same file already
    finally:
        temporary.unlink(missing_ok=True)


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # this file system has no hard links, or no more of this file
        return False
    return True


def sync_folder(path: Path) -> None:
    """Make renames in this folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

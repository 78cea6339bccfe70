"""Result files on their way from the spool to files/<number>/, synced before anybody is told that they are kept."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..model import Output
from ..session.run_folder import Folder, anchor_of, files_of
from .extract import Part

INCOMING = "incoming"
STAGED = "result-"  # how names of files begin that wait in incoming/ until the database speaks of them
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
            target = _place_below(root, output.file)
            if output.file not in moved and not _place(parts[output.name], target):
                lost.append(output.file)
            moved.add(output.file)
            touched.update((target.parent, target.parent.parent))
    for directory in touched:
        sync_folder(directory)
    return lost


def _place_below(files: Path, file: str) -> Path:
    """The path of `files/17/…` below files/, its folders made.

    Never files/ itself: one that was moved is not made again.
    """
    place = files
    for name in Path(file).parts[1:-1]:
        place = place / name
        place.mkdir(exist_ok=True)
    return place / Path(file).name


def stage_files(
    folder: Folder, task: int, outputs: Iterable[Output], parts: Mapping[str, Part], ticket: int
) -> dict[str, str] | None:
    """Files of a result that is to replace another one, synced, but not yet in their places.

    Gives place -> where the file lies now, both below `folder`; None where neither result has files. The old files must
    stay as long as the database speaks of them.
    """
    root = anchor_of(folder)
    moves: dict[str, str] = {}
    touched: set[Path] = set()
    for output in outputs:
        if output.file is None:
            continue
        part = parts[output.name]
        lies = root / INCOMING / f"{STAGED}{ticket}-{len(moves)}"
        lies.parent.mkdir(exist_ok=True)
        if part.path is None:
            with lies.open("wb") as file:
                file.write(part.read())
                file.flush()
                os.fsync(file.fileno())
        elif part.path.exists():  # else an earlier try has moved it
            os.replace(part.path, lies)  # its request removes what it has received, also when it is cut off
        touched.update((lies.parent, root))
        moves[output.file] = str(lies.relative_to(root))
    for directory in touched:  # else a power cut may leave the database with the name of a file that has none
        sync_folder(directory)
    return moves if moves or (root / "files" / str(task)).is_dir() else None


def place_staged(folder: Folder, task: int, moves: Mapping[str, str]) -> None:
    """Give staged files their places; other files of this task were an earlier result's and go. May be repeated."""
    files = files_of(folder)
    home = files / str(task)
    home.mkdir(exist_ok=True)
    for place, lies in moves.items():
        source, target = anchor_of(folder) / lies, _place_below(files, place)
        if source.exists():
            _move(source, target, target.with_name(target.name + ".part"))
    below = sorted(home.rglob("*"), reverse=True)  # what lies in a folder before the folder
    for path in below:
        if path.is_dir() and not path.is_symlink():
            sync_folder(path)
            if not any(path.iterdir()):
                path.rmdir()
        elif f"files/{task}/{path.relative_to(home)}" not in moves:
            path.unlink()
    for directory in (home, files, anchor_of(folder)):  # the result before may have had no files, and so no folder
        sync_folder(directory)
    if not moves:
        home.rmdir()


def _place(part: Part, target: Path) -> bool:
    """False: what had arrived is not there any more."""
    temporary = target.with_name(target.name + ".part")
    if part.path is not None:
        if not part.path.exists():
            target.unlink(missing_ok=True)  # of an earlier result: it must not pass for this one
            return False
        _move(part.path, target, temporary)  # synced when it was received
        return True
    try:
        with temporary.open("wb") as file:
            file.write(part.read())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)  # half of it would keep room on a full disk
    return True


def _move(source: Path, target: Path, temporary: Path) -> None:
    """To its place, also where files/ is a link to another disk."""
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        try:
            with source.open("rb") as old, temporary.open("wb") as new:
                shutil.copyfileobj(old, new)
                new.flush()
                os.fsync(new.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def clear_incoming(folder: Folder, keep_staged: bool) -> None:
    """Remove what was received and not taken. `keep_staged`: files that the database may speak of stay for a while.

    The next run places those, or removes them.
    """
    incoming = anchor_of(folder) / INCOMING
    if not keep_staged:
        shutil.rmtree(incoming, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        for path in incoming.iterdir():
            if not path.name.startswith(STAGED):
                path.unlink(missing_ok=True)
        incoming.rmdir()


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

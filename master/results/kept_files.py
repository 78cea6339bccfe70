"""Result files on their way from the spool to files/<number>/.

They are synced before the client is told that its result is kept: it deletes its own copy then.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path

from ..model import Output
from ..session.run_folder import Folder, anchor_of, files_of
from .extract import CHUNK, Part
from .trees import files_in

INCOMING = "incoming"
STAGED = "result-"  # begins names of files that wait in incoming/ until the database speaks of them
Kept = Iterable[tuple[Iterable[Output], Mapping[str, Part]]]


def keep_files(folder: Folder, kept: Kept, moved: set[str] | None = None) -> list[str]:
    """Move or write each output that is a file to its place below `folder`, and sync it.

    Returns the places (`files/17/image.png`) of outputs that are lost: somebody removed their files
    after they had arrived. `kept`: the outputs of some tasks, each with the parts that they are in.
    `moved`: places that an earlier try has filled, before it failed at another one; updated.
    """
    moved = set() if moved is None else moved
    root = files_of(folder)
    lost: list[str] = []
    touched = {root, anchor_of(folder)}
    for file, part in _files(kept):
        target = _place_below(root, file)
        if file not in moved and not _place(part, target):
            lost.append(file)
        moved.add(file)
        touched.update(_folders_up_to(root, target))
    # All folders at the end: one sync for a folder serves every file in it.
    _sync_folders(touched)
    return lost


def _folders_up_to(root: Path, target: Path) -> Iterator[Path]:
    """Yield the folders of a file up to files/, which must all be synced once it is in place."""
    for folder in target.parents:
        yield folder
        if folder == root:
            return


def _files(kept: Kept) -> Iterator[tuple[str, Part]]:
    """Yield (place, part) of each output that is a file."""
    for outputs, parts in kept:
        for output in outputs:
            if output.is_tree:
                members = parts[output.name].members()
                yield from zip(files_in(output.file, output.raw), members, strict=True)
            elif output.file is not None:
                yield output.file, parts[output.name]


def _place_below(files: Path, file: str) -> Path:
    """Return the path of `files/17/…` below files/; its folders are made.

    files/ itself is never made: a user who has moved it must not find a second one.
    """
    place = files
    for name in Path(file).parts[1:-1]:
        place = place / name
        _make_folder(place)
    place = place / Path(file).name
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    return place


def _make_folder(place: Path) -> None:
    """Make a folder, in place of a file that an earlier attempt at this set has left."""
    try:
        place.mkdir(exist_ok=True)
    except FileExistsError:
        place.unlink()
        place.mkdir(exist_ok=True)


def stage_files(
    folder: Folder, task: int, outputs: Iterable[Output], parts: Mapping[str, Part], ticket: int
) -> dict[str, str] | None:
    """Return place -> staged file of a result that replaces another one; both are below `folder`.

    The staged files are synced, but not yet in their places: the old files must stay as long as the
    database speaks of them. None when neither result has files.
    """
    root = anchor_of(folder)
    moves: dict[str, str] = {}
    touched: set[Path] = set()
    for file, part in _files([(outputs, parts)]):
        if file in moves:  # two results have this file
            continue
        staged = root / INCOMING / f"{STAGED}{ticket}-{len(moves)}"
        staged.parent.mkdir(exist_ok=True)
        _stage(part, staged)
        touched.update((staged.parent, root))
        moves[file] = str(staged.relative_to(root))
    # Without it a power cut may leave the database with the name of a file that does not exist.
    _sync_folders(touched)
    if moves or (root / "files" / str(task)).is_dir():
        return moves
    return None


def _stage(part: Part, staged: Path) -> None:
    if part.path is None:
        _write_synced(staged, part.read())
    elif part.path.exists():  # else an earlier try has moved it
        # Moved at once: the request removes what it received, also when it is cut off.
        os.replace(part.path, staged)


def place_staged(folder: Folder, task: int, moves: Mapping[str, str]) -> None:
    """Give staged files their places, and remove the other files of this task. May be repeated.

    The others belonged to an earlier result.
    """
    files = files_of(folder)
    home = files / str(task)
    home.mkdir(exist_ok=True)
    touched: set[Path] = set()
    for place, staged in moves.items():
        target = _place_below(files, place)
        _place_one(anchor_of(folder) / staged, target)
        touched.update(_folders_up_to(files, target))
    _sync_folders(touched)
    _remove_others(home, moves)
    # files/ too: the earlier result may have had no files, and so no folder there.
    _sync_folders((home, files, anchor_of(folder)))
    if not moves:
        home.rmdir()


def _place_one(source: Path, target: Path) -> None:
    if source.exists():  # else an earlier call has moved it
        _move(source, target, _beside(target))


def _remove_others(home: Path, wanted: Container[str]) -> None:
    """Remove all files below `home` that are not wanted, and the folders that become empty.

    `wanted`: places like `files/17/image.png`. Names and not paths are compared, as the path of
    files/ may be that of an open descriptor.
    """
    # In reverse order: the files of a folder come before the folder.
    for path in sorted(home.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            sync_path(path)
            _remove_if_empty(path)
        elif f"files/{home.name}/{path.relative_to(home)}" not in wanted:
            path.unlink()


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


def _place(part: Part, target: Path) -> bool:
    """Bring a part to its place; False when its file was removed after it had arrived."""
    temporary = _beside(target)
    if part.path is not None:
        if not part.path.exists():
            # The file of an earlier result must not pass for this one.
            target.unlink(missing_ok=True)
            return False
        _move(part.path, target, temporary)  # the file was synced when it was received
        return True
    with _temporary(temporary):
        _write_synced(temporary, part.read())
        os.replace(temporary, target)
    return True


def _beside(target: Path) -> Path:
    """Return a path beside the target for a file that is not yet whole: a name that no result has."""
    return target.with_name(f".{secrets.token_hex(8)}.part")


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[None]:
    """Remove the file at the end, if it is still there: half a file would take room on a full disk."""
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _copy_synced(source: Path, target: Path) -> None:
    with source.open("rb") as old, target.open("wb") as new:
        shutil.copyfileobj(old, new, CHUNK)
        new.flush()
        os.fsync(new.fileno())


def _move(source: Path, target: Path, temporary: Path) -> None:
    """Move a file to its place, also when files/ is a link to another disk."""
    # Renamed first and not copied: a rename takes no room, and a result may have gigabytes.
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with _temporary(temporary):
            _copy_synced(source, temporary)
            os.replace(temporary, target)


def clear_incoming(folder: Folder, keep_staged: bool) -> None:
    """Remove files that were received and not accepted.

    `keep_staged`: files that the database may speak of stay; the next run places or removes them.
    """
    incoming = anchor_of(folder) / INCOMING
    if not keep_staged:
        shutil.rmtree(incoming, ignore_errors=True)
        return
    # Errors are ignored: files that stay cost room only, and the next run tries again.
    with contextlib.suppress(OSError):
        for path in incoming.iterdir():
            if not path.name.startswith(STAGED):
                path.unlink(missing_ok=True)
        incoming.rmdir()


def put_under(folder: Path, target: str, file: str | None, raw: bytes | None) -> None:
    """Make `target` with the bytes of `file` (both below `folder`), or with `raw`; `file` stays.

    It appears all at once. A hard link where the file system has them: a result may have many
    gigabytes.
    """
    path = folder / target
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    with _temporary(temporary):
        if file is None:
            _write_synced(temporary, raw or b"")
        elif not _linked(folder / file, temporary):
            _copy_synced(folder / file, temporary)
        os.replace(temporary, path)  # does nothing when both are links to the same file already


def _linked(source: Path, target: Path) -> bool:
    """Make a hard link; False when this cannot be done here, so that the caller copies."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # the file system has no hard links, or no more for this file
        return False
    return True


def _sync_folders(folders: Iterable[Path]) -> None:
    for folder in folders:
        sync_path(folder)


def sync_path(path: Path) -> None:
    """Make a file durable, or the renames in a folder: without it a power cut may undo them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

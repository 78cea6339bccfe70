"""The folder of a replay: made of a zip, and of what the user supplies for what is not in it.

A replay that was interrupted leaves a mark in its folder, and the next one of the same zip goes on
there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..disk_errors import reason
from ..errors import SpeError, UsageError
from ..text import counted, named
from .archive import SHOWN, Archive
from .manifest import SWEEP, SweepFile
from .output import check_is_over
from .sweep_files import FILE, file_digest

MARK = ".spe-replay"  # in the folder until all sets have been run: the digest of the zip's digests


@contextlib.contextmanager
def made_workplace(archive: Archive, folder: Path, supplies: Sequence[Path]) -> Iterator[Path]:
    """Make the folder, and yield it. It is removed again where the block raises SpeError.

    The folder of an interrupted replay of this zip is used as it is. `supplies`: folders and files
    of the user. Raises UsageError where the folder has something else in it, where another replay
    is running there, and for files that are neither in the zip nor supplied.
    """
    goes_on = _goes_on(archive, folder)
    found = _supplied(archive, folder, supplies)
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text(archive.digest + "\n", encoding="utf-8")
        _fill(archive, folder, found)
        yield folder
    except OSError as error:
        _remove(folder, was_there, goes_on)
        what = f"the zip cannot be unpacked here: {reason(error)}"
        raise UsageError(what, where=str(folder), todo="Name another folder: --into.") from error
    except SpeError:
        _remove(folder, was_there, goes_on)
        raise


def end_replay(folder: Path) -> None:
    """Note that all sets have been run: there is nothing to go on with."""
    (folder / MARK).unlink(missing_ok=True)


def _goes_on(archive: Archive, folder: Path) -> bool:
    """Tell whether a replay of this zip was interrupted in the folder.

    Raises UsageError where the folder has something else in it, or the replay is not over.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    todo = "Name a new one, --into FOLDER, or remove it: a replay begins with nothing."
    if not folder.is_dir():
        raise UsageError("this is not a folder", where=str(folder), todo=todo)
    try:
        mark = (folder / MARK).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        raise UsageError("this folder is not empty", where=str(folder), todo=todo) from None
    if mark != archive.digest:
        what = "a replay of another zip was interrupted in this folder"
        raise UsageError(what, where=str(folder), todo=todo)
    check_is_over(folder / "runs" / archive.manifest.name)
    return True


def _remove(folder: Path, was_there: bool, goes_on: bool) -> None:
    if goes_on:
        return  # what the earlier one has computed is not lost
    for path in folder.iterdir() if folder.is_dir() else ():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if not was_there:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _fill(archive: Archive, folder: Path, supplied: Sequence[tuple[SweepFile, Path]]) -> None:
    with (folder / FILE).open("wb") as stream:
        stream.writelines(archive.pieces(SWEEP + FILE))
    for one in archive.manifest.files:
        if not one.included:
            continue
        if not _is_there(folder, one):
            with _target(folder, one).open("wb") as stream:
                stream.writelines(archive.pieces(SWEEP + one.path))
        _set_mode(folder, one)
    for one, source in supplied:
        if not _is_there(folder, one):
            shutil.copyfile(source, _target(folder, one))
        _set_mode(folder, one)
    for path in archive.manifest.folders:
        (folder / path).mkdir(parents=True, exist_ok=True)


def _set_mode(folder: Path, one: SweepFile) -> None:
    """Give a file the permissions that it had, also where an earlier replay has put it there."""
    # But for writing by others where the umask keeps that from them: a zip from anywhere would open
    # the program that runs here to all users of this machine.
    umask = os.umask(0o077)
    os.umask(umask)
    (folder / one.path).chmod(one.mode & ~(umask & 0o022))


def _is_there(folder: Path, one: SweepFile) -> bool:
    """Tell whether an earlier replay has put a file there, and nobody has changed it since."""
    path = folder / one.path
    return path.is_file() and file_digest(path) == one.sha256


def _target(folder: Path, one: SweepFile) -> Path:
    target = folder / one.path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # one that was changed meanwhile may be read-only
    return target


# -- what is not in the zip


def _supplied(
    archive: Archive, folder: Path, supplies: Sequence[Path]
) -> list[tuple[SweepFile, Path]]:
    """Return the files that are to be copied. Raises UsageError for the ones that are nowhere."""
    _check_paths(archive)
    found: list[tuple[SweepFile, Path]] = []
    missing: list[SweepFile] = []
    for one in archive.manifest.files:
        if one.included:
            continue
        if one.is_outside:
            _check_outside(archive, folder, one)
            continue
        source = folder / one.path if _is_there(folder, one) else _source(archive, one, supplies)
        if source is None:
            missing.append(one)
        else:
            found.append((one, source))
    if missing:
        raise _not_there(archive, missing)
    return found


def _check_paths(archive: Archive) -> None:
    """Raise UsageError for a file where the replay keeps its own: it could bring forged results."""
    own = os.path.join("runs", archive.manifest.name, "")
    paths = {one.path: one.called for one in archive.manifest.files}
    for path, called in (paths | {one: f"folder {one}" for one in archive.manifest.folders}).items():
        # With a slash, so that runs/NAME itself counts as well.
        if f"{path}/".startswith(own) or path in (FILE, MARK, "."):
            what = f"the {called} in it would lie where a run keeps its own files"
            raise UsageError(what, where=str(archive.path), todo="Ask for another zip.")


def _source(archive: Archive, one: SweepFile, supplies: Sequence[Path]) -> Path | None:
    """Return a supplied file with the right content. Raises UsageError where only others are there."""
    others: list[tuple[Path, str]] = []
    for supply in supplies:
        path = supply / one.path if supply.is_dir() else supply
        if not path.is_file() or path.name != Path(one.path).name:
            continue
        digest = file_digest(path)
        if digest == one.sha256:
            return path
        others.append((path, digest))
    for path, digest in others:
        raise _other_content(archive, one, path, digest)
    return None


def _check_outside(archive: Archive, folder: Path, one: SweepFile) -> None:
    path = Path(os.path.normpath(folder / one.path))
    if not path.is_file():
        what = f"the {one.called} lies outside of the sweep's folder, so the zip is without it"
        todo = f"Put it at {path} (SHA-256 {one.sha256[:SHOWN]}…)."
        raise UsageError(what, where=str(archive.path), todo=todo)
    digest = file_digest(path)
    if digest != one.sha256:
        raise _other_content(archive, one, path, digest)


def _other_content(archive: Archive, one: SweepFile, path: Path, digest: str) -> UsageError:
    what = f"{path} is not the {one.called} of this run: its SHA-256 is {digest[:SHOWN]}…"
    todo = f"Supply the one with {one.sha256[:SHOWN]}…; nothing was run."
    return UsageError(what, where=str(archive.path), todo=todo)


def _not_there(archive: Archive, missing: Sequence[SweepFile]) -> UsageError:
    named_files = [f"{one.called} (SHA-256 {one.sha256[:SHOWN]}…)" for one in missing]
    if len(missing) == 1:
        what = f"it is without its {named_files[0]}"
        todo = f"Supply it: --with FOLDER, the folder that has {missing[0].path} in it, or --with FILE."
    else:
        what = f"it is without {counted(len(missing), 'file')}: {named(named_files, 5)}"
        todo = "Supply them: --with FOLDER, a folder that has these paths in it."
    return UsageError(what, where=str(archive.path), todo=todo)

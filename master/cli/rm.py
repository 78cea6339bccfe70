"""`spe rm`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from ..text import sets
from ..text import volume as bytes_text
from .common import sweep_file, volume

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE = "sweep.db"


@click.command()
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@sweep_file
@volume
def command(names: tuple[str, ...], yes: bool, file: Path, quiet: bool, verbose: int) -> int:
    """Remove sweeps with all their results: the folders runs/NAME/. It asks before.

    A sweep that runs is not removed. What a link in its folder leads to stays.

    \b
    Example: spe rm simulate-2
    Example: spe rm -y old1 old2
    """
    if not names:
        raise click.UsageError("Missing argument 'NAME...'.")
    folders = [_checked(file.parent / "runs", name) for name in dict.fromkeys(names)]
    _tell_and_ask(folders, yes, quiet)
    from ..delegate import orders  # late: a no needs none

    for folder in folders:
        _remove(folder)
        orders.forget(folder)
        if not quiet:
            click.echo(f"removed {folder}", err=True)
    return 0


def _checked(runs: Path, name: str) -> Path:
    """Return the folder of a sweep. Raises UsageError for what is none, and while it runs."""
    if not name or "/" in name or name in (".", ".."):
        raise UsageError(f"{name!r} is not the name of a folder below runs/")
    folder = runs / name
    if folder.is_symlink():
        todo = "Remove the link, or remove the sweep where it is."
        raise UsageError("this is a link, and only what it leads to is a sweep", where=str(folder), todo=todo)
    if not (folder / DATABASE).exists():
        what = "there is no sweep here" if folder.exists() else "there is no such folder"
        todo = "`spe status` lists the sweeps of this folder."
        raise UsageError(f"{what}; nothing was removed", where=str(folder), todo=todo)
    from ..session.runners import who_runs

    if runner := who_runs(folder):
        raise UsageError(
            f"it is being run by {runner.words}; nothing was removed",
            where=str(folder),
            todo=f"End it with `spe stop -n {name}`, or wait.",
        )
    return folder


def _tell_and_ask(folders: list[Path], yes: bool, quiet: bool) -> None:
    """Tell what goes, and ask. Raises UsageError where nobody can be asked, Abort for a no."""
    if not (quiet and yes):
        for folder in folders:
            click.echo(_what_goes(folder), err=True)
    if yes:
        return
    from .yes_no import ask

    answer = ask("Remove it?" if len(folders) == 1 else f"Remove these {len(folders)} sweeps?")
    if answer is None:
        todo = "With --yes it does not ask."
        raise UsageError("there is no terminal to ask on; nothing was removed", todo=todo)
    if not answer:
        raise UsageError("nothing was removed")


def _what_goes(folder: Path) -> str:
    """Return a line about a sweep: its sets, and the size of its folder."""
    size, links = 0, 0
    for entry in _entries(folder):
        size += entry.stat(follow_symlinks=False).st_size
        links += entry.is_symlink()
    text = f"{folder}: {_sets_of(folder)}, {bytes_text(size)}"
    if links:
        text += f"; {links} of its files are links: what they lead to stays"
    return text


def _sets_of(folder: Path) -> str:
    """Return how many sets are stored, also those of earlier parameters: all of them go."""
    from ..errors import SpeError
    from ..model import TaskState
    from ..store.reader import Reader

    try:
        with Reader(folder) as reader:
            counts = reader.all_counts()
    except SpeError:
        return "a database that cannot be read"
    failed = counts[TaskState.FAILED] + counts[TaskState.CANCELLED]
    return f"{sets(sum(counts.values()))} ({counts[TaskState.DONE]} done, {failed} failed)"


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield all files below a folder; links are not followed."""
    folders = [str(folder)]
    while folders:
        with os.scandir(folders.pop()) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    yield entry


def _remove(folder: Path) -> None:
    """Remove a sweep under its lock: a run that begins meanwhile is refused. Raises SpeError."""
    from ..session.lock import Lock

    lock = Lock(folder)
    lock.acquire()
    try:
        # The database goes last: a removal that is cut off can be done again.
        names = sorted(os.listdir(folder), key=lambda name: name.startswith(DATABASE))
        names.sort(key=lambda name: name == DATABASE)
        for name in names:
            if name != lock.path.name:
                _remove_one(folder / name)
    finally:
        lock.release()
    folder.rmdir()


def _remove_one(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


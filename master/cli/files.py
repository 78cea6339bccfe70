"""`spe files`."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from ..record import record
from ..text import volume as bytes_text
from .common import as_json, open_reader, print_json, sweep_file, sweep_name, table, volume
from .elsewhere import anywhere

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..store.task_details import TaskDetail

#: In place of a result's name: what the last attempt of a failed set left (`keep_failed`).
FAILED = "(failed)"


@record
class Kept:
    """A file that is kept of a set."""

    result: str
    path: str  # below runs/<name>/
    name: str  # its path in the task's directory
    size: int


@click.command()
@click.argument("number", type=click.IntRange(1), metavar="TASK")
@click.argument("names", nargs=-1, metavar="[RESULT]...")
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Copy them there, under the paths that they had in the task's directory.",
)
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(
    number: int,
    names: tuple[str, ...],
    target: Path | None,
    file: Path,
    name: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """List the files that are kept of one set, or copy them: those of its results, and what its
    last attempt left when it failed (`keep_failed` in spe.yaml).

    \b
    Example: spe files 17 --to looked-at
    """
    with open_reader(file, name) as reader:
        task = reader.task(number)
        folder = reader.folder
    found = [*_of_results(task), *_of_failure(folder, task)]
    if names:
        found = _named(found, names, number)
    if target is not None:
        _copy(found, folder, target)
    if json_:
        print_json([_row(one) for one in found])
    elif found:
        rows = [(one.result, one.path, bytes_text(one.size)) for one in found]
        click.echo(table(["result", "file", "size"], rows), nl=False)
    else:
        click.echo(_none(task), err=True)


def _row(one: Kept) -> dict[str, object]:
    """Return a file for programs."""
    result = None if one.result == FAILED else one.result
    return {"result": result, "file": one.path, "name": one.name, "bytes": one.size}


def _of_results(task: TaskDetail) -> Iterator[Kept]:
    """Yield the files of what is stored of a set."""
    from ..results.trees import files_of

    for output in task.outputs:
        for path, size in files_of(output):
            below = PurePosixPath(path).parts[2:]  # without files/17/
            yield Kept(output.name, path, "/".join(below), size)


def _of_failure(folder: Path, task: TaskDetail) -> Iterator[Kept]:
    """Yield the files that the last attempt of a failed set left."""
    from ..model import TaskState
    from ..results.failed_files import files_left

    if task.state is TaskState.DONE:
        return
    for path, name, size in files_left(folder, task.number):
        yield Kept(FAILED, path, name, size)


def _named(found: Sequence[Kept], names: Sequence[str], number: int) -> list[Kept]:
    """Return the files of these results. Raises UsageError for a name that has none."""
    there = dict.fromkeys(one.result for one in found)
    for name in names:
        if name not in there:
            todo = f"There are {', '.join(there)}." if there else "There are none at all."
            raise UsageError(f"task {number} has no file of a result {name}", todo=todo)
    return [one for one in found if one.result in names]


def _copy(found: Sequence[Kept], folder: Path, target: Path) -> None:
    """Copy files. Raises UsageError where that is impossible, or would replace another file."""
    import shutil

    from ..disk_errors import reason

    taken = [target / one.name for one in found if (target / one.name).exists()]
    if taken:
        todo = "Name another folder with --to."
        raise UsageError("it is there already, and nothing was copied", where=str(taken[0]), todo=todo)
    for one in found:
        path = target / one.name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / one.path, path)
        except OSError as error:
            todo = "Mend what it says, then copy them again to another folder."
            raise UsageError(
                f"{one.path} cannot be copied: {reason(error)}", where=str(path), todo=todo
            ) from error


def _none(task: TaskDetail) -> str:
    """Return why there is nothing to list."""
    text = f"task {task.number} ({task.state}) has no files"
    if task.state == "failed":
        text += "; with `keep_failed: 10 MB` in spe.yaml those of a failed set are kept"
    return text

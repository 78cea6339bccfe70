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

MOST_NAMED = 10  # files that are not kept, in one sentence
#: In place of a result's name: what the last attempt of a failed set left (`keep_failed`).
FAILED = "(failed)"


#: The same for files of a set whose stored result `results` refuses.
REFUSED = "(refused)"


@record
class Kept:
    """A file that is kept of a set."""

    task: int
    result: str
    path: str  # below runs/<name>/
    name: str  # its path in the task's directory
    size: int


@click.command()
@click.argument("number", type=click.IntRange(1), required=False, metavar="[TASK]")
@click.argument("names", nargs=-1, metavar="[RESULT]...")
@click.option("--failed", is_flag=True, help="Those of all failed sets.")
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
    number: int | None,
    names: tuple[str, ...],
    failed: bool,
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
    Example: spe files --failed
    """
    if (number is None) != failed:
        raise UsageError("name a set or say --failed", todo="spe files 17, or spe files --failed")
    with open_reader(file, name) as reader:
        numbers = [row.number for row in reader.failed()] if number is None else [number]
        tasks = [reader.task(one) for one in numbers]
        folder = reader.folder
    found = [one for task in tasks for one in _of(folder, task)]
    if names and number is not None:
        found = _named(found, names, number)
    if target is not None:
        _copy(found, folder, target, failed)
    if json_:
        print_json([_row(one, failed) for one in found])
        return
    _print(found, failed)
    # With names of results the others are not asked for.
    for task in tasks if not names else ():
        if note := _left_out(task, found):
            click.echo(note, err=True)


def _print(found: Sequence[Kept], failed: bool) -> None:
    """Print files as a table; of several sets with their numbers."""
    if not found:
        return
    head = ["result", "file", "size"]
    rows: list[tuple[object, ...]] = [(one.result, one.path, bytes_text(one.size)) for one in found]
    if failed:
        head = ["task", *head]
        rows = [(one.task, *row) for one, row in zip(found, rows, strict=True)]
    click.echo(table(head, rows), nl=False)


def _row(one: Kept, failed: bool) -> dict[str, object]:
    """Return a file for programs."""
    result = None if one.result in (FAILED, REFUSED) else one.result
    row: dict[str, object] = {"result": result, "file": one.path, "name": one.name, "bytes": one.size}
    return {"task": one.task, **row} if failed else row


def _of(folder: Path, task: TaskDetail) -> list[Kept]:
    """Return all files that are kept of a set."""
    return [*_of_results(task), *_of_refused(task), *_of_failure(folder, task)]


def _of_results(task: TaskDetail) -> Iterator[Kept]:
    """Yield the files of what is stored of a set."""
    from ..results.trees import files_of

    for output in task.outputs:
        for path, size in files_of(output):
            below = PurePosixPath(path).parts[2:]  # without files/17/
            yield Kept(task.number, output.name, path, "/".join(below), size)


def _of_refused(task: TaskDetail) -> Iterator[Kept]:
    """Yield the files that are stored of a set and that today's `results` refuses."""
    from ..sweep.pattern import Pattern

    if not task.is_refused:
        return
    for one in task.kept:
        for path, name, size in one.named_files():
            # The name is as spe.yaml has it: `out_{{ seed }}.dat`.
            filled = Pattern.parse(name).fill(task.values)
            yield Kept(task.number, REFUSED, path, filled, size)


def _of_failure(folder: Path, task: TaskDetail) -> Iterator[Kept]:
    """Yield the files that the last attempt of a failed set left."""
    from ..model import TaskState
    from ..results.failed_files import files_left

    if task.state is TaskState.DONE:
        return
    for path, name, size in files_left(folder, task.number):
        yield Kept(task.number, FAILED, path, name, size)


def _named(found: Sequence[Kept], names: Sequence[str], number: int) -> list[Kept]:
    """Return the files of these results. Raises UsageError for a name that has none."""
    there = dict.fromkeys(one.result for one in found)
    for name in names:
        if name not in there:
            todo = f"There are {', '.join(there)}." if there else "There are none at all."
            raise UsageError(f"task {number} has no file of a result {name}", todo=todo)
    return [one for one in found if one.result in names]


def _copy(found: Sequence[Kept], folder: Path, target: Path, failed: bool) -> None:
    """Copy files; of several sets each into a folder with the set's number.

    Raises UsageError where that is impossible, or would replace another file.
    """
    import shutil

    from ..disk_errors import reason

    places = [target / str(one.task) / one.name if failed else target / one.name for one in found]
    taken = [path for path in places if path.exists()]
    if taken:
        todo = "Name another folder with --to."
        raise UsageError("it is there already, and nothing was copied", where=str(taken[0]), todo=todo)
    for one, path in zip(found, places, strict=True):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / one.path, path)
        except OSError as error:
            todo = "Mend what it says, then copy them again to another folder."
            raise UsageError(
                f"{one.path} cannot be copied: {reason(error)}", where=str(path), todo=todo
            ) from error


def _left_out(task: TaskDetail, found: Sequence[Kept]) -> str:
    """Return which files of a set are not kept, or that there are none; "" where nothing is to say."""
    own = [one for one in found if one.task == task.number]
    if not own:
        return _none(task)
    kept = {one.name for one in own if one.result == FAILED}
    left = task.tickets[-1].files if task.tickets else None
    if not kept or left is None:
        return ""
    out = [one for one in left.files if one.size is not None and one.name not in kept]
    if not out:
        return ""
    named = ", ".join(f"{one.name} ({bytes_text(one.size or 0)})" for one in out[:MOST_NAMED])
    more = f" and {len(out) - MOST_NAMED} more" if len(out) > MOST_NAMED else ""
    why = "over `keep_failed`, or the worker or a large input"
    return f"task {task.number}: not kept ({why}): {named}{more}"


def _none(task: TaskDetail) -> str:
    """Return why there is nothing to list."""
    text = f"task {task.number} ({task.state}) has no files"
    if task.state == "failed" and not task.is_refused:
        text += "; with `keep_failed: 10 MB` in spe.yaml those of a failed set are kept"
    return text

"""`spe log`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from ..results.extraction import STDOUT
from ..text import printable, shown
from ..text import volume as bytes_text
from .common import (
    as_json,
    files_there,
    folder_of,
    open_reader,
    print_json,
    sweep_file_by_its_long_name,
    sweep_name,
    volume,
)
from .elsewhere import anywhere

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model import Output
    from ..results.leftovers import Leftovers
    from ..store.reader import Reader
    from ..store.task_details import TaskDetail, TicketRow


@click.command()
@click.argument("number", type=click.IntRange(1), required=False, metavar="[TASK]")
@click.option("--failed", is_flag=True, help="Print those of all failed sets, one after another.")
@click.option(
    "-f", "--follow", is_flag=True, help="Print what a running set prints, until it ends."
)
@sweep_file_by_its_long_name
@sweep_name
@as_json
@volume
@anywhere
def command(
    number: int | None,
    failed: bool,
    follow: bool,
    file: Path,
    name: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
) -> int | None:
    """Print what the program of a set wrote to stdout and stderr, attempt by attempt (of long texts
    the end); of an attempt that failed also how, and which files were in its directory then.

    \b
    Example: spe log 17
    Example: spe log 17 -f
    Example: spe log --failed
    """
    _check_words(number, failed, follow, json_)
    # The log of a set that has ended is complete: there is nothing to follow.
    if follow and number is not None and not _has_ended(number, file, name):
        return _follow(number, folder_of(file, name))
    with open_reader(file, name) as reader:
        numbers = [row.number for row in reader.failed()] if number is None else [number]
        # One at a time: with `keep_output: all` each may have any amount of output.
        _show(reader, map(reader.task, numbers), json_)
    if not numbers and not json_:
        click.echo("no set has failed", err=True)
    return None


def _check_words(number: int | None, failed: bool, follow: bool, json_: bool) -> None:
    """Raise UsageError for words that exclude each other."""
    if (number is None) != failed:
        raise UsageError("name a set or say --failed", todo="spe log 17, or spe log --failed")
    # Two outputs that grow at the same time have no order in one JSON document.
    if follow and (failed or json_):
        raise UsageError("-f follows one set, as text", todo="spe log 17 -f")


def _show(reader: Reader, tasks: Iterable[TaskDetail], json_: bool) -> None:
    """Print these sets, for programs or for people."""
    if json_:
        print_json([record(task) for task in tasks])
        return
    for task in tasks:
        _print(reader, task)


def _has_ended(number: int, file: Path, name: str | None) -> bool:
    """Tell whether nothing more can come of what this set prints."""
    from ..model import TaskState

    with open_reader(file, name) as reader:
        return reader.task(number).state not in (TaskState.RUNNING, TaskState.WAITING)


def _follow(number: int, folder: Path) -> int:
    """Print what a set prints to stdout and to stderr, each to its own, until the set has ended.

    stderr is followed in a thread that Ctrl-C does not wait for.
    """
    import threading

    from .ask import printed

    def stderr() -> None:
        with contextlib.suppress(UsageError):  # following stdout raises the same
            printed(folder, f"/output?task={number}&which=stderr", None, sys.stderr)

    # Two connections, because one order follows one stream.
    beside = threading.Thread(target=stderr, daemon=True)
    beside.start()
    code = printed(folder, f"/output?task={number}&which=stdout", None, sys.stdout)
    beside.join()
    return code


def record(task: TaskDetail) -> dict[str, object]:
    """Return the output of all attempts, for programs."""
    return {
        "number": task.number,
        "reason": task.reason,
        "tickets": [_ticket_record(task, ticket) for ticket in task.tickets],
    }


def _ticket_record(task: TaskDetail, ticket: TicketRow) -> dict[str, object]:
    return {
        "ticket": ticket.id,
        "host": ticket.host,
        "state": ticket.state,
        "exit_code": ticket.exit_code,
        "reason": ticket.reason,
        # JSON is text: bytes that are not UTF-8 are replaced here, and printed as they are for people.
        "stdout": task.stdout_of(ticket).decode("utf-8", "replace"),
        "stderr": ticket.stderr.decode("utf-8", "replace"),
        **files_there(ticket.files),
    }


def _print(reader: Reader, task: TaskDetail) -> None:
    """Print the attempts and the results of one set, for people."""
    from ..model import TaskState

    name = f"== task {task.number} ({shown(task.values)})"
    # A cancelled set, for one, has a reason that no attempt of it has.
    if task.reason and task.reason not in [ticket.reason for ticket in task.tickets]:
        click.echo(f"{name}: {task.state}: {task.reason}")
    if not task.tickets:
        click.echo(f"task {task.number} ({shown(task.values)}) has not run", err=True)
    elif task.state is TaskState.RUNNING:
        click.echo(
            f"task {task.number} runs: `spe log {task.number} -f` shows what it prints", err=True
        )
    for ticket in task.tickets:
        _print_attempt(name, ticket, task.stdout_of(ticket))
    if task.state is TaskState.FAILED:
        _print_kept(reader.folder, task.number)
    for output in task.outputs:
        if not _is_whole_stdout(task, output):
            _print_result(reader.folder, output)


def _is_whole_stdout(task: TaskDetail, output: Output) -> bool:
    """Tell whether a result is all that was printed, which stands under the attempt already."""
    if task.origin(output) != STDOUT or output.file:
        return False
    return output.content.decode("utf-8", "replace").rstrip("\n") == output.value.rstrip("\n")


def _print_kept(folder: Path, number: int) -> None:
    """Say how to have the files that the last attempt left, where they are kept."""
    from ..results.failed_files import files_left

    if any(files_left(folder, number)):
        click.echo(f"-- kept of them: `spe files {number}`")


def _print_attempt(name: str, ticket: TicketRow, stdout: bytes) -> None:
    """Print how an attempt ended, and its evidence. `stdout`: what it printed."""
    if ticket.state == "expired" and not (ticket.stdout or ticket.stderr):
        return  # a copy, or never begun: there is nothing to tell
    head = f"{name}, ticket {ticket.id} on {ticket.host}: {ticket.state}"
    if ticket.reason:
        head += f": {ticket.reason}"
    click.echo(head)
    _print_evidence(ticket, stdout)


def _print_result(folder: Path, output: Output) -> None:
    """Print one result: the path of its file, or its value. The file itself may be long."""
    head = f"-- result {output.name}"
    if output.file:
        click.echo(f"{head}: {folder / output.file}")
        if output.is_tree:
            from ..results.trees import files_of

            for name, size in files_of(output):
                click.echo(f"{bytes_text(size):>10}  {printable(name)}")
    elif "\n" in output.value.rstrip("\n"):
        click.echo(head)
        _raw(output.value.encode())
    else:
        click.echo(f"{head}: {printable(output.value)}")


def _print_evidence(ticket: TicketRow, stdout: bytes) -> None:
    """Print what an attempt wrote, and the files in its directory."""
    for name, data in (("stdout", stdout), ("stderr", ticket.stderr)):
        if data:
            click.echo(f"-- {name}")
            _raw(data)
    # None where the attempt did not fail; an empty list says that the program wrote nothing.
    if ticket.files:
        _print_files(ticket.files)


def _print_files(left: Leftovers) -> None:
    """Print the files in the directory of a failed attempt."""
    none = "" if left.files else ": none"
    click.echo(f"-- files in its directory{none}")
    for line in left.lines():
        click.echo(line)


def _raw(data: bytes) -> None:
    """Print bytes as they are, with a newline at the end."""
    # Bytes, no text: a program may print a picture, or text in another encoding than ours.
    sys.stdout.flush()  # what is in the text layer comes before these bytes
    sys.stdout.buffer.write(data)
    if not data.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()

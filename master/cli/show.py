"""`spe show`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..text import counted
from ..text import volume as bytes_text
from .common import (
    as_json,
    files_there,
    open_reader,
    print_json,
    sweep_file,
    sweep_name,
    table,
    volume,
)
from .elsewhere import anywhere

if TYPE_CHECKING:
    from ..model import Output
    from ..store.task_details import TaskDetail, TicketRow

# The reason comes last: it is the only one that may be long, and columns behind it would be far away.
ATTEMPT = (
    "ticket",
    "host",
    "state",
    "began",
    "seconds",
    "cpu",
    "memory",
    "read",
    "written",
    "exit",
    "reason",
)


@click.command()
@click.argument("number", type=click.IntRange(1), metavar="TASK")
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(
    number: int, file: Path, name: str | None, json_: bool, quiet: bool, verbose: int
) -> None:
    """Show everything about one set: parameters, state, attempts with host, times and reason,
    results.

    \b
    Example: spe show 17
    """
    with open_reader(file, name) as reader:
        task = reader.task(number)
        state = shown_state(reader.folder, task)
    if json_:
        print_json({**record(task), "state": state})
    else:
        click.echo(text(task, state), nl=False)


def shown_state(folder: Path, task: TaskDetail) -> str:
    """Return the state of a set in one word: `paused` for a running one that people have paused."""
    from ..model import TaskState
    from ..state.lines import is_paused
    from .status import document_of

    # The store does not know it, and the master is asked for running sets only.
    if task.state is TaskState.RUNNING and is_paused(document_of(folder), task.number):
        return "paused"
    return task.state.value


def record(task: TaskDetail) -> dict[str, object]:
    """Return one set, for programs."""
    return {
        "number": task.number,
        "parameters": task.values,
        "state": task.state.value,
        "attempts": task.attempts,
        "lost": task.lost,
        "reason": task.reason,
        "in_todays_parameters": task.in_plan,
        "program": task.program,
        "results": {o.name: o.value for o in task.outputs},
        # Beside the values and not in place of them: `results` are what the table has.
        "as_written": dict(_other_spellings(task)),
        "files": {o.name: o.file for o in task.outputs if o.file},
        "file_lists": {o.name: _file_list(o) for o in task.outputs if o.is_tree},
        "tickets": [_ticket_record(ticket) for ticket in task.tickets],
    }


def _file_list(output: Output) -> list[dict[str, object]]:
    """Return the files of a result of several, for programs."""
    from ..results.trees import files_of

    return [{"file": name, "bytes": size} for name, size in files_of(output)]


def _other_spellings(task: TaskDetail) -> Iterator[tuple[str, str]]:
    """Yield the results whose number the program spelled in another way than the table."""
    for output in task.outputs:
        written = _written(output)
        if written != output.value:
            yield output.name, written


def _ticket_record(ticket: TicketRow) -> dict[str, object]:
    return {
        "ticket": ticket.id,
        "host": ticket.host,
        "state": ticket.state,
        "issued": ticket.issued,
        "seconds": ticket.seconds,
        "cpu": ticket.cpu,
        "memory": ticket.memory,
        "read": ticket.read,
        "written": ticket.written,
        "exit_code": ticket.exit_code,
        "reason": ticket.reason,
        **files_there(ticket.files),
    }


def text(task: TaskDetail, state: str) -> str:
    """Return one set, for people."""
    out = _head(task, state)
    if task.values:
        out += "\nparameters\n" + table(["name", "value"], task.values.items())
    # Only of a set that is done: a failed one may have run with several programs.
    if task.accepted_ticket:
        out += f"\nprogram: {_program(task.program)}\n"
    if task.outputs:
        out += "\nresults\n" + table(["name", "value", "bytes", "file"], map(_result, task.outputs))
    if task.tickets:
        out += "\nattempts\n" + table(ATTEMPT, map(_attempt, task.tickets))
    return out


def _head(task: TaskDetail, state: str) -> str:
    """Return number and state, and the reason where there is one."""
    # A set that left the parameters keeps its row in the store, and comes back with its line.
    gone = "" if task.in_plan else f" ({task.absence})"
    out = f"task {task.number}: {state}{gone}\n"
    if task.reason:
        out += f"reason: {task.reason}\n"
    return out


def _result(output: Output) -> list[object]:
    """Return one result as a row of the table."""
    place = output.file or ""
    if output.is_tree:
        place += f"/ ({counted(len(_file_list(output)), 'file')}: `spe files`)"
    return [output.name, _spelled(output), output.size, place]


def _program(parts: dict[str, str] | None) -> str:
    """Return the files of a row's program, each with the beginning of its SHA-256."""
    if parts is None:
        return "not recorded"  # by an older spe
    if not parts:
        return "as it is on the hosts"
    return ", ".join(f"{name} {digest[:12]}" for name, digest in parts.items())


def _spelled(output: Output) -> str:
    """Return the cell of the table, and what the program wrote where that was another spelling."""
    written = _written(output)
    if written == output.value:
        return output.value
    return f"{output.value} (as written: {written})"


def _written(output: Output) -> str:
    """Return a value as the program spelled it."""
    from ..results.numerals import as_written

    if output.number is None:
        return output.value
    return as_written(output.value, output.raw)


def _attempt(ticket: TicketRow) -> list[object]:
    """Return one attempt as a row of the table."""
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ticket.issued))
    seconds, cpu = ticket.seconds, ticket.cpu
    if ticket.state == "expired" and not seconds:  # nobody measured it: 0 would be untrue
        seconds = cpu = None
    times = [_cell(one, "{:.3f}".format) for one in (seconds, cpu)]
    # 0 bytes of memory mean that the host's system did not tell.
    sizes = [_cell(one, bytes_text) for one in (ticket.memory or None, ticket.read, ticket.written)]
    code = _cell(ticket.exit_code, str)
    place = [ticket.id, ticket.host, ticket.state, began]
    return [*place, *times, *sizes, code, ticket.reason or ""]


def _cell(value: Any, show: Callable[[Any], str]) -> str:
    """Return a value for the table; an empty cell where it is not known."""
    return "" if value is None else show(value)

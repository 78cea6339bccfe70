"""spe show."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .common import as_json, files_there, open_reader, print_json, sweep_file, sweep_name, table, volume
from .elsewhere import reading

if TYPE_CHECKING:
    from ..model import Output
    from ..store.task_details import TaskDetail, TicketRow

ATTEMPT = ("ticket", "host", "state", "began", "seconds", "cpu", "memory", "read", "written", "exit", "reason")


@click.command()
@click.argument("number", type=click.IntRange(1), metavar="TASK")
@sweep_file
@sweep_name
@as_json
@volume
@reading
def command(number: int, file: Path, name: str | None, json_: bool, quiet: bool, verbose: int) -> None:
    """Show everything about one set: parameters, state, attempts with host, times and reason, results.

    \b
    Example: spe show 17
    """
    with open_reader(file, name) as reader:
        task = reader.task(number)
    if json_:
        print_json(record(task))
    else:
        click.echo(text(task), nl=False)


def record(task: TaskDetail) -> dict[str, object]:
    """One set, for programs."""
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
        "as_written": {o.name: written for o in task.outputs if (written := _written(o)) != o.value},
        "files": {o.name: o.file for o in task.outputs if o.file},
        "tickets": [
            {"ticket": t.id, "host": t.host, "state": t.state, "issued": t.issued, "seconds": t.seconds, "cpu": t.cpu,
             "memory": t.memory, "read": t.read, "written": t.written, "exit_code": t.exit_code, "reason": t.reason,
             **files_there(t.files)}
            for t in task.tickets
        ],
    }  # fmt: skip


def text(task: TaskDetail) -> str:
    """One set, for people."""
    gone = "" if task.in_plan else " (no longer among the parameters)"
    out = f"task {task.number}: {task.state}{gone}\n"
    out += f"reason: {task.reason}\n" if task.reason else ""
    out += "\nparameters\n" + table(["name", "value"], task.values.items()) if task.values else ""
    if task.accepted_ticket:
        out += f"\nprogram: {_program(task.program)}\n"
    if task.outputs:
        out += "\nresults\n" + table(
            ["name", "value", "bytes", "file"], ((o.name, _spelled(o), o.size, o.file or "") for o in task.outputs)
        )
    if task.tickets:
        rows = map(_attempt, task.tickets)
        out += "\nattempts\n" + table(ATTEMPT, rows)
    return out


def _program(parts: dict[str, str] | None) -> str:
    """The files of the program that a row is by, each with the beginning of its SHA-256."""
    if parts is None:
        return "not recorded"
    return ", ".join(f"{name} {digest[:12]}" for name, digest in parts.items()) or "as it is on the hosts"


def _spelled(output: Output) -> str:
    """The cell of the table, and beside it what the program wrote where that was another spelling."""
    written = _written(output)
    return output.value if written == output.value else f"{output.value} (as written: {written})"


def _written(output: Output) -> str:
    from ..results.numerals import as_written

    return output.value if output.number is None else as_written(output.value, output.raw)


def _attempt(ticket: TicketRow) -> list[object]:
    from ..text import human

    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ticket.issued))
    seconds, cpu = ("" if one is None else f"{one:.3f}" for one in (ticket.seconds, ticket.cpu))
    sizes = ("" if one is None else human(one) for one in (ticket.memory or None, ticket.read, ticket.written))
    code = "" if ticket.exit_code is None else ticket.exit_code
    return [ticket.id, ticket.host, ticket.state, began, seconds, cpu, *sizes, code, ticket.reason or ""]

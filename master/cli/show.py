"""`spe show`."""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..text import counted, printable
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
    from ..earlier.by_hand import ByHand
    from ..model import Input, Output
    from ..store.task_details import TaskDetail, TicketRow
    from ..sweep.sweep import Sweep

SHORT_SCRIPT = 40  # lines that `spe show` prints itself
MOST_INPUTS = 20  # rows of inputs, of which a sweep may have thousands

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
@click.option("--by-hand", "script", is_flag=True, help="Print only the lines that run it by hand.")
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(
    number: int,
    script: bool,
    file: Path,
    name: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Show everything about one set: parameters, state, command, inputs, program, attempts with
    host, times and reason, results, and lines for a shell that run it by hand.

    \b
    Example: spe show 17
    Example: spe show 17 --by-hand | sh
    """
    from ..earlier.by_hand import by_hand

    with open_reader(file, name) as reader:
        task = reader.task(number)
        state = shown_state(reader.folder, task)
        hand = by_hand(task, reader.folder, lambda: _sweep_of(reader.folder, file))
    if script:
        _print_script(hand, quiet)
    elif json_:
        print_json({**record(task), **_hand_record(hand), "state": state})
    else:
        click.echo(text(task, state, hand, _again(number, file, name)), nl=False)


def _sweep_of(folder: Path, file: Path) -> Sweep:
    """Return today's sweep of runs/<name>/: of its one-liner where one made it, else of the file."""
    from ..sweep import sweep
    from ..sweep.folders import LINE, read_kept

    kept = read_kept(folder)
    if kept and kept.made == LINE and kept.line:
        return sweep.from_command_line(kept.line, file.parent, folder.name)
    return sweep.load(file, {"name": folder.name})


def _again(number: int, file: Path, name: str | None) -> str:
    """Return the command that prints the script, for the folder in which the user is."""
    words = ["spe", "show", str(number), "--by-hand"]
    if file != Path("spe.yaml"):
        words += ["-f", str(file)]
    if name:
        words += ["-n", name]
    return shlex.join(words) + " | sh"


def _print_script(hand: ByHand, quiet: bool) -> None:
    """Print the script alone. Raises UsageError where it is not known what the set ran."""
    if not hand.script:
        raise UsageError(f"this set cannot be run by hand: {hand.why_not}")
    if not quiet:
        for note in hand.notes:
            click.echo(f"note: {printable(note)}", err=True)
    click.echo(hand.script, nl=False)


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


def _hand_record(hand: ByHand) -> dict[str, object]:
    """Return what the set runs, for programs; null where it is not known."""
    from ..wire.records import unpacked

    inputs = None
    if hand.inputs is not None:
        inputs = [_input_record(one) for one in unpacked(hand.inputs)]
    return {
        "command": list(hand.words) or None,
        "environment": dict(hand.environment) or None,
        "inputs": inputs,
        "program_today": hand.program_today,
        "by_hand": hand.script or None,
        "notes": [*hand.notes, *filter(None, [hand.why_not])],
    }


def _input_record(one: Input) -> dict[str, object]:
    origin = one.origin or one.file
    digest = one.sha256 or hashlib.sha256(one.content).hexdigest()
    return {
        "name": one.name,
        "size": one.size,
        "sha256": digest,
        "file": str(origin) if origin else None,
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


def text(task: TaskDetail, state: str, hand: ByHand, again: str) -> str:
    """Return one set, for people. `again`: the command that prints the script of `hand`."""
    out = _head(task, state)
    if task.values:
        out += "\nparameters\n" + table(["name", "value"], task.values.items())
    out += _runs(hand)
    # Only of a set that is done: a failed one may have run with several programs.
    if task.accepted_ticket:
        out += f"\nprogram: {_program(task.program)}\n"
    if task.outputs:
        out += "\nresults\n" + table(["name", "value", "bytes", "file"], map(_result, task.outputs))
    if task.tickets:
        out += "\nattempts\n" + table(ATTEMPT, map(_attempt, task.tickets))
    return out + _by_hand(hand, again)


def _runs(hand: ByHand) -> str:
    """Return the command line, the inputs and the variables of a set."""
    if not hand.words:
        return f"\ncommand: not known: {printable(hand.why_not)}\n"
    out = f"\ncommand: {printable(shlex.join(hand.words))}\n"
    if hand.inputs:
        shown = hand.inputs[:MOST_INPUTS]
        out += "\ninputs\n" + table(["name", "bytes", "from"], (_input(one, hand.templates) for one in shown))
        more = len(hand.inputs) - len(shown)
        out += f"and {more} more: --json has all\n" if more else ""
    return out + "\nenvironment\n" + table(["name", "value"], hand.environment.items())


def _input(one: Input, templates: Mapping[str, str]) -> list[object]:
    """Return one input as a row of the table."""
    made = f"template {templates[one.name]}" if one.name in templates else "text"
    return [one.name, one.size, one.origin or one.file or made]


def _by_hand(hand: ByHand, again: str) -> str:
    """Return how to run the set by hand, with what is different then."""
    if not hand.script:
        return f"\nnote: {printable(hand.why_not)}\n" if hand.words else ""
    out = "\n" + "".join(f"note: {printable(note)}\n" for note in hand.notes)
    if hand.script.count("\n") > SHORT_SCRIPT:
        return out + f"to run it by hand in a fresh directory: {again}\n"
    return out + f"to run it by hand, paste these lines into a shell (or: {again}):\n\n{hand.script}"


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
    # `any` is no platform that a user wrote: it is the worker for all of them.
    shown = {name.removesuffix(" any"): digest for name, digest in parts.items()}
    return ", ".join(f"{name} {digest[:12]}" for name, digest in shown.items())


def _spelled(output: Output) -> str:
    """Return the cell of the table, and what the program wrote where that was another spelling."""
    written = _written(output)
    if written == output.value:
        return output.value
    return f"{output.value} (as written: {written})"


def _written(output: Output) -> str:
    """Return a value as the program spelled it."""
    from ..results.reading.numerals import as_written

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

"""`spe check`."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..text import sets
from .common import as_json, load, print_json, start_logging, sweep_file, sweep_name, table, volume
from .run import anyway_option, find_mistakes, make_options, run_options

if TYPE_CHECKING:
    from ..runner.run import RunOptions
    from ..store.task_details import TaskDetail
    from ..sweep.parameters import Census
    from ..sweep.sweep import Sweep

FIRST = 3  # command lines that are shown, and the last one


@click.command()
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@click.option("-p", "parameters", multiple=True, metavar="NAME=VALUES", help="As for `spe run`.")
@click.option("--dry", is_flag=True, help="Show the plan only; contact no host and run nothing.")
@run_options
@anyway_option
@sweep_file
@sweep_name
@as_json
@volume
def command(
    words: tuple[str, ...],
    parameters: tuple[str, ...],
    dry: bool,
    anyway: bool,
    file: Path,
    name: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
    **options: Any,
) -> int:
    """Show how many sets there are and the first and last command lines; start every host; run one
    set.

    Nothing of it is kept: the set runs in a scratch folder, and the collect hooks are not called.
    What this cannot find: sets other than the first may still fail.

    \b
    Example: spe check
    Example: spe check --dry
    """
    sweep = load(file, words, parameters, name)
    census = sweep.parameters.check()
    chosen = make_options(**options)
    mistakes = find_mistakes(sweep, census, chosen, anyway)
    asyncio.run(_import_hooks(sweep))  # before any host is started for a hook that fails
    lines = _lines(sweep, census)
    # Before the one set runs: that may take hours, and a look at the lines may be enough.
    _show_plan(sweep, census, lines, mistakes, json_)
    task = None
    if not dry:
        task = _run_one(sweep, census, chosen, quiet, verbose)
    if json_:
        print_json(_record(sweep, census, lines, task))
    elif task:
        click.echo(_outcome(task), nl=False)
    return 0 if task is None or task.state == "done" else 1


def _show_plan(
    sweep: Sweep,
    census: Census,
    lines: list[tuple[int, str]],
    mistakes: list[str],
    json_: bool,
) -> None:
    """Print warnings, and for people the number of sets and the command lines."""
    for warning in (*sweep.warnings, *census.warnings, *mistakes):
        click.echo(f"warning: {warning}", err=True)
    if json_:
        return
    click.echo(f"{sets(census.count)} of {sweep.name}")
    width = len(str(census.count))
    for number, line in lines:
        click.echo(f"{number:>{width}}  {line}")


async def _import_hooks(sweep: Sweep) -> None:
    """Import all hooks, those of `collect` too, which the one set does not call."""
    from ..hooks.hooks import Hooks

    hooks = Hooks(sweep.folder, sweep.results, sweep.validate, sweep.collect)
    try:
        await hooks.check_import()
    finally:
        await hooks.close()  # the run of the one set starts a process of its own


def _lines(sweep: Sweep, census: Census) -> list[tuple[int, str]]:
    """Return the first three command lines and the last one, with their places."""
    from ..wire.records import command_line

    # Quoted, so that they can be pasted into a shell.
    found: list[tuple[int, str]] = []
    for place, one in enumerate(islice(sweep.parameters, FIRST), 1):
        found.append((place, command_line(sweep.work(one.values).words)))
    # The last one shows where a range ends, without a walk through all that lie between.
    if census.count > FIRST:
        found.append((census.count, command_line(sweep.work(census.last.values).words)))
    return found


def _run_one(
    sweep: Sweep, census: Census, options: RunOptions, quiet: bool, verbose: int
) -> TaskDetail:
    """Run the first set in a scratch folder, and return what became of it."""
    from ..runner.run import Run
    from ..state.progress import Progress
    from ..store.reader import Reader
    from ..sweep.blocks import Listed
    from ..sweep.parameters import Parameters

    names = sweep.parameters.names
    cells = tuple(census.first.values[name] for name in names)
    one = Parameters([Listed(names, [cells])])
    # Without the collect hooks: they may write where the user keeps results.
    config = dataclasses.replace(sweep.config, collect=("table",))
    only = dataclasses.replace(sweep, parameters=one, config=config)
    # Not below runs/: nothing of it is kept, and a run of this sweep may go on there.
    with tempfile.TemporaryDirectory(prefix="spe-check-") as scratch:
        folder = Path(scratch)
        # No master.log: the scratch folder goes with it.
        start_logging(None, quiet, verbose)
        # One set needs one host, but the user asks whether all of them come up.
        all_hosts = dataclasses.replace(options, try_all_hosts=True)
        asyncio.run(Run(only, all_hosts, Progress(quiet), folder).run())
        with Reader(folder) as reader:
            return reader.task(1)


def _outcome(task: TaskDetail) -> str:
    """Return what became of the one set, for people."""
    if task.state == "done":
        return _results(task)
    text = f"set 1 failed: {task.reason or 'it was not run'}\n"
    if not task.tickets:
        return text
    # The last attempt says enough: earlier ones were lost, or failed in the same way.
    ticket = task.tickets[-1]
    if ticket.stderr:
        text += ticket.stderr.decode("utf-8", "replace").rstrip("\n") + "\n"
    if ticket.files:
        text += f"its directory had: {ticket.files.summary()}\n"
    return text


def _results(task: TaskDetail) -> str:
    """Return where the set ran, and the table of its results."""
    ticket = task.tickets[-1]
    cells = ((o.name, o.value, o.size) for o in task.outputs)
    head = f"set 1 ran on {ticket.host} in {ticket.seconds or 0:.3f} s\n"
    return head + table(["result", "value", "bytes"], cells)


def _record(
    sweep: Sweep, census: Census, lines: list[tuple[int, str]], task: TaskDetail | None
) -> dict[str, object]:
    """Return all of it, for programs."""
    from .show import record

    return {
        "name": sweep.name,
        "sets": census.count,
        "command_lines": {str(number): line for number, line in lines},
        "warnings": [*sweep.warnings, *census.warnings],
        "set": record(task) if task else None,
    }

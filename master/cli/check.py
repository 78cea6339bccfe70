"""`spe check`."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..text import sets
from .common import as_json, load, print_json, start_logging, sweep_file_to_run, sweep_name, volume
from .completion import paths
from .execution import find_mistakes, find_targets
from .grouped_command import GroupedCommand
from .line_options import line_options
from .run_options import anyway_option, given_keys, make_options, run_options

if TYPE_CHECKING:
    from ..sweep.parameters import Census
    from ..sweep.sweep import Sweep
    from .kind_outcomes import CheckOutcome

FIRST = 3  # command lines that are shown, and the last one


@click.command(cls=GroupedCommand)
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[-- COMMAND...]",
    shell_complete=paths,
)
@line_options
@click.option("--all-hosts", is_flag=True, help="Run the first set on every host.")
@click.option("--dry", is_flag=True, help="Show the plan only; contact no host and run nothing.")
@run_options
@anyway_option
@sweep_file_to_run
@sweep_name
@as_json
@volume
def command(
    words: tuple[str, ...],
    all_hosts: bool,
    dry: bool,
    anyway: bool,
    file: Path,
    name: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
    **options: Any,
) -> int:
    """Show how many sets there are and the first and last command lines; start every host; run the
    first set once on each kind of host: platform, home and Python.

    Nothing of it is kept: the set runs in a scratch folder, and the collect hooks are not called.
    What this cannot find: sets other than the first may still fail. Exit codes: 0 all is well,
    1 the set failed or a host cannot work, 3 no host came up.

    \b
    Example: spe check
    Example: spe check --dry
    Example: spe check --all-hosts
    """
    sweep = load(file, words, given_keys(options, words), name)
    census = sweep.parameters.check()
    chosen = make_options(**options)
    mistakes = find_mistakes(sweep, census, chosen, anyway)
    find_targets(sweep)
    asyncio.run(_import_hooks(sweep))  # before any host is started for a hook that fails
    lines = _lines(sweep, census)
    # Before the one set runs: that may take hours, and a look at the lines may be enough.
    # With --dry the plan is the result, so -q leaves it.
    _show_plan(sweep, census, lines, mistakes, silent=json_ or (quiet and not dry))
    if dry:
        if json_:
            print_json(_record(sweep, census, lines, None))
        return 0
    from ..sweep.checks.files_named import hints
    from .first_set import run_first_set
    from .kind_outcomes import show

    start_logging(None, quiet, verbose)  # no master.log: the scratch folder goes with it
    outcome = run_first_set(sweep, chosen, all_hosts, quiet)
    if json_:
        print_json(_record(sweep, census, lines, outcome))
    else:
        show(outcome)
        for hint in hints([one.reason for one in outcome.tried if not one.is_done], sweep):
            click.echo(hint)
    if outcome.stranded:
        raise outcome.stranded
    return outcome.exit_code


def _show_plan(
    sweep: Sweep,
    census: Census,
    lines: list[tuple[int, str]],
    mistakes: list[str],
    silent: bool,
) -> None:
    """Print warnings, and unless `silent` the number of sets and the command lines."""
    for warning in (*sweep.warnings, *census.warnings, *mistakes):
        click.echo(f"warning: {warning}", err=True)
    if silent:
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


def _record(
    sweep: Sweep, census: Census, lines: list[tuple[int, str]], outcome: CheckOutcome | None
) -> dict[str, object]:
    """Return all of it, for programs."""
    return {
        "name": sweep.name,
        "sets": census.count,
        "command_lines": {str(number): line for number, line in lines},
        "warnings": [*sweep.warnings, *census.warnings],
        "set": None,
        **(outcome.record() if outcome else {}),
    }

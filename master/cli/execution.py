"""One run of a sweep from the command line: checks, the run, what came of it, the exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import startup
from ..record import record
from .common import start_logging

if TYPE_CHECKING:
    from ..notify.address_book import Target
    from ..runner.options import PrintOptions
    from ..runner.outcome import Outcome
    from ..runner.run import RunOptions
    from ..state.progress import Progress
    from ..sweep.parameters import Census
    from ..sweep.sweep import Sweep


def execute(
    sweep: Sweep,
    options: RunOptions,
    json_: bool,
    quiet: bool,
    verbose: int,
    anyway: bool = False,
) -> int:
    """Run a sweep, print what came of it, and return the exit code.

    Raises ConfigError for a mistake that makes every task fail, unless `anyway`.
    """
    from ..errors import NothingRuns
    from ..sweep.checks.files_named import hints
    from ..sweep.sweep import run_folder
    from .run_end import report, report_beside, report_stranded

    printing = options.printing
    options = replace(options, notify=find_targets(sweep))
    try:
        ended = run_to_its_end(sweep, options, quiet, verbose, anyway, printing is not None)
    except NothingRuns as error:
        if json_:
            report_stranded(run_folder(sweep), error, one_line=printing is not None)
        raise
    outcome = ended.outcome
    if printing is None:
        report(outcome, json_, quiet)
    else:
        report_beside(outcome, json_, quiet)
    _warn(ended.progress, ended.reminders)  # once more: they may be why
    for hint in hints(reasons(outcome), sweep):
        if not any(hint.partition(":")[0] in one for one in ended.reminders):
            click.echo(hint, err=True)
    return outcome.exit_code


@record
class Ended:
    """A run that has ended. `reminders`: warnings that may tell why sets failed."""

    outcome: Outcome
    progress: Progress
    reminders: tuple[str, ...]


def run_to_its_end(
    sweep: Sweep,
    options: RunOptions,
    quiet: bool,
    verbose: int,
    anyway: bool = False,
    stdout_is_taken: bool = False,
) -> Ended:
    """Run a sweep and return what came of it; nothing of that is printed.

    `stdout_is_taken`: rows or else are printed there. Raises as `execute`, NothingRuns as well.
    """
    from ..runner.run import Run
    from ..session.run_folder import make_run_folder
    from ..state.progress import Progress
    from ..store import filesystem
    from ..sweep.sweep import run_folder
    from .output import is_live, results_in

    live = is_live(sys.stderr) and _may_draw(options.printing)
    progress = Progress(quiet, live, stdout_is_taken=stdout_is_taken)
    # All sets are read once before the folder is made: a mistake in the last line of a million
    # leaves nothing behind.
    census = sweep.parameters.check()
    mistakes = find_mistakes(sweep, census, options, anyway)
    _warn(progress, (*sweep.warnings, *census.warnings, *mistakes))
    folder = run_folder(sweep)
    if not options.granted:
        _warn(progress, _jobs_of(folder))
    make_run_folder(folder)
    _warn(progress, filesystem.warnings(folder))  # before anything is stored there
    # For a command whose output breaks off: the run goes on, and its last words name this file.
    results_in(folder / "results.csv")
    start_logging(folder, quiet, verbose)
    startup.while_working()  # all that the run needs is loaded by now
    try:
        outcome = asyncio.run(Run(sweep, options, progress).run())
    finally:
        sweep.recipe.files.digests.save()
    reminders = (*census.reminders, *mistakes) if outcome.statistics.failed else ()
    return Ended(outcome, progress, reminders)


def _jobs_of(folder: Path) -> list[str]:
    """Return a warning for each job of a farm that is to run the same sweep."""
    from ..session.run_folder import orders_folder

    if not orders_folder().is_dir():
        return []  # most users have never submitted a job
    from ..delegate import orders

    # The lock keeps two runs apart. A job whose run has not begun holds none.
    return [
        f"job {one.job} of a farm is to run this sweep, too: spe jobs cancel {one.job} takes it back"
        for one in orders.of_folder(folder)
    ]


def find_targets(sweep: Sweep) -> tuple[Target, ...]:
    """Return who is told of a run. Raises UsageError for a name or an address that cannot be used."""
    if not sweep.config.notify:
        return ()
    from ..notify.address_book import targets  # late: most runs tell nobody

    return targets(sweep.config.notify)


def reasons(outcome: Outcome) -> list[str]:
    """Return why sets of a run have failed or wait."""
    from ..store.reader import Reader

    waits = [one.sentence for one in outcome.waiting_because]
    if not outcome.statistics.failed:
        return waits
    with Reader(outcome.folder, outcome.database) as reader:
        return [*(group.reason for group in reader.failure_groups()), *waits]


def _may_draw(printing: PrintOptions | None) -> bool:
    """Return False where a live picture would be in the way of what is printed."""
    # What programs write to stderr goes there, too; rows are in the way on a terminal only.
    return printing is None or (printing.form != "lines" and not sys.stdout.isatty())


def find_mistakes(sweep: Sweep, census: Census, options: RunOptions, anyway: bool) -> list[str]:
    """Raise ConfigError for the first mistake that makes every task fail.

    With `anyway`, return them as warnings.
    """
    from ..sweep.checks.platforms import check_platform

    hosts = sweep.hosts if options.hosts is None else options.hosts
    mistakes = [*sweep.mistakes, *census.mistakes]
    if not options.by_hand and sweep.recipe.runs_worker:  # else a program reads it, as qemu does
        mistakes += check_platform(sweep.worker, hosts)
    if mistakes and not anyway:
        raise mistakes[0]
    return [f"{one.where}: {one.what}" for one in mistakes]


def _warn(progress: Progress, warnings: Iterable[str]) -> None:
    for warning in warnings:
        progress.warn(warning)


def show_dry(sweep: Sweep, options: RunOptions, json_: bool, quiet: bool, anyway: bool) -> int:
    """Show what a run would do, after the checks that it begins with."""
    from .dry import show

    census = sweep.parameters.check()
    mistakes = find_mistakes(sweep, census, options, anyway)
    for warning in (*sweep.warnings, *census.warnings, *mistakes):
        click.echo(f"warning: {warning}", err=True)
    return show(sweep, json_, quiet)

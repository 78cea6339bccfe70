"""`spe attach`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..text import set_counts
from . import output
from .common import as_json, folder_of, print_json, sweep_file, sweep_name, volume
from .elsewhere import anywhere
from .output import plain_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..dispatch.shortfall import Reason
    from ..store.sessions import RunEnd
    from ..store.statistics import Statistics


@click.command()
@sweep_file
@sweep_name
@as_json
@plain_option
@volume
@anywhere
def command(file: Path, name: str | None, json_: bool, quiet: bool, verbose: int) -> int:
    """Follow a sweep that runs without this terminal, until its end. Ctrl-C leaves it running.

    \b
    Example: spe run --detach && spe attach
    """
    from ..session.detached import follow
    from ..session.living import living

    folder = folder_of(file, name)
    run = living(folder)
    if run is None:
        code = _code_of_ended(folder)
        _show_end(folder, json_)
        return code
    from ..session.forwarding import forwarding  # late: a run that is over has no page

    silent = quiet or json_
    if not silent:
        click.echo(f"page: {run.page}", err=True)
        if line := forwarding(run.page):
            click.echo(line, err=True)
    # From the store, not from the master: what it shows is what is kept, and a master that is busy
    # or stopped holds nothing up.
    follow(folder, _Counts(folder, silent).show)
    code = _code_of_followed(folder)
    _show_end(folder, json_)
    return code


def _code_of_ended(folder: Path) -> int:
    """Return the exit code of a run that was over before this command began.

    Raises UsageError when nothing has run here, when the run was killed, and when another one is
    just beginning.
    """
    from ..session.detached import holder_of_lock, left_by_killed, nothing_runs, owner_of_hidden

    # A run of another user is found first: its files may not be ours to read.
    end = None if owner_of_hidden(folder) else _end(folder)
    if end and holder_of_lock(folder) in (0, end.pid):
        return end.code
    raise left_by_killed(folder) or nothing_runs(folder)


def _code_of_followed(folder: Path) -> int:
    """Return the exit code of a run that has just ended. Raises UsageError when it was killed."""
    from ..session.detached import killed
    from ..store.reader import Reader

    end = _end(folder)
    if end:
        return end.code
    if error := killed(folder):
        raise error
    # The disk was full to the end, or it was a run of an older spe: what is stored tells.
    with Reader(folder) as reader:
        statistics = reader.statistics()
    return 130 if statistics.running + statistics.waiting else statistics.exit_code


def _end(folder: Path) -> RunEnd | None:
    """Return how the last run ended, as far as it is stored."""
    from ..errors import UsageError
    from ..store.reader import Reader

    try:
        with Reader(folder) as reader:
            return reader.end()
    except UsageError:  # nothing has run here yet
        return None


def _show_end(folder: Path, json_: bool) -> None:
    """Print the numbers of the run, why sets wait after it, and the path of the table."""
    from ..store.reader import Reader

    with Reader(folder) as reader:
        statistics = reader.statistics()
        because = reader.waiting_because()
    _print_end(folder, statistics, because, json_)


class _Counts:
    """The numbers of sets by state, as they were shown last while a run is followed."""

    def __init__(self, folder: Path, silent: bool) -> None:
        self.folder = folder
        self.silent = silent
        self.shown = ""

    def show(self) -> None:
        """Show the numbers of now, if they have changed."""
        from ..model import TaskState
        from ..store.reader import Reader

        with Reader(self.folder) as reader:
            counts = reader.counts()
        text = set_counts(
            counts[TaskState.DONE],
            sum(counts.values()),
            counts[TaskState.FAILED],
            counts[TaskState.RUNNING],
            counts[TaskState.WAITING],
            cancelled=counts[TaskState.CANCELLED],
        )
        # A line for each change alone, not one for each look.
        if text != self.shown and not self.silent:
            self.shown = text
            _show_counts(text)


def _print_end(
    folder: Path, statistics: Statistics, because: Sequence[Reason], json_: bool
) -> None:
    """Print how the run ended, as `spe run` does on its own terminal."""
    from ..dispatch.shortfall import records
    from .run_end import statistics_record, summary, waiting

    if json_:
        print_json({**statistics_record(statistics), "waiting_because": records(because)})
        return
    click.echo(summary(statistics), err=True, nl=False)
    click.echo(waiting(because), err=True, nl=False)
    click.echo(str(folder / "results.csv"))


def _show_counts(text: str) -> None:
    """Show the counts: in one place on a terminal, else a line for each change."""
    if output.is_live(sys.stderr):
        # One line, also on a narrow terminal: what wraps could not be replaced by the next one.
        columns = shutil.get_terminal_size().columns
        click.echo(f"\r\033[K{text[: columns - 1]}", err=True, nl=False)
    else:
        click.echo(text, err=True)

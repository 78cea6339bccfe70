"""`spe attach`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .common import as_json, folder_of, print_json, sweep_file, sweep_name, volume
from .elsewhere import anywhere

if TYPE_CHECKING:
    from ..store.sessions import RunEnd


@click.command()
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(file: Path, name: str | None, json_: bool, quiet: bool, verbose: int) -> int:
    """Follow a sweep that runs without this terminal, until its end. Ctrl-C leaves it running.

    \b
    Example: spe run --detach && spe attach
    """
    from ..session.detached import follow
    from ..session.living import living
    from ..store.reader import Reader

    folder = folder_of(file, name)
    run = living(folder)
    if run is None:
        code = _code_of_ended(folder)
        _show_end(folder, json_)
        return code
    from ..session.forwarding import forwarding  # late: a run that is over has no page

    if not quiet and not json_:
        click.echo(f"page: {run.page}", err=True)
        if line := forwarding(run.page):
            click.echo(line, err=True)
    shown = ""

    def show() -> None:
        nonlocal shown
        with Reader(folder) as reader:
            counts = reader.counts()
        text = ", ".join(f"{n} {state}" for state, n in counts.items())
        # A line for each change alone, not one for each look.
        if text != shown and not quiet and not json_:
            shown = text
            _show_counts(text)

    follow(folder, show)
    code = _code_of_followed(folder)
    _show_end(folder, json_)
    return code


def _code_of_ended(folder: Path) -> int:
    """Return the exit code of a run that was over before this command began.

    Raises UsageError when nothing has run here, when the run was killed, and when another one is
    just beginning.
    """
    from ..session.detached import holder_of_lock, nothing_runs, owner_of_hidden

    # A run of another user is found first: its files may not be ours to read.
    end = None if owner_of_hidden(folder) else _end(folder)
    if end and holder_of_lock(folder) in (0, end.pid):
        return end.code
    raise nothing_runs(folder)


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
    from ..dispatch.shortfall import records
    from ..store.reader import Reader
    from .report import statistics_record, summary, waiting

    with Reader(folder) as reader:
        statistics = reader.statistics()
        because = reader.waiting_because()
    if json_:
        print_json({**statistics_record(statistics), "waiting_because": records(because)})
    else:
        click.echo(summary(statistics), err=True, nl=False)
        click.echo(waiting(because), err=True, nl=False)
        click.echo(str(folder / "results.csv"))


def _show_counts(text: str) -> None:
    """Show the counts: in one place on a terminal, else a line for each change."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{text}", err=True, nl=False)
    else:
        click.echo(text, err=True)

"""`spe collect`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..text import counted, sets
from .common import as_json, load, print_json, start_logging, sweep_file, sweep_name, volume

if TYPE_CHECKING:
    from ..runner.collect_again import Collected

FAULTS = 5  # faults of hooks that are printed


@click.command()
@sweep_file
@sweep_name
@as_json
@volume
def command(file: Path, name: str | None, json_: bool, quiet: bool, verbose: int) -> int:
    """Collect again from what is stored: the tables, the texts, and one call of each gather hook
    per accepted set.

    Where `results` has changed, values are extracted again. A set whose new result is not stored
    keeps an empty cell, and the exit code is 1.

    Results that a broken validate hook could not judge are judged now. Nothing runs on any host.

    \b
    Example: spe collect
    """
    from ..runner.collect_again import recollect

    sweep = load(file, name=name)
    start_logging(None, quiet, verbose)
    done = asyncio.run(recollect(sweep))
    if json_:
        print_json(record(done))
    else:
        _tell(done)
    return _code(done)


def record(done: Collected) -> dict[str, object]:
    """Return what was collected, for programs."""
    from .run_end import statistics_record

    return {
        "results": str(done.folder / "results.csv"),
        "judged": done.judged,
        "accepted": done.accepted,
        "extracted": done.extracted.sets,
        "refused": done.extracted.refused,
        "taken": done.extracted.taken,
        "calls": done.calls,
        "faults": list(done.faults),
        **statistics_record(done.statistics),
    }


def _tell(done: Collected) -> None:
    """Say what was collected, for people; the path of the table comes last and on stdout."""
    from .run_end import empty_cells

    if extracted := str(done.extracted):
        click.echo(extracted, err=True)
    if done.judged:
        judged = counted(done.judged, "stored result")
        click.echo(f"{judged} judged again, {done.accepted} accepted", err=True)
    click.echo(f"{sets(done.statistics.done)} collected", err=True)
    # The first ones only: a hook with a fault fails for each of its sets, and all stand in the log.
    for fault in done.faults[:FAULTS]:
        click.echo(f"spe: {fault}", err=True)
    if done.statistics.missing:
        click.echo(f"spe: {empty_cells(done.folder)}; `spe run --missing` runs them", err=True)
    click.echo(str(done.folder / "results.csv"))


def _code(done: Collected) -> int:
    """Return the exit code: 1 where the tables are not what they should be."""
    lacks = done.statistics.missing or done.statistics.uncollected
    # What is refused is gone from the table although it was there before, so 0 would hide a loss.
    if done.faults or done.extracted.refused or lacks:
        return 1
    return 0

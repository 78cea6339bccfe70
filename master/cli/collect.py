"""`spe collect`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from ..text import counted
from .common import as_json, load, print_json, start_logging, sweep_file, sweep_name, volume

FAULTS = 5  # of hooks that are printed


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
    from .report import empty_cells, statistics_record

    sweep = load(file, name=name)
    start_logging(None, quiet, verbose)
    done = asyncio.run(recollect(sweep))
    if json_:
        print_json(
            {
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
        )
    else:
        extracted = str(done.extracted)
        if extracted:
            click.echo(extracted, err=True)
        if done.judged:
            judged = counted(done.judged, "kept result")
            click.echo(f"{judged} judged again, {done.accepted} accepted", err=True)
        click.echo(f"{counted(done.statistics.done, 'set')} collected", err=True)
        for fault in done.faults[:FAULTS]:
            click.echo(f"spe: {fault}", err=True)
        if done.statistics.missing:
            click.echo(f"spe: {empty_cells(done.folder)}; `spe run --missing` runs them", err=True)
        click.echo(str(done.folder / "results.csv"))
    lacks = done.statistics.missing or done.statistics.uncollected
    if done.faults or done.extracted.refused or lacks:
        return 1
    return 0

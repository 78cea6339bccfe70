"""spe status."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click

from .common import as_json, open_reader, print_json, shown, sweep_file, sweep_name, volume


@click.command()
@sweep_file
@sweep_name
@as_json
@volume
def command(file: Path, name: str | None, json_: bool, quiet: bool, verbose: int) -> None:
    """Show how far the sweep is, which host did what, and which sets failed and why.

    \b
    Example: spe status --json
    """
    from .report import FAILED, statistics_record, summary

    with open_reader(file, name) as reader:
        statistics = reader.statistics()
        if json_:
            failed = [{"number": r.number, "parameters": dict(r.values), "reason": r.reason} for r in reader.failed()]
            print_json({"folder": str(reader.folder), **statistics_record(statistics), "failed_sets": failed})
            return
        click.echo(f"{reader.folder}{summary(statistics)}", nl=False)
        for row in islice(reader.failed(), FAILED):
            click.echo(f"task {row.number} ({shown(row.values)}) failed: {row.reason}")
        if statistics.failed > FAILED:
            click.echo(f"… and {statistics.failed - FAILED} more failed sets")

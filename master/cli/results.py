"""`spe results`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..errors import UsageError
from .common import as_json, open_reader, sweep_file, sweep_name, volume
from .elsewhere import anywhere


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write them to a file.")
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(
    file: Path, name: str | None, output: Path | None, json_: bool, quiet: bool, verbose: int
) -> None:
    """Print the table of results as CSV (or JSON), also while the sweep runs.

    \b
    Example: spe results --json > results.json
    """
    with open_reader(file, name) as reader:
        if output is None:
            _write(reader, sys.stdout.buffer, json_)
            return
        try:
            with output.open("wb") as stream:
                _write(reader, stream, json_)
        except OSError as error:
            from ..disk_errors import reason

            raise UsageError(f"it cannot be written: {reason(error)}", where=str(output)) from error


def _write(reader: object, stream: object, json_: bool) -> None:
    """Write the table as CSV or as JSON, row by row: it may have a million of them."""
    import json
    from typing import BinaryIO, cast

    from ..results.table_files import csv_line, result_cells, result_head
    from ..store.reader import Reader

    reader = cast(Reader, reader)
    out = cast(BinaryIO, stream)
    head = result_head(reader.parameters, reader.results)
    rows = (result_cells(row, reader.parameters, reader.results) for row in reader.rows())
    if not json_:
        out.write(csv_line(head))
        out.writelines(csv_line(cells) for cells in rows)
        return
    # By hand, row by row: json.dumps of a million rows takes gigabytes.
    separator = b"[\n"
    for cells in rows:
        row = dict(zip(head, cells, strict=True))
        out.write(separator + json.dumps(row, ensure_ascii=False).encode())
        separator = b",\n"
    out.write(b"\n]\n" if separator == b",\n" else b"[]\n")

"""`spe results`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from .common import as_json, open_reader, sweep_file, sweep_name, volume
from .elsewhere import anywhere

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from ..store.reader import Reader


@click.command()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write the table to this file."
)
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
            # Bytes, as in results.csv: print would make text of them and encode it again.
            _write(reader, sys.stdout.buffer, json_)
        else:
            _write_file(reader, output, json_)


def _write_file(reader: Reader, output: Path, json_: bool) -> None:
    """Write the table to a file. Raises UsageError where that is impossible."""
    try:
        with output.open("wb") as stream:
            _write(reader, stream, json_)
    except OSError as error:
        from ..disk_errors import reason

        todo = "Name another file with -o."
        what = f"it cannot be written: {reason(error)}"
        raise UsageError(what, where=str(output), todo=todo) from error


def _write(reader: Reader, out: BinaryIO, json_: bool) -> None:
    """Write the table as CSV or as JSON, row by row: it may have a million of them."""
    from ..results.table_files import csv_line, result_cells, result_head

    head = result_head(reader.parameters, reader.results)
    rows = (result_cells(row, reader.parameters, reader.results) for row in reader.rows())
    if json_:
        _write_json(out, head, rows)
        return
    out.write(csv_line(head))
    out.writelines(csv_line(cells) for cells in rows)


def _write_json(out: BinaryIO, head: list[str], rows: Iterator[list[str]]) -> None:
    """Write a list of records."""
    import json

    # By hand, row by row: json.dumps of a million rows takes gigabytes.
    separator = b"[\n"
    for cells in rows:
        row = dict(zip(head, cells, strict=True))
        out.write(separator + json.dumps(row, ensure_ascii=False).encode())
        separator = b",\n"
    out.write(b"\n]\n" if separator == b",\n" else b"[]\n")

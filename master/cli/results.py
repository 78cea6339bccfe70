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
    from .copied_files import Plan


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write the table to this file: .csv, .json, .parquet or .xlsx.",
)
@click.option("--where", metavar="CONDITION", help="Only rows for which it is true: 'x > 1'.")
@click.option("--columns", metavar="A,B", help="Only these columns, in this order.")
@click.option("--sort", metavar="[-]NAME", help="By a column; with - downwards.")
@click.option(
    "--files",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Copy the result files there under their own names; no table then, but with -o.",
)
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(
    file: Path,
    name: str | None,
    output: Path | None,
    where: str | None,
    columns: str | None,
    sort: str | None,
    target: Path | None,
    json_: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Print the table of results as CSV (or JSON), also while the sweep runs.

    \b
    Example: spe results --json > results.json
    Example: spe results --where 'energy < 0 and n > 10' --sort energy --columns n,energy
    Example: spe results --files plots
    """
    from ..table.files import kind_of, write_table
    from ..table.output_file import is_stream
    from ..table.selection import Selection, Wanted
    from ..text import counted

    with open_reader(file, name) as reader:
        names = None if columns is None else columns.split(",")
        wanted = Selection(reader, Wanted(where, names, sort))
        refuse_runs(reader.folder.parent, target, output)
        kind = ""
        if target is not None:
            from .copied_files import copy, plan_copies

            plan = plan_copies(reader, wanted.rows())
            if output is not None:
                _refuse_copy(plan, target, output)
                kind = kind_of(output, json_)
            copy(plan, reader.folder, target)
            _say_copied(plan, target, json_, quiet)
        if output is not None:
            count = write_table(output, reader, wanted, kind or kind_of(output, json_))
            if not quiet and not is_stream(output):
                click.echo(f"{output}: {counted(count, 'row')}", err=True)
        elif target is None:
            from ..table.files import write_lines

            # Bytes, as in results.csv: print would make text of them and encode it again.
            write_lines(sys.stdout.buffer, wanted, json_)


def refuse_runs(runs: Path, target: Path | None, output: Path | None) -> None:
    """Raise UsageError for a place among the files that spe keeps itself: a copy would overwrite one."""
    from ..table.output_file import check_not_in_runs

    for path, option in ((target, "--files"), (output, "-o")):
        if path is not None:
            check_not_in_runs(path, runs, f"Name another place with {option}.")


def _refuse_copy(plan: Plan, target: Path, output: Path) -> None:
    """Raise UsageError for a table that would take the place of a copied file."""
    if any((target / plan.place(one)).resolve() == output.resolve() for one in plan.files):
        what = "a copied file is to lie there, too, and nothing was written"
        raise UsageError(what, where=str(output), todo="Name another file with -o.")


def _say_copied(plan: Plan, target: Path, json_: bool, quiet: bool) -> None:
    """Say what was copied: on stdout for programs, on stderr for people."""
    from ..text import counted
    from .common import print_json

    if json_:
        print_json(
            [
                {
                    "number": one.number,
                    "result": one.result,
                    "file": one.file,
                    "copy": str(target / plan.place(one)),
                    "bytes": one.size,
                }
                for one in plan.files
            ]
        )
    if not quiet:
        text = f"{counted(len(plan.files), 'file')} copied to {target}"
        if plan.clash:
            text += f", into a folder for each set: several sets have {plan.clash}"
        click.echo(text, err=True)

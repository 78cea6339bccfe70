"""`spe plot`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from .common import open_reader, sweep_file, sweep_name, tell, volume
from .elsewhere import anywhere
from .output import plain_option

if TYPE_CHECKING:
    from ..plot.figure import Figure
    from ..store.listing import TaskFilter
    from ..store.reader import Reader

HEIGHT = 24  # lines of the picture at most, so that the command above it stays in sight


@click.command()
@click.argument("y", required=False, metavar="[COLUMN]")
@click.option("--over", "x", metavar="NAME", help="The column across; the first parameter without it.")
@click.option("--by", metavar="NAME", help="The column that gives the colour, or the lines.")
@click.option(
    "--as",
    "form",
    type=click.Choice(["dots", "lines", "histogram", "heat"]),
    default="dots",
    show_default=True,
    help="A dot for each set, lines of means, how often which value, or a heat map.",
)
@click.option(
    "--log", type=click.Choice(["x", "y", "xy"]), default=None, help="Logarithmic axes: across, upwards, both."
)
@click.option("--where", metavar="CONDITION", help="Only rows for which it is true: 'x > 1'.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the plot to this file, .svg, .png or .pdf, or the numbers that are drawn, .csv.",
)
@plain_option
@sweep_file
@sweep_name
@volume
@anywhere
def command(
    y: str | None,
    x: str | None,
    by: str | None,
    form: str,
    log: str | None,
    where: str | None,
    output: Path | None,
    file: Path,
    name: str | None,
    quiet: bool,
    verbose: int,
) -> None:
    """Draw a column of the table of results over another one, in the terminal or as a file.

    \b
    Example: spe plot energy --over x --by cfl
    Example: spe plot energy --over x --by cfl --as lines --log xy -o energy.svg
    Example: spe plot cfl --over x --by energy --as heat
    """
    from ..plot.asked import Asked, Form
    from ..plot.reading import filled_in, read_figure
    from ..store.listing import Listing

    _check_output(output)
    with open_reader(file, name) as reader:
        if output is not None:
            from ..table.output_file import ANOTHER, check_not_in_runs

            check_not_in_runs(output, reader.folder.parent, ANOTHER)
        listing = Listing(reader)
        logs = log or ""
        asked = Asked(y or "", x or "", by or "", Form(form), "x" in logs, "y" in logs)
        found = read_figure(listing, filled_in(asked, listing), _wanted(reader, where))
        _tell_running(reader)
    if found is None:
        todo = "Take another condition." if where else "`spe status` shows how far the sweep is."
        raise UsageError("no set has a row in the table: there is nothing to draw", todo=todo)
    if output is not None:
        _write(found, output, reader.folder.parent)
        if not quiet:
            click.echo(f"{output}: {found.asked.title}", err=True)
    else:
        _show(found)


def _check_output(output: Path | None) -> None:
    """Raise UsageError for a kind of file that is not written, or whose library is not installed."""
    if output is None:
        return
    kind = output.suffix.lower().removeprefix(".")
    if kind in ("png", "pdf"):
        from ..plot.image import cairo_svg

        cairo_svg(kind)  # before the table is read, which may take a while
    elif kind not in ("svg", "csv"):
        what = "a plot is written as .svg, .png or .pdf, or its numbers as .csv"
        raise UsageError(what, where=str(output), todo="Let the name of the file end in one of these.")


def _wanted(reader: Reader, where: str | None) -> TaskFilter:
    """Return which sets are drawn. Raises UsageError for what is no condition."""
    from ..store.listing import TaskFilter

    if where is None:
        return TaskFilter(with_row=True)
    from ..table.selection import Selection, Wanted

    return TaskFilter(with_row=True, among=Selection(reader, Wanted(where)).numbers())


def _tell_running(reader: Reader) -> None:
    from ..session.runners import who_runs

    if who_runs(reader.folder):
        tell("the sweep is still running: the plot has the sets that are done by now")


def _write(figure: Figure, output: Path, runs: Path) -> None:
    from ..table.output_file import written

    data = _data(figure, output.suffix.lower().removeprefix("."))
    with written(output, runs) as path:
        path.write_bytes(data)


def _data(figure: Figure, kind: str) -> bytes:
    """Return the bytes of a file of this kind."""
    if kind == "csv":
        from ..plot.csv_lines import csv_lines

        return b"".join(csv_lines(figure))
    if kind == "svg":
        from ..plot.svg import svg

        return svg(figure, saved=True).encode() + b"\n"
    from ..plot.image import image

    return image(figure, kind)


def _show(figure: Figure) -> None:
    import os

    from ..plot.terminal import picture
    from .output import is_live

    size = shutil.get_terminal_size()
    with_colours = is_live(sys.stdout) and not os.environ.get("NO_COLOR")
    # One column less: what fills the last one is wrapped by some terminals.
    drawn, hidden = picture(figure, size.columns - 1, min(HEIGHT, size.lines - 3), with_colours)
    click.echo(drawn)
    click.echo(figure.caption("bars are"))
    if hidden:
        click.echo(hidden)

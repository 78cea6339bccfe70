"""`spe report`."""

from __future__ import annotations

from pathlib import Path

import click

from .. import startup
from .common import load, sweep_file, volume
from .given_run import given_run


@click.command()
@click.argument("run", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="Write the report to this file.",
)
@sweep_file
@volume
def command(run: str | None, output: Path, file: Path, quiet: bool, verbose: int) -> None:
    """Write one HTML file about a run that is over: summary, methods, plots, table, failures.

    RUN is a name below runs/, or such a folder; without it, the run of spe.yaml.

    \b
    Example: spe report
    Example: spe report pi -o pi.html
    """
    startup.load_aiohttp()  # the drawings are those of the page
    from ..handin.output import check_has_rows, check_is_over, killed_note
    from ..handin.report import html_report
    from ..store.reader import Reader
    from ..table.output_file import written

    folder, file = given_run(run, file)
    with Reader(folder) as reader:
        check_is_over(folder)
        check_has_rows(reader)
        if note := killed_note(reader):
            click.echo(f"warning: {note}", err=True)
        with written(output, folder.parent) as path:
            text = html_report(reader, _sweep_text(file, folder.name))
            path.write_text(text, encoding="utf-8")
    if not quiet:
        click.echo(f"{output}: the report of {folder.name}", err=True)


def _sweep_text(file: Path, name: str) -> str:
    """Return today's spe.yaml of a run; "" where there is none that can be read."""
    from ..errors import SpeError
    from ..handin.sweep_files import sweep_text

    try:
        return sweep_text(load(file, name=name), file).decode("utf-8", "replace")
    except (SpeError, OSError):
        return ""  # the report is about the run, which spe.yaml only helps to repeat

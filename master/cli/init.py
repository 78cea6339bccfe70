"""`spe init`: writes the files of a first sweep, which lie in first_sweep/."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from ..disk_errors import reason
from ..errors import UsageError
from .common import volume

FILES = ("spe.yaml", "params.csv", "hosts.txt", "hooks.py")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("."))
@volume
def command(folder: Path, quiet: bool, verbose: int) -> None:
    """Write spe.yaml, params.csv, hosts.txt and hooks.py into FOLDER (default: here), commented,
    that run as they are.

    Nothing that is there is overwritten.

    \b
    Example: spe init && spe check && spe run
    """
    written = write_files(folder)
    if not quiet:
        click.echo(f"wrote {', '.join(str(path) for path in written)}", err=True)
        click.echo("next: spe check", err=True)


def write_files(folder: Path) -> list[Path]:
    """Write the files into the folder, which is made when absent.

    Raises UsageError where one is there.
    """
    # All of them are looked for first: half a sweep would be a riddle, and a file may be weeks of work.
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        todo = "Run `spe init` in an empty folder, or move the file away."
        what = f"{', '.join(there)} exists already; nothing was written"
        raise UsageError(what, where=str(folder), todo=todo)
    # Files of the package, not texts in the code: they are read and checked as what they are.
    source = files(__package__) / "first_sweep"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            # "x": a file that came in between is not overwritten.
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write((source / name).read_text(encoding="utf-8"))
    except OSError as error:
        what = f"can't be written: {reason(error)}"
        raise UsageError(what, where=str(folder), todo="Choose another folder.") from error
    return [folder / name for name in FILES]

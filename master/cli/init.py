"""`spe init`: writes the files of a first sweep, which lie in first_sweep/."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..disk_errors import reason
from ..errors import UsageError
from .common import volume

if TYPE_CHECKING:
    from ..line.one_liner import OneLiner

FILES = ("spe.yaml", "params.csv", "hosts.txt", "hooks.py")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("."))
@click.option(
    "--from-run",
    is_flag=True,
    help="Write the command line that was used last (or -n NAME) as a spe.yaml.",
)
@click.option("-n", "--name", "name", help="The folder below runs/, for --from-run.")
@volume
def command(folder: Path, from_run: bool, name: str | None, quiet: bool, verbose: int) -> None:
    """Write spe.yaml, params.csv, hosts.txt and hooks.py into FOLDER (default: here), commented,
    that run as they are.

    With --from-run, write what a command line did here as a spe.yaml: its sets stay done. Nothing
    that is there is overwritten.

    \b
    Example: spe init && spe check && spe run
    Example: spe init --from-run
    """
    if name and not from_run:
        raise UsageError("-n is for --from-run", todo="spe init --from-run -n NAME")
    written = [write_line(folder, name)] if from_run else write_files(folder)
    if not quiet:
        click.echo(f"wrote {', '.join(str(path) for path in written)}", err=True)
        click.echo("next: spe check", err=True)


def write_line(folder: Path, name: str | None) -> Path:
    """Write the one-liner of this name, or the one that was used last, as a spe.yaml.

    Raises UsageError where there is none, and where a spe.yaml is there.
    """
    from ..sweep.folders import choose_without_file
    from ..sweep.written import as_yaml

    path = folder / "spe.yaml"
    if path.exists():
        what = "it exists already; nothing was written"
        raise UsageError(what, where=str(path), todo="Move it away, or write it by hand.")
    chosen = choose_without_file(folder, name)
    if chosen is None or chosen.line is None:
        what = f"runs/{name}/ was not made" if name else "the sweep used last here was not made"
        what = what if chosen else "nothing has run"
        todo = "Name one that was: -n NAME; `spe run -p x=1:3 -- ./prog '{{ x }}'` makes one."
        raise UsageError(f"{what} by a command line", where=str(folder), todo=todo)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(
                as_yaml(_with_all_sets(chosen.line, folder / "runs" / chosen.name), chosen.name)
            )
    except OSError as error:
        what = f"can't be written: {reason(error)}"
        raise UsageError(what, where=str(path), todo="Choose another folder.") from error
    return path


def _with_all_sets(line: OneLiner, folder: Path) -> OneLiner:
    """Return the line with all of its sets: after `--add` there are more than it has itself."""
    from dataclasses import replace

    from ..store.reader import Reader
    from ..sweep.sweep import from_command_line

    census = from_command_line(line, folder.parents[1], folder.name).parameters.check()
    with Reader(folder) as reader:
        sets = reader.todays_parameters()
    if len(sets) == census.count:
        return line
    return replace(line, settings={**line.settings, "parameters": {"rows": sets}})


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

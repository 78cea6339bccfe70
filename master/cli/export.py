"""`spe export`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import startup
from .common import load, sweep_file, volume
from .given_run import given_run

if TYPE_CHECKING:
    from ..handin.manifest import Role


@click.command()
@click.argument("run", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the zip to this file. Default: NAME.zip.",
)
@click.option("--program", is_flag=True, help="With the program: worker, scripts, environment.")
@click.option("--inputs", is_flag=True, help="With the input files.")
@click.option("--author", "authors", multiple=True, metavar="NAME", help="Name an author; repeat it.")
@click.option("--license", metavar="TEXT", help="Say what others may do with it: CC-BY-4.0, or a URL.")
@sweep_file
@volume
def command(
    run: str | None,
    output: Path | None,
    program: bool,
    inputs: bool,
    authors: tuple[str, ...],
    license: str | None,
    file: Path,
    quiet: bool,
    verbose: int,
) -> None:
    """Write a run that is over as a zip: an RO-Crate with table, result files, spe.yaml,
    parameters and digests. `spe replay` repeats it elsewhere.

    RUN is a name below runs/, or such a folder; without it, the run of spe.yaml.

    \b
    Example: spe export --program --inputs
    Example: spe export pi -o pi.zip --author 'Ada Lovelace' --license CC-BY-4.0
    """
    startup.load_aiohttp()  # the drawings of the report are those of the page
    from ..handin.crate import write_crate
    from ..handin.manifest import Role
    from ..handin.output import check_has_rows, check_is_over, killed_note
    from ..handin.ro_crate import NO_LICENSE, Credits
    from ..store.reader import Reader
    from ..table.extras import library
    from ..table.output_file import written
    from ..text import volume as bytes_as_text

    library("rocrate.rocrate", "spe export")  # before minutes of work
    folder, file = given_run(run, file)
    roles = {Role.SWEEP}
    if program:
        roles.add(Role.PROGRAM)
    if inputs:
        roles.add(Role.INPUT)
    output = output or Path(f"{folder.name}.zip")
    with Reader(folder) as reader:
        check_is_over(folder)
        check_has_rows(reader)
        if note := killed_note(reader):
            click.echo(f"warning: {note}", err=True)
        sweep = load(file, name=folder.name)
        with written(output, folder.parent) as path:
            credits = Credits(authors, license or NO_LICENSE)
            notes, without = write_crate(path, reader, sweep, file, roles, credits)
            size = path.stat().st_size
    for note in notes:
        click.echo(f"warning: {note}", err=True)
    if not quiet:
        click.echo(f"{output}: {bytes_as_text(size)}; {_how_to_repeat(output, without)}", err=True)


def _how_to_repeat(output: Path, without: Collection[Role]) -> str:
    """Return how the zip is repeated. `without`: what of the sweep is not in it."""
    from ..handin.manifest import Role

    words = {Role.PROGRAM: ("program", "--program"), Role.INPUT: ("inputs", "--inputs")}
    missing = [one for role, one in words.items() if role in without]
    if not missing:
        return f"`spe replay {output}` repeats it"
    names = " and ".join(name for name, _ in missing)
    options = " ".join(option for _, option in missing)
    return (
        f"`spe replay {output} --with FOLDER` repeats it where FOLDER has the {names}; "
        f"`spe export {options}` puts them into the zip"
    )

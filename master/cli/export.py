"""`spe export`."""

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
    from ..handin.output import check_has_rows, check_is_over, written
    from ..handin.ro_crate import NO_LICENSE, Credits
    from ..store.reader import Reader
    from ..table.extras import library
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
        sweep = load(file, name=folder.name)
        with written(output, folder.parent) as path:
            credits = Credits(authors, license or NO_LICENSE)
            notes = write_crate(path, reader, sweep, file, roles, credits)
    for note in notes:
        click.echo(f"warning: {note}", err=True)
    if not quiet:
        size = bytes_as_text(output.stat().st_size)
        click.echo(f"{output}: {size}; `spe replay {output}` repeats it", err=True)

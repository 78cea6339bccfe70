"""spe init."""

from __future__ import annotations

from pathlib import Path

import click

from .common import volume


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("."))
@volume
def command(folder: Path, quiet: bool, verbose: int) -> None:
    """Write spe.yaml, params.csv, hosts.txt and hooks.py into FOLDER (default: here), commented, that run as they are.

    Nothing that is there is overwritten.

    \b
    Example: spe init && spe check && spe run
    """
    from ..scaffold import write_templates

    written = write_templates(folder)
    if not quiet:
        click.echo(f"wrote {', '.join(str(path) for path in written)}", err=True)
        click.echo("next: spe check", err=True)

"""`spe farm stop`."""

from __future__ import annotations

import click

from .common import volume
from .farm_administrator import check_public, public_option

SECONDS = 30.0  # the registry has 10 s for its last commits


@click.command()
@public_option
@volume
def command(public: str, quiet: bool, verbose: int) -> None:
    """Stop the farm of this account, and wait for its end.

    Jobs go on with the slots that they have. Nobody gets others until a farm is started again.

    \b
    Example: spe farm stop
    """
    from ..pool.service.living import end_farm

    check_public(public)
    pid = end_farm(public, SECONDS)
    if not quiet:
        click.echo(f"the farm has ended: process {pid}; jobs go on with the slots that they have")

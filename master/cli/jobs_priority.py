"""`spe jobs priority`."""

from __future__ import annotations

import click

from .common import volume
from .farm_options import farm_option


@click.command()
@click.argument("job", type=click.IntRange(1))
@click.argument("priority", type=click.IntRange(0, 127))
@farm_option
@volume
def command(job: int, priority: int, srv: str | None, quiet: bool, verbose: int) -> None:
    """Give a job another priority, from 0 to 127.

    \b
    Example: spe jobs priority 17 96
    """
    from ..delegate.jobs import act
    from ..delegate.starting import card_with_delegate

    act(card_with_delegate(srv), job, "priority", {"priority": priority})
    if not quiet:
        click.echo(f"job {job}: priority {priority}")

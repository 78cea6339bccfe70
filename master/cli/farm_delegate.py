"""`spe farm delegate`, which spe itself starts: delegate/starting.py."""

from __future__ import annotations

import click


@click.command()
@click.argument("farm", metavar="FARM")
def command(farm: str) -> None:
    """Be the delegate for a farm, until all its jobs have ended."""
    from ..delegate.starting import be_delegate

    be_delegate(farm)

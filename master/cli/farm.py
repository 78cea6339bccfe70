"""`spe farm`: its subcommands stand in farm_*.py."""

from __future__ import annotations

import click

from .lazy_group import LazyGroup


@click.group(cls=LazyGroup)
def command() -> None:
    """Join a farm, or leave it. Being built: a farm cannot be started yet.

    A farm is a service that deals slots of shared hosts to the jobs of many users.

    \b
    Example: spe farm join srv
    """

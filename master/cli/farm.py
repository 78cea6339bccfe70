"""`spe farm`: its subcommands stand in farm_*.py."""

from __future__ import annotations

import click

from .lazy_group import LazyGroup


@click.group(cls=LazyGroup)
def command() -> None:
    """Share hosts among the jobs of many users: join a farm, or run one.

    A farm is a service that deals slots of shared hosts to jobs. Any account can run one: the
    account that starts a farm is its administrator.

    \b
    Example: spe farm join srv
    Example: spe farm start --hosts cluster.txt
    """

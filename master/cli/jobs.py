"""`spe jobs`: its subcommands stand in jobs_*.py."""

from __future__ import annotations

import click

from .lazy_group import LazyGroup


@click.group(cls=LazyGroup, default="list")
def command() -> None:
    """List the jobs of a farm that you have joined, or steer yours.

    Without a subcommand it is `spe jobs list`.

    \b
    Example: spe jobs
    Example: spe jobs cancel 17
    """

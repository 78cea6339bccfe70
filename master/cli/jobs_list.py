"""`spe jobs list`."""

from __future__ import annotations

import click

from .common import as_json, print_json, table, volume
from .farm_options import farm_option

STATES = ("waiting", "pending", "running", "paused", "finished", "cancelled")


@click.command()
@click.option("--mine", is_flag=True, help="Only your own jobs.")
@click.option("--all", "all_", is_flag=True, help="Also jobs that are over.")
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@farm_option
@as_json
@volume
def command(
    mine: bool,
    all_: bool,
    state: str | None,
    srv: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """List the jobs of a farm: number, owner, name, state, sets that are done, and slots.

    \b
    Example: spe jobs
    Example: spe jobs list --mine --all
    Example: spe jobs --state waiting --json
    """
    from ..delegate.jobs import OVER, all_jobs, state_of
    from ..delegate.starting import card_with_delegate
    from ..delegate.trouble import noted

    card = card_with_delegate(srv)
    found = all_jobs(card)
    if mine:
        found = [one for one in found if one["owner"] == card.user]
    if state is not None:
        found = [one for one in found if one["state"] == state]
    elif not all_:
        found = [one for one in found if one["state"] not in OVER]
    if why := noted(card):
        click.echo(f"spe: your delegate here: {why}", err=True)
    if json_:
        print_json(found)
        return
    rows = [
        [
            one["id"],
            one["owner"],
            one["name"],
            one["state"],
            f"{one['done']}/{one['sets']}",
            one["slots"],
            state_of(one),
        ]
        for one in found
    ]
    if rows:
        click.echo(table(["job", "owner", "name", "state", "done", "slots", ""], rows), nl=False)
    elif not quiet:
        click.echo(
            "no jobs" if all_ or state else "no jobs now; --all has those that are over", err=True
        )

"""`spe farm leave`."""

from __future__ import annotations

import click

from ..errors import UsageError
from .common import volume


@click.command()
@click.argument("srv", metavar="SRV")
@click.option("--anyway", is_flag=True, help="Leave, also when the farm does not answer.")
@volume
def command(srv: str, anyway: bool, quiet: bool, verbose: int) -> None:
    """Leave a farm: the token of this machine ends, and the farm is forgotten here.

    \b
    Example: spe farm leave srv
    """
    from ..pool.joining.answering import ask_gate
    from ..pool.joining.cards import find_card, remove_card

    card = find_card(srv)
    if card is None:
        raise UsageError("you have not joined this farm", where=srv)
    try:
        ask_gate(card.urls, card.fingerprint, card.token, "POST", "/leave")
    except UsageError as error:
        if not anyway:
            todo = f"To forget it here all the same: spe farm leave {srv} --anyway"
            raise UsageError(error.what, where=error.where, todo=todo) from error
    remove_card(card)
    click.echo(f"left the farm {card.farm} on {srv}")

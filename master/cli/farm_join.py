"""`spe farm join`."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .common import volume

if TYPE_CHECKING:
    from ..pool.joining.cards import Card

MOST_HOSTS = 10_000  # of one farm
PATTERN = re.compile(r"[A-Za-z0-9.*?\[\]!-]{1,100}")


@click.command()
@click.argument("srv", metavar="SRV")
@click.option(
    "--account", default="farm", show_default=True, help="The account that runs the farm."
)
@click.option(
    "--public", default="", metavar="DIR", help="The farm's folder, if it is another one."
)
@click.option("--code", is_flag=True, help="Join by a code, read from the terminal.")
@click.option(
    "--accept", multiple=True, metavar="PATTERN", help="Accept hosts of such names, also later."
)
@click.option("--yes", is_flag=True, help="Accept all hosts that the farm has now.")
@click.option("--check", is_flag=True, help="Only try the accepted hosts again.")
@click.option("--update", is_flag=True, help="Only look for new hosts, and accept them.")
@click.option("-F", "ssh_config", type=click.Path(path_type=Path), help="Not ~/.ssh/config.")
@volume
def command(
    srv: str, account: str, public: str, code: bool, accept: tuple[str, ...], yes: bool,
    check: bool, update: bool, ssh_config: Path | None, quiet: bool, verbose: int,
) -> int:  # fmt: skip
    """Join a farm, and try the hosts that you accept.

    The farm's host, reached by your ssh, says who you are: you get a token, accept hosts, and each
    is tried.
    Exit code 1: a host does not let you in.

    \b
    Example: spe farm join srv
    Example: spe farm join srv --accept 'lab*'
    Example: spe farm join srv --check
    """
    from ..pool.joining.cards import find_card

    _check_words(account, public, accept)
    if check or update:
        card = find_card(srv)
        if card is None:
            raise UsageError(
                "you have not joined this farm", where=srv, todo=f"Join it: spe farm join {srv}"
            )
    else:
        card = _join(srv, account, public, code, ssh_config)
        click.echo(f"joined the farm {card.farm} on {srv} as {card.user}")
    if not check:
        card = _accept(card, accept, yes)
    return _try(card, ssh_config, quiet)


def _check_words(account: str, public: str, patterns: tuple[str, ...]) -> None:
    """Raise UsageError for a value that can be no account, folder or pattern."""
    from ..pool.texts import is_user_name

    if not is_user_name(account):
        raise UsageError(f"--account {account}: that is no name of an account")
    if public and not public.startswith("/"):
        raise UsageError(f"--public {public}: that is no absolute path, such as /srv/spe-farm")
    for one in patterns:
        if not PATTERN.fullmatch(one):
            raise UsageError(f"--accept {one}: that is no pattern of host names, such as 'lab*'")


def _join(srv: str, account: str, public: str, code: bool, ssh_config: Path | None) -> Card:
    """Return the card of a farm, which is stored. Raises UsageError."""
    from ..delegate.address import card_before_move
    from ..pool.joining.cards import Card, checked_answer, earlier_card, save_card
    from ..pool.joining.knocking import knock, own_name

    said = _by_code(srv) if code else knock(srv, account, public, ssh_config)
    answer = checked_answer(said, srv)
    old = earlier_card(answer["farm"], answer["fingerprint"], srv, account)
    if old is None:
        old = card_before_move(answer["fingerprint"])
    if old is not None:
        # The orders of its jobs are found by the first ID.
        answer["farm"] = old.farm
    card = Card(
        **answer,
        srv=srv,
        account=account,
        public=public,
        host=own_name(),
        accepted=old.accepted if old else [],
        patterns=old.patterns if old else [],
    )
    save_card(card)
    return card


def _by_code(srv: str) -> dict[str, Any]:
    """Return the farm's answer to a code. It is never on the command line, where others see it."""
    from ..pool.joining.answering import ask_gate
    from ..pool.joining.invitations import read_invitation
    from ..pool.joining.knocking import own_name

    on_terminal = sys.stdin.isatty()
    text = click.prompt("Code", hide_input=True, err=True) if on_terminal else sys.stdin.readline()
    port, fingerprint, secret = read_invitation(text)
    urls = [f"https://{srv}:{port}"]
    joined = ask_gate(urls, fingerprint, secret, "POST", "/join", {"host": own_name()})
    return {**joined, "urls": urls, "fingerprint": fingerprint}


def _accept(card: Card, patterns: tuple[str, ...], yes: bool) -> Card:
    """Have the user accept hosts, and store them. Raises UsageError."""
    from ..pool.joining.answering import ask_gate
    from ..pool.joining.cards import save_card
    from ..pool.texts import is_host_name
    from .yes_no import ask

    found = ask_gate(card.urls, card.fingerprint, card.token, "GET", "/hosts").get("hosts")
    listed = found if isinstance(found, list) else []
    # Of a host, a name alone is taken from the farm: all else is said by the user's own ssh.
    named = [one.get("name") for one in listed if isinstance(one, dict)]
    names = list(dict.fromkeys(str(one) for one in named if is_host_name(one)))[:MOST_HOSTS]
    card = replace(card, patterns=sorted({*card.patterns, *patterns}))
    new = [one for one in names if not card.accepts(one)]
    chosen = [one for one in names if card.matches(one)]
    if new:
        click.echo(f"hosts of this farm: {' '.join(new)}")
        if yes or (not patterns and ask(f"Start programs of yours on these {len(new)} hosts?")):
            chosen += new
        else:
            todo = f"not accepted: {len(new)} hosts; later: spe farm join {card.srv} --update"
            click.echo(f"spe: {todo}", err=True)
    # A host that the farm names no more is no longer accepted: its name may become another's.
    kept = [one for one in card.accepted if one in names]
    card = replace(card, accepted=sorted({*kept, *chosen}))
    save_card(card)
    return card


def _try(card: Card, ssh_config: Path | None, quiet: bool) -> int:
    """Log in on each accepted host; return the exit code."""
    from ..pool.joining.trying import try_hosts

    if not card.accepted:
        return 0
    tried = try_hosts(card.accepted, ssh_config)
    faults = [one for one in tried if one.fault]
    if not quiet:
        click.echo(f"{len(tried) - len(faults)} of {len(tried)} hosts let you in")
    for one in faults:
        click.echo(f"{one.host}: {one.fault} → {one.todo}", err=True)
    return int(bool(faults))

"""`spe farm users`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from ..errors import UsageError
from ..text import printable, span
from .common import as_json, print_json, table, volume
from .farm_administrator import Administrator, which_farm

ACTIONS = ("enable", "disable", "share", "forget", "add", "tokens")


@click.command()
@click.argument(
    "action", required=False, type=click.Choice(ACTIONS),
    metavar="[enable|disable|share|forget|add|tokens]",
)  # fmt: skip
@click.argument("user", required=False, metavar="[USER]")
@click.argument("share", required=False, type=float, metavar="[SHARE]")
@click.option("--code", is_flag=True, help="With add: a code to join by, good once for an hour.")
@which_farm
@as_json
@volume
def command(
    action: str | None, user: str | None, share: float | None, code: bool, public: str, srv: str | None,
    json_: bool, quiet: bool, verbose: int,
) -> None:  # fmt: skip
    """Show the farm's users, or change one.

    disable: jobs of the user wait. share: a weight, 1 for most. forget: all tokens of the user end.
    add: a user who is not in the file. tokens: on which hosts each user has joined.

    \b
    Example: spe farm users
    Example: spe farm users disable ben
    Example: spe farm users share ada 2
    Example: spe farm users add cyd --code
    """
    _check_words(action, user, share, code)
    administrator = Administrator(public, srv)
    if action in (None, "tokens"):
        _show(administrator.ask("GET", "/users")["users"], action, user, json_)
        return
    body: dict[str, Any] = {"do": action, "name": user}
    if share is not None:
        body["share"] = share
    if code:
        body["code"] = True
    done = administrator.ask("POST", "/users", body)
    if json_:
        print_json(done)
    elif code:
        click.echo(_invitation(administrator, done["code"]))
    elif not quiet:
        click.echo(f"{action}: {user}")


def _check_words(action: str | None, user: str | None, share: float | None, code: bool) -> None:
    """Raise UsageError for words that do not belong together."""
    if action not in (None, "tokens") and not user:
        raise UsageError(f"`spe farm users {action}` needs a user")
    if (action == "share") != (share is not None):
        raise UsageError("share needs a user and a number", todo="spe farm users share ada 2")
    if code and action != "add":
        raise UsageError("--code belongs to add", todo="spe farm users add cyd --code")


def _invitation(administrator: Administrator, code: str) -> str:
    """Return what is given to the new user: it names the farm's port and key, too."""
    from ..pool.joining.invitations import write_invitation

    return write_invitation(administrator.port, administrator.fingerprint, code)


def _show(
    found: list[Mapping[str, Any]], action: str | None, user: str | None, json_: bool
) -> None:
    """Print users, or their tokens."""
    users = [one for one in found if user in (None, one["name"])]
    if user and not users:
        raise UsageError(f"there is no user {user}")
    if json_:
        print_json(users)
    elif action == "tokens":
        now = time.time()
        tokens = [(one["name"], token) for one in users for token in one["tokens"]]
        rows = [[who, printable(t["host"]), _left(t["until"] - now)] for who, t in tokens]
        click.echo(table(("user", "host", "ends in"), rows), nl=False)
    else:
        rows = [
            [
                one["name"],
                one["role"],
                f"{one['share']:g}",
                "yes" if one["enabled"] else "no",
                str(len(one["tokens"])),
                one["groups"],
            ]
            for one in users
        ]
        head = ("user", "role", "share", "enabled", "tokens", "groups")
        click.echo(table(head, rows), nl=False)


def _left(seconds: float) -> str:
    return span(seconds) if seconds > 0 else "over"

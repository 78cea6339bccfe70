"""`spe notify`."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError, UsageError
from .common import as_json, load, print_json, sweep_file, sweep_name, table, volume

if TYPE_CHECKING:
    from ..config.notify.recipients import Recipient
    from ..notify.address_book import Target

NOBODY = "nobody is told of a run here"


@click.command()
@click.argument("to", nargs=-1, metavar="[TO...]")
@click.option("--test", is_flag=True, help="Send a test message.")
@sweep_file
@sweep_name
@as_json
@volume
def command(
    to: tuple[str, ...],
    test: bool,
    file: Path,
    name: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
) -> int:
    """Show who is told of a run, or send them a test message.

    TO is a name of ~/.config/spe/notify.yaml, mailto:ADDRESS or 'cmd: COMMAND'; without it all that
    `notify` of the sweep names. Exit code 1: a test message could not be sent.

    \b
    Example: spe notify
    Example: spe notify --test me
    """
    from ..notify.address_book import file_of_user, targets  # late: it loads Apprise where needed

    found = targets(_recipients(to) if to else _of_sweep(file, name))
    if test:
        if not found:
            todo = "Name somebody: spe notify --test NAME, or write `notify:` in spe.yaml."
            raise UsageError(NOBODY, todo=todo)
        return _send(found, json_, quiet)
    _show(found, file_of_user(), json_)
    return 0


def _recipients(words: Sequence[str]) -> tuple[Recipient, ...]:
    """Return who is named on the command line. Raises UsageError."""
    from ..config.keys import Faults
    from ..config.notify.recipients import recipients

    try:
        return recipients(list(words))
    except Faults as faults:
        first = faults.found[0]
        raise UsageError(first.what, todo=first.todo) from None


def _of_sweep(file: Path, name: str | None) -> tuple[Recipient, ...]:
    """Return whom the sweep names; nobody where there is no sweep and no file was named."""
    if file == Path("spe.yaml") and not file.exists() and not Path("runs").exists():
        return ()
    try:
        return load(file, name=name).config.notify
    except ConfigError as error:
        todo = f"{error.todo} Or name somebody: spe notify --test NAME."
        raise ConfigError(error.what, where=error.where, todo=todo.strip()) from error


def _show(found: Sequence[Target], own: Path, json_: bool) -> None:
    """Print who is told of what, and the names that there are."""
    from ..notify.address_book import read_book

    names = list(read_book())
    if json_:
        told = [{"to": one.address.name, "kind": str(one.address.kind), "on": list(one.on)} for one in found]
        print_json({"notify": told, "names": names, "file": str(own)})
        return
    if found:
        rows = [(one.address.name, one.address.kind, ", ".join(one.on)) for one in found]
        click.echo(table(("to", "kind", "told of"), rows), nl=False)
    else:
        click.echo(NOBODY)
    click.echo(f"names in {own}: {', '.join(names) or 'none'}", err=True)


def _send(found: Sequence[Target], json_: bool, quiet: bool) -> int:
    """Send a test message to each; return the exit code."""
    import secrets

    from ..notify.message import test_message
    from ..notify.not_sent import NotSent
    from ..notify.sending import send

    records = []
    for one in found:
        to, reason = one.address.name, ""
        try:
            ident = f"spe.test.{secrets.token_hex(8)}"
            send(one.address, test_message(socket.gethostname(), ident), on_terminal=True)
        except NotSent as error:
            reason = error.reason
            click.echo(f"spe: {to} could not be told: {reason}", err=True)
        if not (reason or quiet or json_):
            click.echo(f"{to}: sent ({one.address.kind})")
        records.append({"to": to, "kind": str(one.address.kind), "sent": not reason, "reason": reason})
    if json_:
        print_json(records)
    return int(any(record["reason"] for record in records))

"""`spe hosts`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .common import (
    as_json,
    folder_of,
    open_reader,
    print_json,
    sweep_file,
    sweep_name,
    table,
    volume,
)
from .elsewhere import anywhere
from .steer import steer

ACTIONS = ("add", "drain", "bench", "use")


@click.command()
@click.argument(
    "action", required=False, type=click.Choice(ACTIONS), metavar="[add|drain|bench|use]"
)
@click.argument("host", nargs=-1, metavar="[HOST]")
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(
    action: str | None,
    host: tuple[str, ...],
    file: Path,
    name: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
) -> None:
    """Show the hosts of a sweep, or change what a running one does with them.

    add: start one more, given as a line of hosts.txt. drain: it finishes what it has, then its
    client leaves. bench: it gets nothing new, its client stays. use: it gets work again.

    \b
    Example: spe hosts
    Example: spe hosts add lab07 slots=4
    Example: spe hosts drain lab03
    """
    if action is None:
        _show(file, name, json_)
    # `add` takes a whole line of a hosts file, the others one name.
    elif not host or (action != "add" and len(host) > 1):
        raise UsageError(f"`spe hosts {action}` needs one host", todo=f"spe hosts {action} lab03")
    elif action == "add":
        steer(file, name, json_, quiet, "add", line=" ".join(map(_quoted, host)))
    else:
        steer(file, name, json_, quiet, action, host=host[0])


def _quoted(word: str) -> str:
    """Return a word as a line of a hosts file has it: the shell took the quotes of `setup="module
    load gcc"`.
    """
    import shlex

    name, equals, value = word.partition("=")
    if not equals:
        return word
    return f"{name}={shlex.quote(value)}"


def _show(file: Path, name: str | None, json_: bool) -> None:
    """Show what each host is doing now, or what each has done where nothing runs."""
    from ..session.calling import snapshot

    # None also where the master does not answer: then what is stored is better than an error.
    document = snapshot(folder_of(file, name))
    if document is None:
        _show_stored(file, name, json_)
    elif json_:
        print_json([{"host": host, **facts} for host, facts in document["hosts"].items()])
    else:
        from ..state.lines import HEAD, host_rows

        # All hosts, where the live screen shows those that fit: who asks for hosts wants them.
        click.echo(table(HEAD, host_rows(document, time.time(), 100_000)), nl=False)


def _show_stored(file: Path, name: str | None, json_: bool) -> None:
    """Show what each host has done, from the store."""
    import dataclasses

    from .run_end import aside_line, hosts_table

    with open_reader(file, name) as reader:
        hosts, aside = reader.statistics().hosts, reader.aside()
    if json_:
        facts: list[dict[str, Any]] = [dataclasses.asdict(host) for host in hosts]
        print_json([*map(_named, facts), *_idle(aside, {host.host for host in hosts})])
    else:
        text = hosts_table(hosts) if hosts else "no host has worked yet\n"
        click.echo(text + aside_line(aside), nl=False)


def _idle(aside: Mapping[str, str], worked: Set[str]) -> list[dict[str, Any]]:
    """Return the hosts that were set aside and have done nothing, under the same names."""
    nothing = {"done": 0, "failed": 0, "lost": 0}
    return [{"host": host, "state": "gone", **nothing, "why": why} for host, why in aside.items() if host not in worked]


def _named(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of a host under the names that a running sweep gives them."""
    # A program need not know whether the sweep runs at the moment in which it asks.
    named = {
        "host": facts["host"],
        "state": "gone",
        "done": facts["tasks"],
        "failed": facts["failures"],
        "lost": facts["lost"],
    }
    if facts["heard"]:
        named["word"] = facts["heard"]
    return named

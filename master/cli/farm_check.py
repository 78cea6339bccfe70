"""`spe farm check`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from ..text import counted, printable
from .common import as_json, print_json, volume
from .farm_administrator import Administrator, which_farm
from .farm_status import registry_state

MUCH = 1.0  # cores of a load that is not of jobs


@click.command()
@which_farm
@as_json
@volume
def command(public: str, srv: str | None, json_: bool, quiet: bool, verbose: int) -> int:
    """Look at the farm and each of its hosts: what is wrong, and the step that mends it.

    Exit code 1: something is wrong.

    \b
    Example: spe farm check
    """
    found = Administrator(public, srv).ask("GET", "/farm")
    faults = [*_of_farm(found), *_of_hosts(found["hosts"])]
    if json_:
        print_json(
            [{"where": where, "fault": fault, "todo": todo} for where, fault, todo in faults]
        )
    else:
        for where, fault, todo in faults:
            click.echo(printable(f"{where}: {fault}{f' → {todo}' if todo else ''}"))
        if not faults and not quiet:
            click.echo(f"nothing is wrong: {counted(len(found['hosts']), 'host')} looked at")
    return int(bool(faults))


def _of_farm(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (where, fault, step) of the farm itself."""
    if (state := registry_state(found)) != "well":
        yield "registry", state, "see that its database runs"
    for fault in found["files"]:
        yield "files", fault, ""


def _of_hosts(hosts: list[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield (where, fault, step) of each host."""
    first: dict[str, str] = {}  # boot ID -> the host that has it
    for host in hosts:
        name = host["name"]
        if "heard" not in host:
            yield name, host["reason"] or "its watcher was not heard yet", f"ssh {name}"
            continue
        if host["unheard"]:
            yield name, host["unheard"], f"ssh {name}"
        other = first.setdefault(host["boot"], name)
        if other != name:
            yield name, f"it is the same machine as {other}", "keep one of the names"
        if not host["sees_others"]:
            what = "the farm's account cannot see processes of others (hidepid)"
            todo = "a job that falls silent there is freed by hand: spe farm hosts free"
            yield name, what, todo
        others = host["others"] or 0.0
        if others > MUCH:
            yield name, f"others have a load of {others:.1f} there, on {host['cores']} cores", ""

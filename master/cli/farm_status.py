"""`spe farm status`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import click

from ..text import printable, span
from .common import as_json, print_json, volume
from .farm_administrator import Administrator, runs_since, which_farm
from .farm_hosts import hosts_table


@click.command()
@which_farm
@as_json
@volume
def command(public: str, srv: str | None, json_: bool, quiet: bool, verbose: int) -> None:
    """Show how the farm of this account is: since when, where, registry, jobs, hosts.

    \b
    Example: spe farm status
    """
    found = Administrator(public, srv).ask("GET", "/farm")
    if json_:
        print_json(found)
        return
    click.echo("\n".join(_lines(found)))
    click.echo(hosts_table(found["hosts"]), nl=False)


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"farm {found['farm']}, epoch {found['epoch']}, spe {found['spe']}"
    yield f"process {found['pid']}, since {runs_since(found['since'])}"
    yield f"listens at {' '.join(found['urls'])}"
    yield f"registry: {found['store']}: {registry_state(found)}"
    yield from (f"not read: {fault}" for fault in found["files"])
    for one in found["members"]:
        ago = span(max(1.0, time.time() - one["heard"]))
        version = f"spe {one['spe'] or '?'}"
        yield printable(f"{one['user']} on {one['host'] or 'this host'}: {version}, {ago} ago")
    jobs = ", ".join(f"{count} {state}" for state, count in sorted(found["jobs"].items()))
    yield f"jobs: {jobs or 'none'}"


def registry_state(found: Mapping[str, Any]) -> str:
    """Return whether the farm can store and deal, in words."""
    if found["silence"]:
        return f"it cannot be written: {found['silence']}"
    if not found["deals"]:
        return "the farm has lost its lead and deals nothing"
    return "well"

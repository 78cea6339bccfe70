"""`spe farm hosts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..errors import UsageError
from ..text import printable
from .common import as_json, print_json, table, volume
from .farm_administrator import Administrator, which_farm

ACTIONS = ("drain", "use", "bench", "free")
HEAD = ("host", "slots", "jobs may use", "granted", "free", "why not more")


@click.command()
@click.argument(
    "action", required=False, type=click.Choice(ACTIONS), metavar="[drain|use|bench|free]"
)
@click.argument("host", nargs=-1, metavar="[HOST]...")
@click.option("--all", "all_", is_flag=True, help="All hosts of the farm.")
@click.option(
    "--job", type=click.IntRange(1), metavar="N",
    help="With free: what this job held there is free again. Its clients there must be gone.",
)  # fmt: skip
@which_farm
@as_json
@volume
def command(
    action: str | None, host: tuple[str, ...], all_: bool, job: int | None, public: str, srv: str | None,
    json_: bool, quiet: bool, verbose: int,
) -> None:  # fmt: skip
    """Show the farm's hosts, or change what it deals on them.

    drain, bench: nothing new there; running tasks go on. use: slots there are dealt again. free: a
    silent job's slots. To add or remove a host, change the hosts file: the farm reads it again.

    \b
    Example: spe farm hosts
    Example: spe farm hosts drain lab03 lab04
    Example: spe farm hosts free lab03 --job 17
    """
    if action is None and (all_ or job):
        raise UsageError("--all and --job need drain, use, bench or free")
    if action is not None and not host and not all_:
        raise UsageError(f"`spe farm hosts {action}` needs a host", todo="Name it, or say --all.")
    if (action == "free") != (job is not None):
        todo = "Write it like: spe farm hosts free lab03 --job 17"
        raise UsageError("free and --job belong together", todo=todo)
    administrator = Administrator(public, srv)
    found = administrator.ask("GET", "/hosts")["hosts"]
    if action is not None:
        names = [one["name"] for one in found] if all_ else list(host)
        body: dict[str, Any] = {"do": action, "hosts": names}
        if job is not None:
            body["job"] = job
        found = administrator.ask("POST", "/hosts", body)["hosts"]
    if json_:
        print_json(found)
    elif action is None or not quiet:
        click.echo(hosts_table(found), nl=False)


def hosts_table(found: Sequence[Mapping[str, Any]]) -> str:
    """Return the hosts of a farm as a table."""
    columns = ("name", "slots", "most", "granted", "vacant", "reason")
    rows = [[printable(str(one[word])) for word in columns] for one in found]
    return table(HEAD, rows)

"""`spe jobs why`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..text import counted, printable
from .common import as_json, print_json, table, volume
from .farm_options import farm_option


@click.command()
@click.argument("job", type=click.IntRange(1))
@farm_option
@as_json
@volume
def command(job: int, srv: str | None, json_: bool, quiet: bool, verbose: int) -> None:
    """Say why a job has the slots that it has, by the numbers of the farm's rule.

    The next free slot goes to the user with the least claim, and among this user's jobs to the one
    with the least claim.

    \b
    Example: spe jobs why 17
    """
    from ..delegate.jobs import why
    from ..delegate.starting import card_with_delegate

    found = why(card_with_delegate(srv), job)
    if json_:
        print_json(found)
        return
    click.echo(printable(f"job {job}: {reason(found)}"))
    if quiet or "wants" not in found:
        return
    click.echo(f"  boost {found['boost']:.3g}, age {found['age']:.3g}, {_slots(found)}")
    if found["turn"]:
        click.echo(
            table(["user", "claim", "cores", "share", "fair", "boost", "age"], _users(found)),
            nl=False,
        )
    hosts = [[name, one["free"], one["why"]] for name, one in found["hosts"].items()]
    click.echo(table(["host", "free", "why not"], hosts), nl=False)


def _slots(found: Mapping[str, Any]) -> str:
    has, wants = int(found["has"]), int(found["wants"])
    return f"it has {counted(has, 'slot')} and can use {wants} now"


def _users(found: Mapping[str, Any]) -> Sequence[Sequence[object]]:
    return [
        [
            one["user"],
            f"{one['claim']:.3g}",
            one["cores"],
            f"{one['share']:g}",
            f"{one['fair']:.2f}",
            f"{one['boost']:.3g}",
            f"{one['age']:.3g}",
        ]
        for one in found["turn"]
    ]


def reason(found: Mapping[str, Any]) -> str:
    """Return the one thing that keeps a job from its next slot, as a sentence."""
    from ..delegate.jobs import OVER, is_alone, state_of

    job = found["job"]
    state, owner = job["state"], job["owner"]
    if state in OVER:
        outcome = state_of(job)
        return f"it is {state}{': ' + outcome if outcome else ''}"
    if state == "paused":
        return f"it is paused: spe jobs resume {job['id']}"
    if not found["enabled"]:
        return f"{owner} is disabled in this farm: ask its administrator"
    if is_alone(job):
        return f"waiting: {state_of(job)}"
    if found["has"] >= found["wants"]:
        return "it has all slots that it can use now"
    hosts = found["hosts"]
    fitting = [one for one in hosts.values() if not one["why"]]
    if not fitting:
        return f"it waits: none of the {counted(len(hosts), 'host')} takes another task of it now"
    first = found["turn"][0]["user"] if found["turn"] else owner
    if first != owner:
        return f"it waits: the next slot that is free is {first}'s"
    before = next(iter(found["own_jobs"]), str(job["id"]))
    if before != str(job["id"]):
        return f"it waits: the next slot of {owner} is job {before}'s"
    return f"the next slot that is free is {owner}'s, for this job"

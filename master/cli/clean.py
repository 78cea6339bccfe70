"""`spe clean`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..text import counted
from ..text import volume as bytes_text
from .common import as_json, load, print_json, start_logging, sweep_file, sweep_name, volume
from .run_options import make_options, run_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..cleaning.hosts import Cleaner
    from ..cleaning.script import Item
    from ..cleaning.verdict import Rules
    from ..model import Host
    from ..runner.run import RunOptions

GOES = "would go"  # what `--dry` says of a thing that may go


@click.command()
@click.option("--older", metavar="TIME", help="Only what was not used for so long, such as 30d.")
@click.option("--dry", is_flag=True, help="Remove nothing: show what would go.")
@run_options
@sweep_file
@sweep_name
@as_json
@volume
def command(
    older: str | None,
    dry: bool,
    file: Path,
    name: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
    **options: Any,
) -> int:
    """Remove what runs that are over have left in your cache folder, on the hosts and here: clients,
    workers, environments, images, prepared folders.

    The hosts are those of --hosts, or of the sweep here. Nothing goes that a client at work uses.
    Exit codes: 0 done, 1 a host was not reached or something stays that should go.

    \b
    Example: spe clean --dry
    Example: spe clean --older 30d --hosts lab01,lab02
    """
    seconds = _seconds(older)
    chosen = make_options(**options)
    hosts = _hosts(file, name, chosen)
    start_logging(None, quiet, verbose)
    rules = _rules(seconds)
    cleaners, said = asyncio.run(_clean(hosts, chosen, rules, dry))
    if json_:
        print_json(_record(cleaners, said))
    else:
        _print(cleaners, said, dry, quiet)
    failed = [one for one in cleaners if one.error or any(one.removed.values())]
    return 1 if failed else 0


def _seconds(older: str | None) -> float:
    """Return the seconds of --older. Raises UsageError."""
    from ..config.values import WrongValue
    from ..config.values import seconds as parsed

    if older is None:
        return 0.0
    try:
        return parsed(older)
    except WrongValue as error:
        raise UsageError(f"--older {older}: {error.what}", todo=error.todo) from error


def _hosts(file: Path, name: str | None, options: RunOptions) -> list[Host]:
    """Return the hosts to be cleaned; this machine is one of them."""
    from ..model import HERE
    from ..sweep.folders import choose_without_file

    if options.by_hand:
        raise UsageError("--hosts none: there is no host to clean", todo="Leave --hosts out.")
    chosen = options.hosts
    if file != Path("spe.yaml") and not file.exists():
        raise UsageError("there is no such file", where=str(file), todo="Mend the path after -f.")
    # Without a sweep here, this machine alone is meant.
    if chosen is None and (file.exists() or choose_without_file(file.parent, name)):
        chosen = load(file, name=name).hosts
    found = [host for host in chosen or () if not host.is_here]
    return [*found, HERE]


def _rules(older: float) -> Rules:
    """Return what may go, with what is known of the runs that go on on this machine."""
    from ..cleaning.verdict import Rules
    from ..launch.bundle import client_name
    from ..session.living import living
    from ..session.run_list import listed

    began = [one.used for one in listed() if living(one.folder)]
    running = time.time() - min(began) if began else None
    return Rules(older, running, client_name() if began else "")


async def _clean(
    hosts: Sequence[Host], options: RunOptions, rules: Rules, dry: bool
) -> tuple[list[Cleaner], dict[tuple[str, str], str]]:
    """Look at all hosts and remove what may go; return why each thing stays, "" where it went."""
    import tempfile

    from ..cleaning.hosts import Cleaner, close_all, look_at_all
    from ..cleaning.verdict import reasons_to_stay
    from ..launch.offer import Options

    with tempfile.TemporaryDirectory(prefix="spe-clean-") as folder:
        ways = Options(Path(folder), options.ssh_config, options.accept_new_host_keys)
        cleaners = [Cleaner(host, ways) for host in hosts]
        try:
            await look_at_all(cleaners)
            found = {one.host.name: one.found for one in cleaners}
            said = reasons_to_stay(found, rules)
            if not dry:
                await asyncio.gather(*(one.remove(_going(one, said)) for one in cleaners))
        finally:
            await close_all(cleaners)
    for one in cleaners:
        for path, why in one.removed.items():
            said[one.host.name, path] = why
        if not dry:
            _leave_out_gone(one, said)
    return cleaners, said


def _going(one: Cleaner, said: dict[tuple[str, str], str]) -> list[Item]:
    return [item for item in one.found.items if not said[one.host.name, item.path]]


def _leave_out_gone(one: Cleaner, said: dict[tuple[str, str], str]) -> None:
    """Forget what another host of the same home has removed first."""
    for item in _going(one, said):
        if item.path not in one.removed:
            del said[one.host.name, item.path]


def _told(one: Cleaner, said: dict[tuple[str, str], str]) -> list[tuple[Item, str]]:
    """Return the things of a host with why each stays, "" where it went."""
    known = ((item, said.get((one.host.name, item.path))) for item in one.found.items)
    return [(item, why) for item, why in known if why is not None]


def _print(
    cleaners: Sequence[Cleaner], said: dict[tuple[str, str], str], dry: bool, quiet: bool
) -> None:
    """Print what went and what stays, a line for each, and the faults."""
    from ..cleaning.script import WORDS

    count = size = 0
    for one in cleaners:
        for item, why in _told(one, said):
            done = f"stays: {why}" if why else GOES if dry else "removed"
            words = f"{WORDS[item.kind]}, {bytes_text(item.size)}"
            click.echo(f"{one.host.name}: {done}: {item.path} ({words})")
            count += not why
            size += 0 if why else item.size
        if one.error:
            click.echo(f"warning: {one.error}", err=True)
    if not quiet:
        verb = GOES if dry else "removed"
        click.echo(f"{counted(count, 'thing')} {verb}, {bytes_text(size)}", err=True)


def _record(cleaners: Sequence[Cleaner], said: dict[tuple[str, str], str]) -> dict[str, Any]:
    """Return the same for programs."""
    things = [
        {
            "host": one.host.name,
            "kind": item.kind,
            "path": item.path,
            "bytes": item.size,
            "age": item.age,
            "goes": not why,
            "why": why,
        }
        for one in cleaners
        for item, why in _told(one, said)
    ]
    faults = [
        {"host": one.host.name, "fault": str(one.error.fault), "what": one.error.detail}
        for one in cleaners
        if one.error
    ]
    return {"things": things, "faults": faults}

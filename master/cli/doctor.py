"""`spe doctor`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..text import counted
from ..text import volume as bytes_text
from .common import (
    as_json,
    end_by_sigterm,
    load,
    print_json,
    start_logging,
    sweep_file,
    sweep_name,
    table,
    volume,
)
from .run_options import make_options, run_options
from .same_faults import HostFault, paragraphs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..doctor.diagnosis import Examined, HostReport
    from ..doctor.reach import NonceServer
    from ..doctor.sighting import Needs
    from ..launch.offer import Offer
    from ..model import Host
    from ..runner.run import RunOptions
    from ..sweep.sweep import Sweep

COLUMNS = (
    "host",
    "verdict",
    "platform",
    "python",
    "cores",
    "load",
    "home_free",
    "workdir_free",
    "master",
    "shared_home",
)
HEAD = (*(name.replace("_", " ") for name in COLUMNS[:-1]), "home")


@click.command()
@run_options
@sweep_file
@sweep_name
@as_json
@volume
def command(
    file: Path, name: str | None, json_: bool, quiet: bool, verbose: int, **options: Any
) -> int:
    """Look at every host, from here and from there: what is wrong with it, and the step that mends
    it.

    Nothing is started and nothing stays there. Exit codes: 0 all hosts can work, 1 some cannot.

    \b
    Example: spe doctor
    Example: spe doctor --hosts lab01,lab02
    """
    chosen = make_options(**options)
    sweep = _sweep(file, name, chosen)
    hosts = _hosts(sweep, chosen)
    # No master.log: hosts may be looked at where there is no sweep, and nothing is left anywhere.
    start_logging(None, quiet, verbose)
    begun = time.monotonic()
    examined = asyncio.run(look(sweep, hosts, chosen, quiet))
    seconds = time.monotonic() - begun
    working = sum(report.works for report in examined.reports)
    if json_:
        print_json(record(examined, seconds))
    else:
        click.echo(text(examined, quiet), nl=False)
    if not json_ and not quiet:
        click.echo(
            f"{counted(len(hosts), 'host')} in {seconds:.1f} s, {working} can work", err=True
        )
        # It may take minutes, and may change what a look must not change.
        if untried := _untried(sweep, hosts):
            verb = "was" if len(untried) == 1 else "were"
            keys = ", ".join(f"`{key}:`" for key in untried)
            what = "it" if len(untried) == 1 else "them"
            click.echo(f"{keys} {verb} not tried: `spe check` tries {what}", err=True)
    return 0 if working == len(examined.reports) else 1


def _sweep(file: Path, name: str | None, options: RunOptions) -> Sweep | None:
    """Return the sweep; None where hosts are named and there is no spe.yaml: they need none."""
    # New machines are looked at before there is a sweep for them.
    if options.hosts and not file.exists():
        return None
    return load(file, name=name)


def _hosts(sweep: Sweep | None, options: RunOptions) -> tuple[Host, ...]:
    """Return the hosts to be looked at. Raises UsageError for `--hosts none`."""
    from ..errors import UsageError
    from ..model import Host

    if options.by_hand:
        todo = "Name hosts, or leave --hosts out."
        raise UsageError("--hosts none: there is no host to look at", todo=todo)
    chosen = options.hosts
    if chosen is None and sweep:
        chosen = sweep.hosts
    return chosen or (Host("localhost"),)


def _untried(sweep: Sweep | None, hosts: Sequence[Host]) -> list[str]:
    """Return the keys of the sweep that only hosts themselves can try."""
    has = {"setup": any(host.setup for host in hosts) or bool(sweep and sweep.config.setup)}
    if sweep:
        brought = sweep.software
        has |= {"venv": bool(brought.venv), "container": bool(brought.container)}
        has |= {"prepare": bool(brought.prepare)}
    return [key for key, is_there in has.items() if is_there]


def _warn(text: str) -> None:
    click.echo(f"warning: {text}", err=True)


async def look(
    sweep: Sweep | None,
    hosts: Sequence[Host],
    options: RunOptions,
    quiet: bool,
    warn: Callable[[str], None] = _warn,
) -> Examined:
    """Open a port where the master would listen, and look at all hosts at once."""
    import tempfile

    from ..doctor.diagnosis import judge
    from ..doctor.examine import examine
    from ..doctor.reach import NonceServer
    from ..doctor.script import Questions
    from ..launch.offer import Options

    end_by_sigterm()
    bind, port = _address(sweep, hosts)
    async with NonceServer(bind, port) as door:
        # Often a run of this sweep goes on, which is no fault.
        if door.taken and not quiet:
            warn(f"port {port} is in use now, so another one was tried")
        offer = _offer(door, bind)
        settings = Options(
            folder=Path(tempfile.gettempdir()),
            ssh_config=options.ssh_config,
            accept_new_host_keys=options.accept_new_host_keys,
            # Shorter than in a run: somebody waits, and a slow host is a finding.
            connect_limit=4.0,
            login_limit=5.0,
            warn=warn,
        )
        # As long as the port is open: a host can be asked whether it gets the nonce from there.
        program = _program(sweep)
        questions = Questions(offer, settings.homes.run, door.nonce, program)
        seen = await examine(hosts, questions, settings)
    return judge(seen, _needs(sweep, port, len(offer.client), program))


def _needs(sweep: Sweep | None, port: int, client_size: int, program: str) -> Needs:
    """Return what hosts must have; without a sweep no worker is looked for."""
    from ..doctor.sighting import Needs

    if sweep is None:
        return Needs(None, 1, port, client_size, program)
    return Needs(sweep.worker, sweep.config.cores, port, client_size, program)


def _program(sweep: Sweep | None) -> str:
    """Return the program that all tasks begin with; "" when it differs, or a setup may find it."""
    if sweep is None or sweep.recipe.shell or sweep.config.setup or "PATH" in sweep.recipe.env:
        return ""
    first = sweep.recipe.words[0]
    if first.names:
        return ""
    word = first.fill({})
    return "" if "/" in word else word


def _address(sweep: Sweep | None, hosts: Sequence[Host]) -> tuple[str | None, int]:
    """Return where the master listens: address, None for all of them, and port."""
    from ..runner.address import LOOPBACK, listen_address

    if sweep is None:
        # A port on all addresses is open to everybody, so not for this machine alone.
        bind = LOOPBACK if all(host.is_here for host in hosts) else None
        return bind, 0
    address = listen_address(sweep, hosts, by_hand=False)
    return address.bind, address.port


def _offer(door: NonceServer, bind: str | None) -> Offer:
    """Return what clients would be offered, as far as a look at a host needs it."""
    from ..launch import bundle
    from ..launch.offer import Offer

    return Offer(door.port, bind, False, "", "", bundle.client_pyz)


# -- output


def record(examined: Examined, seconds: float) -> dict[str, object]:
    """Return all reports, for programs."""
    return {
        "hosts": [report.record() for report in examined.reports],
        "shared_homes": examined.homes,
        "seconds": round(seconds, 2),
    }


def text(examined: Examined, quiet: bool = False) -> str:
    """Return one line a host, then a paragraph a fault with what mends it, then the hosts that
    share a home.
    """
    wanted = [report for report in examined.reports if report.findings or not quiet]
    out = ""
    if wanted:
        out = table(HEAD, map(_row, wanted))
    # Below the table and not in it: a cell is cut at 48 characters, and these are sentences.
    out += paragraphs(found for report in wanted for found in _findings(report))
    if examined.homes and not quiet:
        out += "\n" + _homes(examined.homes)
    return out


def _findings(report: HostReport) -> list[HostFault]:
    """Return what is wrong with one host."""
    name = report.sighting.host.name
    return [HostFault(name, str(one.fault), one.what, one.todo) for one in report.findings]


def _homes(homes: Sequence[Sequence[str]]) -> str:
    """Return a line for each home that several hosts share."""
    lines = (f"home {number}: {' '.join(names)}\n" for number, names in enumerate(homes, 1))
    return "".join(lines)


def _row(report: HostReport) -> list[object]:
    said = report.record()
    return [_cell(key, said[key]) for key in COLUMNS]


def _cell(key: str, value: object) -> object:
    """Return a fact for the table. What a host did not tell is an empty cell, no 0 and no "no"."""
    if value is None:
        return ""
    if key.endswith("_free") and isinstance(value, int):
        return bytes_text(value)
    return value

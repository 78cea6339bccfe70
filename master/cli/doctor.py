"""spe doctor."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import as_json, load, print_json, start_logging, sweep_file, sweep_name, table, volume
from .run import make_options, run_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..doctor.diagnosis import Examined, HostReport
    from ..doctor.reach import NonceServer
    from ..launch.offer import Offer
    from ..model import Host
    from ..runner.run import RunOptions
    from ..sweep.sweep import Sweep

HEAD = ("host", "verdict", "platform", "python", "cores", "load", "home free", "workdir free", "master", "home")


@click.command()
@run_options
@sweep_file
@sweep_name
@as_json
@volume
def command(file: Path, name: str | None, json_: bool, quiet: bool, verbose: int, **options: Any) -> int:
    """Look at every host, from here and from there: what is wrong with it, and the step that mends it.

    Nothing is started and nothing stays there. Exit codes: 0 all hosts can work, 1 some cannot.

    \b
    Example: spe doctor
    Example: spe doctor --hosts lab01,lab02
    """
    chosen = make_options(**options)
    sweep = _sweep(file, name, chosen)
    hosts = _hosts(sweep, chosen)
    start_logging(None, quiet, verbose)
    begun = time.monotonic()
    examined = asyncio.run(_look(sweep, hosts, chosen, quiet))
    seconds = time.monotonic() - begun
    if json_:
        print_json(record(examined, seconds))
    else:
        click.echo(text(examined, quiet), nl=False)
        if not quiet:
            count = f"{len(hosts)} {'host' if len(hosts) == 1 else 'hosts'}"
            click.echo(f"{count} in {seconds:.1f} s, {sum(r.works for r in examined.reports)} can work", err=True)
    return 0 if all(report.works for report in examined.reports) else 1


def _sweep(file: Path, name: str | None, options: RunOptions) -> Sweep | None:
    """Hosts can be looked at without any sweep."""
    return None if options.hosts and not file.exists() else load(file, name=name)


def _hosts(sweep: Sweep | None, options: RunOptions) -> tuple[Host, ...]:
    from ..errors import UsageError
    from ..model import Host

    if options.by_hand:
        raise UsageError("--hosts none: there is no host to look at", todo="Name hosts, or leave --hosts out.")
    chosen = options.hosts if options.hosts is not None else sweep.hosts if sweep else ()
    return chosen or (Host("localhost"),)


async def _look(sweep: Sweep | None, hosts: Sequence[Host], options: RunOptions, quiet: bool) -> Examined:
    """A door where the master would listen, and all hosts at once."""
    import tempfile

    from ..doctor.diagnosis import judge
    from ..doctor.examine import examine
    from ..doctor.reach import NonceServer
    from ..doctor.script import Questions
    from ..doctor.sighting import Needs
    from ..launch.offer import Options

    bind, port = _address(sweep, hosts)
    async with NonceServer(bind, port) as door:
        if door.taken and not quiet:
            click.echo(f"warning: port {port} is in use now, so another one was tried", err=True)
        offer = _offer(door, bind)
        settings = Options(
            Path(tempfile.gettempdir()), options.ssh_config, options.accept_new_host_keys, connect_limit=4.0,
            login_limit=5.0,
        )  # fmt: skip
        seen = await examine(hosts, Questions(offer, settings.homes.run, door.nonce), settings)
    worker, cores = (sweep.worker, sweep.config.cores) if sweep else (None, 1)
    return judge(seen, Needs(worker, cores, port, len(offer.client)))


def _address(sweep: Sweep | None, hosts: Sequence[Host]) -> tuple[str | None, int]:
    """Where the master listens; None: on all addresses."""
    from ..runner.address import LOOPBACK, listen_address

    if sweep is None:
        return (LOOPBACK if all(host.is_here for host in hosts) else None), 0
    address = listen_address(sweep, hosts, by_hand=False)
    return address.bind, address.port


def _offer(door: NonceServer, bind: str | None) -> Offer:
    from ..launch import bundle
    from ..launch.offer import Offer

    return Offer(door.port, bind, False, "", "", bundle.client_pyz())


# -- what is printed ---------------------------------------------------------------------------------------


def record(examined: Examined, seconds: float) -> dict[str, object]:
    """For programs."""
    return {
        "hosts": [report.record() for report in examined.reports],
        "shared_homes": examined.homes,
        "seconds": round(seconds, 2),
    }


def text(examined: Examined, quiet: bool = False) -> str:
    """One line a host, then what is wrong and what mends it, then who shares a home."""
    wanted = [report for report in examined.reports if report.findings or not quiet]
    out = table(HEAD, map(_row, wanted)) if wanted else ""
    for report in wanted:
        for finding in report.findings:
            out += f"\n{report.sighting.host.name}: {finding.fault}: {finding.what}\n"
            out += f"  {finding.todo}\n" if finding.todo else ""
    if examined.homes and not quiet:
        out += "\n" + "".join(f"home {n}: {' '.join(names)}\n" for n, names in enumerate(examined.homes, 1))
    return out


def _row(report: HostReport) -> list[object]:
    from ..text import size

    said = report.record()
    free = [size(room) if isinstance(room := said[key], int) else "" for key in ("home_free", "workdir_free")]
    row = [said["host"], said["verdict"], said["platform"], said["python"], said["cores"], said["load"], *free,
           said["master"], said["shared_home"]]  # fmt: skip
    return ["" if cell is None else cell for cell in row]

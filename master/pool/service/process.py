"""The process of a farm: its parts made in order, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import pwd
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...launch import Options
from ...record import record
from ...version import __version__
from ..farm import Farm
from ..gate.doorstep import Doorstep
from ..gate.https import Gate
from ..gate.keys import load_keys
from ..gate.peers import check_namespace
from ..gate.public_folder import PublicFolder, default_folder
from ..hosts_file import FarmHost
from ..ledger import Ledger, Moment
from ..members import Members
from ..registry.opening import open_registry
from ..rows import HostRow
from ..users_file import read_users
from ..watch.watchers import INTERVAL, Watchers
from .service import Service
from .sights import Sights, Watching

log = logging.getLogger("spe.farm")
RENEWAL = 5.0  # seconds between two renewals of the lead
ANYONE = "anyone"
PORT = "port"  # file with the port on which the farm has listened


@record
class FarmOptions:
    """The options of a farm. users: a file, or `anyone`."""

    hosts: tuple[FarmHost, ...]
    store: str = ""
    users: str = ANYONE
    address: str | None = None
    port: int = 0
    public: str = ""
    interval: float = INTERVAL  # seconds between two looks at a host


def host_row(host: FarmHost) -> HostRow:
    """Return a line of the hosts file as it is kept. Without `slots` it is one, until it is seen."""
    slots = host.slots or 1
    return HostRow(
        host.name,
        slots,
        host.most or slots,
        host.memory,
        host.gpus,
        " ".join(host.only),
        active=host.active,
        info=host.info,
    )


def home() -> Path:
    """Return the folder of the farm's own files."""
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(base) / "spe" / "farm"


def public_folder(given: str = "") -> Path:
    """Return the folder in which users find the farm of this account."""
    return Path(given) if given else default_folder(pwd.getpwuid(os.getuid()).pw_name)


async def run_farm(options: FarmOptions, watchers: Watching | None = None) -> None:
    """Run a farm until a signal ends it. Raises SpeError for what keeps it from running.

    watchers: None for one on each host, by ssh.
    """
    check_namespace()
    folder = PublicFolder(public_folder(options.public))
    try:
        keys = load_keys(home())
        registry = await asyncio.to_thread(open_registry, options.store)
        try:
            loaded = await asyncio.to_thread(registry.load)
            farm = Farm(loaded.epoch, time.time())
            farm.load([*loaded.users, *loaded.hosts, *loaded.grants, *loaded.jobs], time.time())
            farm.number_after(loaded.last_job)
            farm.load(map(host_row, options.hosts), time.time())
            is_open = options.users == ANYONE
            members = Members(loaded.users, loaded.tokens, anyone=is_open)
            if not is_open:
                members.take_over(read_users(Path(options.users)))
            ledger = Ledger(
                Moment(time.time(), time.monotonic()),
                loaded.users,
                loaded.ledger,
                {job.id: job.owner for job in loaded.jobs},
                loaded.last_ledger,
            )
            own = Watchers(Options(home()), options.interval)
            if watchers is None:
                own.watch({host.name: host.way for host in options.hosts})
            service = Service(loaded.farm, farm, registry, Sights(watchers or own), ledger)
            await service.commit(members.take_changes())
            gate = Gate(members, service)
            await _listen(gate, options, keys.context)
            address = {
                "farm": loaded.farm,
                "epoch": loaded.epoch,
                "spe": __version__,
                "urls": [f"https://{options.address or socket.getfqdn()}:{gate.port}"],
                "fingerprint": keys.fingerprint,
                "pin": keys.pin,
                "pid": os.getpid(),
            }
            folder.write_address(address)
            doorstep = Doorstep(members, service, lambda: address)
            await doorstep.start(folder)
            await _until_signal(service, registry)
            await doorstep.stop()
            await gate.stop()
            await asyncio.to_thread(own.close)
        finally:
            await asyncio.to_thread(registry.close)
    finally:
        folder.close()


async def _listen(gate: Gate, options: FarmOptions, tls: Any) -> None:
    """Listen, without a port in the options on that of before: users know the farm by it."""
    kept = home() / PORT
    try:
        earlier = int(kept.read_text(encoding="ascii"))
    except (OSError, ValueError):
        earlier = 0
    try:
        if not options.port and earlier:
            with contextlib.suppress(OSError):
                await gate.start(options.address, earlier, tls)
                return
        await gate.start(options.address, options.port, tls)
        kept.write_text(f"{gate.port}\n", encoding="ascii")
    except OSError as error:
        where = f"{options.address or 'all addresses'}, port {options.port}"
        todo = "Choose another one: --listen [ADDRESS]:PORT."
        raise UsageError(f"cannot listen: {error.strerror}", where=where, todo=todo) from error


async def _until_signal(service: Service, registry: Any) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    beside = [asyncio.create_task(service.run()), asyncio.create_task(_renew(registry))]
    try:
        await ended.wait()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


async def _renew(registry: Any) -> None:
    while True:
        try:
            await asyncio.wrap_future(registry.renew())
        except Exception as error:
            # Without a renewal the registry says by itself that this farm may not deal.
            log.warning("the lead of the registry was not renewed: %s", error)
        await asyncio.sleep(RENEWAL)


def read_address(public: str = "") -> Mapping[str, Any]:
    """Return what the farm of this account says of itself. Raises UsageError where none runs."""
    path = public_folder(public) / "farm.json"
    try:
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        os.kill(int(found["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        todo = "Start it: spe farm start --hosts FILE"
        raise UsageError("no farm of this account runs here", where=str(path), todo=todo) from None
    return found

"""The process of a farm: its parts made in order, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...launch import Options
from ...model import Host
from ...record import record
from ...text import span
from ...version import __version__
from ..farm import Farm
from ..gate.doorstep import Doorstep
from ..gate.https import Gate
from ..gate.keys import Keys, load_keys
from ..gate.peers import check_namespace
from ..gate.public_folder import PublicFolder
from ..ledger import Ledger, Moment
from ..members import Members
from ..registry.opening import open_registry
from ..watch.watchers import Watchers
from .administered import Administered
from .living import home, public_folder
from .service import Service
from .sights import Sights, Watching

if TYPE_CHECKING:
    from ..registry.reading import Loaded
    from ..registry.registry import Registry

log = logging.getLogger("spe.farm")
RENEWAL = 5.0  # seconds between two renewals of the lead
ANYONE = "anyone"
PORT = "port"  # file with the port on which the farm has listened


@record
class FarmOptions:
    """The options of a farm. hosts: its file. users: a file, or `anyone`.

    own_name: of the farm's host, which `localhost` in the hosts file means. new_id: give the farm a
    new ID, as its registry comes from a backup.
    """

    hosts: str
    own_name: str
    store: str = ""
    users: str = ANYONE
    address: str | None = None
    port: int = 0
    public: str = ""
    new_id: bool = False
    ssh_config: Path | None = None  # by which the watchers reach the hosts; None: the account's


async def run_farm(options: FarmOptions, watchers: Watching | None = None) -> None:
    """Run a farm until a signal ends it. Raises SpeError for what keeps it from running.

    watchers: None for one on each host, by ssh.
    """
    check_namespace()
    folder = PublicFolder(public_folder(options.public))
    try:
        keys = load_keys(home())
        registry = await asyncio.to_thread(open_registry, options.store)
        own = Watchers(Options(home(), options.ssh_config))
        try:
            if options.new_id:
                await asyncio.to_thread(registry.take_new_id)
            await _run(options, folder, keys, registry, own, watchers)
        finally:
            await asyncio.to_thread(own.close)
            await asyncio.to_thread(registry.close)
    finally:
        folder.close()


async def _run(
    options: FarmOptions,
    folder: PublicFolder,
    keys: Keys,
    registry: Registry,
    own: Watchers,
    watchers: Watching | None,
) -> None:
    """Make the parts of the farm, and run it until a signal ends it."""
    loaded = await asyncio.to_thread(registry.load)
    farm = Farm(loaded.epoch, time.time())
    farm.load([*loaded.users, *loaded.hosts, *loaded.grants, *loaded.jobs], time.time())
    farm.number_after(loaded.last_job)
    members = Members(loaded.users, loaded.tokens, anyone=options.users == ANYONE)
    watch: Callable[[Mapping[str, Host], float], None] = own.watch if watchers is None else _nobody
    users = None if options.users == ANYONE else Path(options.users)
    looking = watchers or own
    files = Administered(
        farm,
        members,
        registry,
        watch,
        lambda: {name: seen.cores for name, (_, seen) in looking.seen.items()},
        options.own_name,
        Path(options.hosts),
        users,
    )
    await files.start()
    service = Service(loaded.farm, farm, registry, Sights(looking), _ledger(loaded, farm))
    await service.commit(members.take_changes())
    gate = Gate(members, service)
    await _listen(gate, options, keys.context)
    address = _address(options, loaded, gate.port, keys)
    service.facts = lambda: {
        **address,
        "store": registry.where,
        "silence": _silence(registry),
        "members": gate.heard(),
        "files": files.faults,
    }
    doorstep = Doorstep(members, service, lambda: address)
    await doorstep.start(folder)
    # Last: who reads that the farm is there may knock at once.
    folder.write_address(address)
    log.info("the farm %s listens at %s", loaded.farm, address["urls"][0])
    await _until_signal(service.run(), _renew(registry), files.run(service))
    log.info("the farm ends")
    await doorstep.stop()
    await gate.stop()


def _nobody(hosts: Mapping[str, Host], interval: float) -> None:
    """Watch nothing: others do."""


def _ledger(loaded: Loaded, farm: Farm) -> Ledger:
    owners = {job.id: job.owner for job in loaded.jobs}
    now = Moment(time.time(), time.monotonic())
    half_life = farm.settings.half_life
    return Ledger(now, loaded.users, loaded.ledger, owners, loaded.last_ledger, half_life)


def _address(options: FarmOptions, loaded: Loaded, port: int, keys: Keys) -> dict[str, Any]:
    """Return what users are told of the farm: farm.json."""
    return {
        "farm": loaded.farm,
        "epoch": loaded.epoch,
        "spe": __version__,
        "urls": own_urls(options.address, port),
        "fingerprint": keys.fingerprint,
        "pin": keys.pin,
        "pid": os.getpid(),
        "since": time.time(),
    }


def _silence(registry: Registry) -> str:
    """Return why the registry cannot be written, as one sentence; "" while it can."""
    found = registry.silence()
    if found is None:
        return ""
    return f"{found.reason} (for {span(max(1.0, time.time() - found.since))})"


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


async def _until_signal(*beside: Coroutine[Any, Any, None]) -> None:
    """Run these until a signal ends the farm."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    tasks = [asyncio.create_task(one) for one in beside]
    try:
        await ended.wait()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _renew(registry: Any) -> None:
    while True:
        try:
            await asyncio.wrap_future(registry.renew())
        except Exception as error:
            # Without a renewal the registry says by itself that this farm may not deal.
            log.warning("the lead of the registry was not renewed: %s", error)
        await asyncio.sleep(RENEWAL)


def own_urls(address: str | None, port: int) -> list[str]:
    """Return the addresses at which users reach a gate that listens on `address`, None for all."""
    # Some machines take their full name for localhost, which is another machine to each user.
    full = socket.getfqdn()
    names = [address] if address else [full] * (not full.startswith("localhost"))
    if not address:
        names.append(socket.gethostname())
    return [
        f"https://[{name}]:{port}" if ":" in name else f"https://{name}:{port}"
        for name in dict.fromkeys(names)
    ]

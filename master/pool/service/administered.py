"""What the administrator's files say is done: hosts, licences, settings, users."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...model import Host
from ..farm import Farm
from ..gate.committing import commit
from ..hosts_file import FarmHost, HostsFile, read_hosts_file
from ..members import Members
from ..rows import HostRow, Row
from ..users_file import read_users
from ..watch.watchers import INTERVAL
from .reread import Reread
from .service import Service, Store

log = logging.getLogger("spe.farm")
PAUSE = 2.0  # seconds between two looks at the files
NOT_NAMED = "the hosts file does not name it any more"
BY_HAND = "by hand"  # the end of the reason of a host that the administrator drained or benched


def host_row(host: FarmHost, known: HostRow | None = None) -> HostRow:
    """Return a line of the hosts file as it is kept. Without `slots` it is one, until it is seen.

    known: the host as it was before. What was done by hand stays until it is undone by hand.
    """
    slots = host.slots or (known.slots if known else 1)
    before = known or HostRow(host.name, slots, slots)
    is_by_hand = not before.active and before.reason.endswith(BY_HAND)
    return replace(
        before,
        slots=slots,
        most=min(host.most or slots, slots),
        memory=host.memory,
        gpus=host.gpus,
        only=" ".join(host.only),
        active=host.active and not is_by_hand,
        info=host.info,
        reason=before.reason if is_by_hand else "",
    )


class Administered:
    """The files of one farm, and what they have changed. Lives as long as the farm.

    watch: told the way to each host, by name, and the seconds between two looks. cores: tells the
    cores of each host that was seen.
    """

    def __init__(
        self,
        farm: Farm,
        members: Members,
        store: Store,
        watch: Callable[[Mapping[str, Host], float], None],
        cores: Callable[[], Mapping[str, int]],
        own_name: str,
        hosts: Path,
        users: Path | None,
    ) -> None:
        """own_name: of the farm's host. users: None where anyone may join."""
        self._farm, self._members, self._store = farm, members, store
        self._watch, self._cores = watch, cores
        self._named: Mapping[str, FarmHost] = {}
        self._hosts = Reread(hosts, lambda path: read_hosts_file(path, own_name))
        self._users = Reread(users, read_users) if users else None
        self._gone: set[str] = set()  # hosts that the file does not name any more

    @property
    def faults(self) -> list[str]:
        """Return what is wrong with the files, a line each."""
        found = [self._hosts.fault, self._users.fault if self._users else ""]
        return [one for one in found if one]

    async def start(self) -> None:
        """Take over what the files say at the start. Raises ConfigError."""
        listed = self._users.first() if self._users else None
        await self.take_hosts(self._hosts.first())
        if listed is not None:
            self._members.take_over(listed)

    async def run(self, service: Service) -> None:
        """Look at the files every two seconds, until this is cancelled."""
        while True:
            await asyncio.sleep(PAUSE)
            try:
                await self.look(service)
            except Exception:
                # Said and tried again: a store that is away must not end the farm.
                log.exception("what the administrator's files say could not be taken over")

    async def look(self, service: Service) -> None:
        """Take over what has changed, and remove hosts on which nothing is held any more."""
        if (found := self._hosts.again()) is not None:
            try:
                await self.take_hosts(found)
            except BaseException:
                self._hosts.once_more()
                raise
        listed = self._users.again() if self._users else None
        if listed is not None:
            self._members.take_over(listed)
            await commit(self._members, service)
        await self._count_cores()
        await self._remove_empty()

    async def take_hosts(self, file: HostsFile) -> None:
        """Make the hosts, the licences and the settings those of the file."""
        farm, named = self._farm, {host.name: host for host in file.hosts}
        rows = [host_row(host, farm.hosts.get(name)) for name, host in named.items()]
        # Those that are lent are their lenders'. Nothing new is dealt on the others.
        self._gone = {
            name for name, row in farm.hosts.items() if name not in named and not row.owner
        }
        rows += [replace(farm.hosts[one], active=False, reason=NOT_NAMED) for one in self._gone]
        changed: list[Row] = [row for row in rows if row != farm.hosts.get(row.name)]
        if changed:
            await asyncio.wrap_future(self._store.commit(changed))
        farm.hosts |= {row.name: row for row in rows}
        self._named = named
        values: dict[str, Any] = dict(file.settings)
        interval = float(values.pop("interval", INTERVAL))
        if "jobs_per_host" in values:
            values["jobs_per_host"] = int(values["jobs_per_host"])
        # From the defaults: a setting that the file does not name any more has its default again.
        farm.settings = replace(type(farm.settings)(), licences=dict(file.licences), **values)
        self._watch({name: host.way for name, host in named.items()}, interval)
        await self._remove_empty()

    async def _count_cores(self) -> None:
        """Give hosts whose line names no slots as many as they have cores, once they are seen."""
        cores, rows = self._cores(), []
        for name, host in self._named.items():
            row, many = self._farm.hosts.get(name), cores.get(name, 0)
            if row is not None and host.slots is None and many and row.slots != many:
                rows.append(replace(row, slots=many, most=min(host.most or many, many)))
        if rows:
            await asyncio.wrap_future(self._store.commit(rows))
            self._farm.hosts |= {row.name: row for row in rows}

    async def _remove_empty(self) -> None:
        held = self._farm.cores("held")
        empty = [name for name in self._gone if not held.get(name)]
        if not empty:
            return
        rows: list[Row] = [self._farm.hosts[name] for name in empty]
        await asyncio.wrap_future(self._store.commit((), rows))
        for name in empty:
            self._farm.hosts.pop(name)
        self._gone.difference_update(empty)

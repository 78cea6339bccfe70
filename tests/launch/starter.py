"""Starts clients on hosts of the lab, as a run does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from spe.errors import LaunchError
from spe.launch import Homes, Launcher, Offer, Options, bundle, launcher
from spe.model import Host

from .minimal import SESSION, MinimalMaster


class Starter:
    """Starts clients on hosts, as a run does, and tells what became of each."""

    def __init__(self, master: MinimalMaster, folder: Path, ssh_config: Path) -> None:
        self.master, self.folder, self.ssh_config = master, folder, ssh_config
        self.address: str | None = None
        self.client = bundle.client_pyz()
        self.keep_client = False
        self.accept_new_host_keys = False
        self.grace = 20.0
        self.limits = {"connect_limit": 6.0, "login_limit": 15.0, "start_limit": 60.0, "copy_limit": 20.0}

    @property
    def offer(self) -> Offer:
        return Offer(
            port=self.master.port,
            address=self.address,
            tls=self.master.tls,
            fingerprint=self.master.fingerprint,
            session=SESSION,
            pack=lambda: self.client,
            keep_client=self.keep_client,
        )

    def launcher(self, host: Host | str, options: Options | None = None) -> Launcher:
        host = Host(host) if isinstance(host, str) else host
        return launcher(host, self.offer, options or self.options())

    def options(self) -> Options:
        return Options(self.folder, self.ssh_config, self.accept_new_host_keys, grace=self.grace, homes=Homes(5.0),
                       **self.limits)  # fmt: skip

    def start(self, *hosts: Host | str) -> list[LaunchError | None]:
        """All at once; what went wrong with each, or None."""
        options = self.options()
        return asyncio.run(self._start([self.launcher(host, options) for host in hosts]))

    async def _start(self, launchers: Sequence[Launcher]) -> list[LaunchError | None]:
        outcomes = await asyncio.gather(*(one.start() for one in launchers), return_exceptions=True)
        for one in launchers:
            await one.close()
        for outcome in outcomes:
            if outcome is not None and not isinstance(outcome, LaunchError):
                raise outcome
        return [outcome if isinstance(outcome, LaunchError) else None for outcome in outcomes]

    def notes(self, *hosts: Host | str) -> list[tuple[LaunchError | None, str]]:
        """All at once; what went wrong with each, and the note of it."""
        options = self.options()
        launchers = [self.launcher(host, options) for host in hosts]
        errors = asyncio.run(self._start(launchers))
        return [(error, one.note) for error, one in zip(errors, launchers, strict=True)]

    def fault(self, host: Host | str) -> LaunchError:
        """The fault of a host that must not come up."""
        [error] = self.start(host)
        assert error is not None, f"{host} came up"
        print(error)
        return error

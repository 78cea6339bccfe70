"""The hosts of a run for the verbs that change them: `spe hosts add` and `use`, and the hosts file."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Host
from .fleet import Fleet


class FleetHosts:
    """The hosts of a run for those who add some while it goes on.

    They are started, and their clients get their set-up.
    """

    def __init__(self, hosts: list[Host], fleet: Fleet) -> None:
        """`hosts` is the list from which the brief takes the set-up of each host."""
        self.hosts, self._fleet = hosts, fleet

    def add(self, hosts: Sequence[Host]) -> None:
        """Start these hosts, too. They are known before their clients register."""
        self.hosts += hosts
        self._fleet.add(hosts)

    def use(self, name: str) -> bool:
        """Start this host again if its client has left; return whether it had to be started."""
        return self._fleet.use(name)

"""Grants: how many tasks a job of a farm may have begun on each host. Pure.

The bound is the client's: it begins no more programs at a time than the master has told it last
(`Slots`). So tasks can still be prefetched. A lower bound counts once the client has said that it
follows it; until then the job still holds the slots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from ...model import Client
from ...record import record
from ..clients import Clients, Occupancy

MARGIN = 60.0  # seconds for a client to end its programs and clear up, once it has given up


@record
class Told:
    """A bound that a client was told. number: counts what one client was told."""

    number: int
    slots: int


class _Follower:
    """The messages between the master and one client that follows grants."""

    def __init__(self, number: int, most: int) -> None:
        self.most = most  # tasks that it can run at once
        self.told = [Told(number, most)]  # what may still hold there, the oldest first
        self.begun = 0  # programs that it had at its last word

    @property
    def may_have(self) -> int:
        """The most programs that it has now."""
        return max(self.begun, *(one.slots for one in self.told))


class Grants:
    """The grants of one run. A run without a farm has none, and nothing here costs it anything."""

    def __init__(self, clients: Clients, occupancy: Occupancy) -> None:
        self._clients, self._occupancy = clients, occupancy
        self.slots: Mapping[str, int] = {}  # host -> tasks; a host that is not named: 0
        self.is_set = False
        self.epoch = self.number = 0  # of the newest grant; 0: nothing is granted yet
        self.patience = MARGIN  # seconds after which a silent client has ended by itself
        # False while the farm may count a client that has nothing as one that is not there.
        self.may_begin: Callable[[], bool] = lambda: True
        self.machines: Mapping[str, str] = {}  # host -> boot ID of the farm's host; "" for unknown
        self._boots: dict[str, str] = {}  # client -> boot ID of the machine where it runs
        self._followers: dict[str, _Follower] = {}

    def begin(self, grace: float) -> None:
        """Let nothing run until it is granted. grace: seconds that clients bear a silent master."""
        self.is_set, self.patience = True, grace + MARGIN

    def allow(self, epoch: int, number: int, slots: Mapping[str, int]) -> bool:
        """Take in a grant. Return False for one that a newer grant has overtaken."""
        if (epoch, number) < (self.epoch, self.number):
            return False
        self.epoch, self.number, self.slots = epoch, number, dict(slots)
        return True

    # -- clients

    def follow(self, client: Client, boot: str = "") -> None:
        """Note that this client, which has just registered, follows grants. It has begun nothing.

        boot: the boot ID of its machine, "" for unknown.
        """
        self._boots[client.id] = boot
        follower = self._followers[client.id] = _Follower(0, self._occupancy.slots(client))
        follower.told = [Told(0, 0)]

    def hear(self, client_id: str, number: int, begun: int) -> None:
        """Take in a client's word: it follows what it was told as `number`, and has begun so many."""
        client = self._clients.get(client_id)
        if client is None:
            return
        follower = self._followers.get(client_id)
        if follower is None:  # told by an earlier master of this run
            follower = _Follower(number, self._occupancy.slots(client))
            self._followers[client_id] = follower
        if number < follower.told[0].number:
            return  # a newer word has overtaken it
        follower.told = [one for one in follower.told if one.number >= number] or [
            follower.told[-1]
        ]
        follower.begun = begun

    def tell(self, client_id: str) -> Told | None:
        """Return what this client is to be told now; None for one that does not follow grants."""
        client, follower = self._clients.get(client_id), self._followers.get(client_id)
        if client is None or follower is None or not self.is_set:
            return None
        last = follower.told[-1]
        slots = min(follower.most, self._share(client))
        if slots != last.slots:
            last = Told(last.number + 1, slots)
            follower.told.append(last)
            self._occupancy.resize(client, slots)
        return last

    def is_due(self, client_id: str) -> bool:
        """Tell whether a client is to be told something that it has not been told yet."""
        client, follower = self._clients.get(client_id), self._followers.get(client_id)
        if client is None or follower is None or not self.is_set:
            return False
        return min(follower.most, self._share(client)) != follower.told[-1].slots

    def due(self) -> list[str]:
        """Return the clients that are to be told something."""
        return [client.id for client in self._clients.present() if self.is_due(client.id)]

    def room(self, client: Client | None, host: str) -> int:
        """Return how many more tasks may be handed out to a client, or to a stranger on this host.

        What is fetched ahead comes on top, for clients that follow grants.
        """
        if client is None:  # it never registered, so nothing is known of what it runs
            return 0
        if client.id in self._followers:
            return max(0, self._share(client) - self._occupancy.issued(client.id))
        begun = self.begun().get(host, 0)
        if self._is_elsewhere(client) or not (begun or self.may_begin()):
            return 0
        return max(0, self.slots.get(host, 0) - begun)

    def follows(self, client: Client | None) -> bool:
        """Tell whether a client begins no more than it is told, so that tasks may wait there."""
        return client is not None and client.id in self._followers

    def _share(self, client: Client) -> int:
        """Return how many programs this client may have, beside other clients of its host."""
        granted = self.slots.get(client.host, 0)
        if not granted or self._is_elsewhere(client):
            return 0
        # A client that comes late: a watcher may have looked before it, and found none of this job.
        if not self._may_have(client) and not self.may_begin():
            return 0
        others = (
            self._may_have(one)
            for one in self._clients.present()
            if one.host == client.host and one.id != client.id
        )
        return max(0, granted - sum(others))

    def _is_elsewhere(self, client: Client) -> bool:
        """Tell whether a client runs on another machine than the one that the farm knows by its name."""
        own, expected = self._boots.get(client.id), self.machines.get(client.host)
        return bool(own and expected and own != expected)

    def _may_have(self, client: Client) -> int:
        follower = self._followers.get(client.id)
        silent = self._clients.now - client.word
        if client.pings and silent > self.patience:
            return 0  # it has ended by itself, and its programs with it
        issued = self._occupancy.issued(client.id)
        if follower is None:
            return min(issued, self._occupancy.slots(client)) if client.pings else issued
        return follower.may_have

    # -- what the farm is told

    def boots(self) -> dict[str, str]:
        """Return the boot ID of the newest client on each host that has told one."""
        told = ((client.host, self._boots.get(client.id)) for client in self._clients.present())
        return {host: boot for host, boot in told if boot}

    def begun(self) -> dict[str, int]:
        """Return the tasks that are begun on each host, or may still be begun."""
        found: Counter[str] = Counter()
        for client in self._clients.present():
            found[client.host] += self._may_have(client)
        return {host: number for host, number in found.items() if number}

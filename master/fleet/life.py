"""The client that came of one start of a host, as the dispatch knows it."""

from __future__ import annotations

import asyncio
import math

from ..desk.desk import Desk
from ..dispatch import scheduler
from ..launch import Launcher
from ..model import Client, Host, TicketState
from .starts import SHORT

PRESENT_PAUSE = 1.0  # seconds between looks whether a client is still there
CUT_LIMIT = (
    5.0  # seconds that a young client may be without a connection until its host is started again
)


class Life:
    """Lives from the moment before a start to the end of its client."""

    def __init__(self, desk: Desk, host: Host, one: Launcher) -> None:
        self.host, self.launcher = host, one
        self.is_doubtful = False  # the client was taken for gone, and may only be cut off or busy
        self._desk, self._began = desk, desk.clock()
        self._had_ended = self._ended

    def clients(self) -> list[Client]:
        """Return the clients that registered since, or the one from before that got our address."""
        here = [c for c in self._desk.dispatch.clients if c.host == self.host.name]
        if self.launcher.handed_over:
            return [client for client in here if not client.state.is_gone]
        return [client for client in here if client.since >= self._began]

    @property
    def is_up(self) -> bool:
        """True when a client is here.

        A child process on this machine counts once its set-up went well; SSH tells that by itself.
        """
        if self.launcher.handed_over:
            return any(
                self._desk.is_there(client) or not self._desk.dispatch.rules.ping
                for client in self.clients()
            )
        return any(client.state.has_asked or not self.host.is_here for client in self.clients())

    @property
    def is_cut(self) -> bool:
        """True when a young client is cut off: it may have been killed with all that could tell."""
        if not self._could_be_heard_for(CUT_LIMIT):
            return False
        here = [
            c
            for c in self._desk.dispatch.clients
            if c.host == self.host.name and not c.state.is_gone
        ]
        return bool(here) and all(
            c.state.is_cut_off and self._desk.clock() - c.since < SHORT for c in here
        )

    def _could_be_heard_for(self, seconds: float) -> bool:
        """Tell whether the client had its way to this master for so long that its silence tells something."""
        return self._desk.clock() - self.launcher.silence_counts_since >= seconds

    @property
    def _is_present(self) -> bool:
        """True while the client is here, or may not have found its way back yet.

        A client whose port is forwarded again needs some seconds to come back, and gets a lease. Of one that
        never pings, only its goodbye tells that it is gone.
        """
        since = self.launcher.silence_counts_since
        if since == math.inf or self._desk.present(self.host.name):
            return True
        if since == -math.inf or self.has_left:
            return False
        lease = scheduler.lease(self._desk.dispatch.rules.ping)
        return not (lease and self._could_be_heard_for(lease))

    async def until_vanished(self) -> None:
        """Wait until the client has been silent for too long, or all sets are done.

        A young client that was cut off is taken for gone earlier.
        """
        cut_since: float | None = None
        while not self._desk.dispatch.board.closed and self._is_present:
            await asyncio.sleep(PRESENT_PAUSE)
            if not self.is_cut:
                cut_since = None
            elif cut_since is None:
                cut_since = self._desk.clock()
            elif self._desk.clock() - cut_since > CUT_LIMIT:
                break
        self.is_doubtful = cut_since is not None or not self._desk.dispatch.rules.ping

    @property
    def seconds(self) -> float:
        """Seconds from its registration to its last word."""
        clients = self.clients()
        return max((c.word for c in clients), default=0.0) - min(
            (c.since for c in clients), default=0.0
        )

    @property
    def has_left(self) -> bool:
        """True when it is known that the client has ended: it, or its guard, has said so."""
        clients = self.clients()
        return bool(clients) and clients[-1].state.is_gone

    @property
    def was_killed(self) -> bool:
        """True when it is known that the client was killed."""
        clients = self.clients()
        return bool(clients) and clients[-1].was_killed

    @property
    def is_cut_short(self) -> bool:
        """True when this master heard nobody as the client ended: it was suspended, or its network was away.

        The end then says nothing about the host.
        """
        dispatch, now = self._desk.dispatch, self._desk.clock()
        clients = self.clients()
        if not clients:
            return dispatch.losses.naps.has_disturbed(self._began, now)
        return dispatch.losses.naps.has_ended(clients[-1], now) or self._are_all_cut_off

    @property
    def _are_all_cut_off(self) -> bool:
        """True when the clients of several hosts are here and all are cut off: the network did that."""
        present = self._desk.dispatch.clients.present()
        several = len({client.host for client in present}) > 1
        return several and all(client.state.is_cut_off for client in present)

    @property
    def has_finished_tasks(self) -> bool:
        """True when any attempt on this host came to its end since the start, well or not."""
        return self._ended > self._had_ended

    @property
    def has_had_tasks(self) -> bool:
        """True when the client got any task, which may have killed it."""
        # Asked of the client and not of the tickets alone: those of a task that was given up are gone.
        clients = self.clients()
        here = {client.id for client in clients}
        return (
            self.has_finished_tasks
            or any(client.has_had_tasks for client in clients)
            or any(t.client in here for t in self._desk.dispatch.board.tickets.values())
        )

    def lost_sets(self) -> set[int]:
        """Return the sets that ran at the end of the client and have not ended elsewhere since: its oldest tickets."""
        found: set[int] = set()
        for client in self.clients():
            its = (t for t in self._desk.dispatch.board.tickets.values() if t.client == client.id)
            lost = [ticket.task for ticket in its if ticket.state is TicketState.LOST]
            found.update(lost[: self._desk.dispatch.board.occupancy.slots(client)])
        return found

    @property
    def _ended(self) -> int:
        work = self._desk.dispatch.tally.hosts.get(self.host.name)
        return work.done + work.failed if work else 0

    def dead(self) -> list[Client]:
        """Earlier clients of this host that cannot live, as a new one was started there and they are cut off."""
        here = [c for c in self._desk.dispatch.clients if c.host == self.host.name]
        return [
            c
            for c in here
            if c.state.is_cut_off and c.since < self._began and not self.launcher.handed_over
        ]

"""The master's use cases, one method for each verb of the protocol.

Each asks the dispatch, judges, stores and answers.

Here what is decided becomes durable before it is said. HTTP is the business of wire/, decisions are
those of dispatch/.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping

from ..dispatch import scheduler
from ..dispatch.dispatch import Dispatch
from ..dispatch.losses import LEFT
from ..dispatch.shortfall import Shortfall
from ..errors import NotStored
from ..launch.little_room import LittleRoom
from ..launch.neighbours import Neighbour, NeighbourLines
from ..model import Client, Failure, Task, Work
from ..results.extract import Part
from ..session.run_folder import Folder
from ..store.store import Store
from ..text import counted, printable
from .arrivals import Arrivals
from .events import Events
from .held_requests import HeldRequests
from .judging import Judges
from .orders import Orders
from .pings import Pings
from .reports import Report
from .work import Brief, TaskRecord, Welcome, WorkMaker

log = logging.getLogger("spe.desk")
SILENCE = 60.0  # seconds; an idle client asks for work more often, a busy one pings
HOLD = 10.0  # seconds that a /task without `wait` is held while tasks run elsewhere
PING_SLACK = 2.5  # seconds by which an idle client may be heard later than one that pings
LOAD_AGE = 20.0  # seconds after which a client is asked again how loaded its host is


class Desk:
    """Serves the clients of one sweep. Replies leave after what they rest on is on disk."""

    def __init__(
        self,
        brief: Brief,
        dispatch: Dispatch,
        store: Store,
        judges: Judges,
        folder: Folder,
        tell: Callable[[str], None] = lambda sentence: None,
        clock: Callable[[], float] = time.monotonic,
        remark: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        """`folder` is runs/<name>/.

        `tell` shows the user a warning, `remark` a sentence that may be left unread; `clock`
        returns monotonic seconds.
        """
        self.brief, self.dispatch, self.store, self.folder = brief, dispatch, store, folder
        self.tell, self.remark, self.clock = tell, remark, clock
        self.events = Events()
        # Called before the end of a client is judged (fleet/waking.py)
        self.look_awake: Callable[[], None] = lambda: None
        self.shortfall = Shortfall()  # reasons why sets will wait at the end
        # Something happened: the run looks whether it is over, whether to load more
        self.moved = asyncio.Event()
        keep = brief.setup.keep_failed
        self.arrivals = Arrivals(dispatch, store, judges, folder, clock, self._spread, keep)
        self.held_requests = HeldRequests(dispatch, clock)
        self.orders = Orders(self.held_requests.reach, clock)
        self.work_maker = WorkMaker(brief, dispatch, folder, self.shortfall)
        self._pings = Pings(dispatch, self.arrivals, self.held_requests, self.orders, clock)
        # The methods of the parts, for callers that have the desk only.
        self.work_of: Callable[[Task], Work] = self.work_maker.work_of
        self.wake_idle: Callable[[], None] = self.held_requests.wake_idle
        self.take_call: Callable[[str], int] = self.held_requests.take_call
        self.let_go: Callable[[], None] = self.held_requests.let_go
        self._writers: set[str] = set()  # users of whom this run has warned
        self._neighbours = NeighbourLines(dispatch.rules.max_load)
        self._little_room = LittleRoom()

    async def _store(self) -> None:
        """Make what the dispatch decided durable, then answer the clients that it concerns."""
        await self.store.commit(self.dispatch.board.take_changes())
        self._spread()

    async def _store_if_it_can(self) -> None:
        """Store before an answer that rests on nothing stored.

        A run that cannot write tells its clients the end, too.
        """
        with contextlib.suppress(NotStored):
            await self._store()

    def _spread(self) -> None:
        for note in self.dispatch.board.take_notes():
            self.tell(note)
            self.events.note(note.kind, note, note.host)
            if note.kind in ("given_up", "alike"):
                self.shortfall.note(note)
                self.held_requests.call_for_unbegun()  # what lies ready at clients is not to begin
        for failed in self.dispatch.tally.take_given_up():
            text = f"task {failed.task} has failed: {failed.reason}"
            self.events.note("failed", text, failed.host, failed.task)
        self.moved.set()
        self.held_requests.spread()

    # -- register

    async def register(
        self,
        host: str,
        platform: str,
        slots: int,
        pings: bool,
        cores: int = 0,
        follows_grants: bool = False,
        boot: str = "",
    ) -> Welcome:
        """Take in a client; return what it is told beside what all clients are told.

        `follows_grants`: it begins no more tasks at a time than it is told. boot: the boot ID of
        its machine, "" for unknown.
        """
        client = self.dispatch.register(self.clock(), host, platform, slots, pings, cores)
        if follows_grants:
            self.dispatch.handout.grants.follow(client, boot)
        await self._store()
        self.events.note("host_up", f"{host}: a client with {counted(slots, 'slot')} is here", host)
        log.info(
            "client %s registered: host %s, %s, %d slots",
            client.id,
            host,
            platform or "platform unknown",
            slots,
        )
        file = None
        if platform:
            file = self.brief.platform_file(platform)
        return Welcome(client.id, file, self.brief.shell(host, platform))

    def note_writers(self, host: str, who: str, where: str) -> None:
        """Warn once a run of users who may write where a client works.

        `who` is "" when there are none.
        """
        # By users, not by hosts: on forty hosts with a shared home it is the same folder.
        if who and who not in self._writers:
            self._writers.add(who)
            text = f"{host}: {who} may write into {where}, and so disturb what runs below it (not read it, nor start "
            text += "anything as you). Another folder: workdir=PATH; to hear no more of it: trust_workdir=yes"
            self._warn("writers", text, host)

    def note_neighbours(self, host: str, neighbours: Iterable[Neighbour]) -> None:
        """Take in what a host reports about others there. It is said once, for all hosts together.

        In a job of a farm it is not: others are meant to be there, and the farm deals the slots.
        """
        if self.dispatch.handout.grants.is_set:
            return
        for one in neighbours:
            self._neighbours.note(self.clock(), host, one)

    def note_room(self, host: str, free: int) -> None:
        """Take in that a host's home is nearly full. It is said once, for all hosts together."""
        self._little_room.note(self.clock(), host, free)

    def _tell_room(self, line: str) -> None:
        if line:
            self.remark(line)
            self.events.note("little_room", line)

    def _tell_neighbours(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.remark(line)
            self.events.note("neighbours", line)

    def _warn(self, kind: str, text: str, host: str) -> None:
        self.tell(text)
        self.events.note(kind, text, host)

    # -- task

    async def tasks(
        self,
        client: str,
        count: int,
        wait: float | None,
        alive: Callable[[], bool],
        load: float | None = None,
        ahead: int = 0,
        address: str = "",
        received: int | None = None,
    ) -> list[TaskRecord]:
        """Return up to `count` records.

        The list is empty when no task comes within `wait` seconds, or none ever will.

        `alive` tells whether the client still holds the connection. `load`: of its host, by others.
        `ahead`: how many of the records would wait there for a free slot. `address`: where the
        request comes from. `received`: the highest ticket that the client has; None where it does
        not say.
        """
        if received is not None:
            await self._take_back_unreceived(client, received)
        longest = self._longest_hold(self.dispatch.clients.get(client), load)
        deadline = self.clock() + min(HOLD if wait is None else wait, longest)
        while True:
            if not alive():
                self.wake_idle()  # the task for which this request was woken goes to another
                return []
            records = await self._take(client, count, load, ahead, address)
            if records and not alive():  # the client hung up meanwhile: these tasks never reached it
                await self._take_back(records)
                return []
            left = deadline - self.clock()
            if (
                records
                or left <= 0
                or self.dispatch.steering.closed_for(client)
                or self.orders.due(client)
                or self.dispatch.handout.grants.is_due(client)
            ):
                return records
            if not await self.held_requests.hold_task(left, count - ahead, client):
                return records

    def _longest_hold(self, client: Client | None, load: float | None) -> float:
        """Return the seconds to hold a task request.

        A client must be heard once a heartbeat interval, and a reported load is current for
        LOAD_AGE.
        """
        longest = math.inf
        ping = self.dispatch.rules.ping
        if client and client.pings and ping:
            longest = ping + PING_SLACK
        if self.dispatch.rules.max_load and load is not None:
            longest = min(longest, LOAD_AGE)
        return longest

    async def _take(
        self, client: str, count: int, load: float | None, ahead: int, address: str
    ) -> list[TaskRecord]:
        tickets = self.dispatch.handout.take(self.clock(), client, count, load, ahead, address)
        records = [one for ticket in tickets if (one := self.work_maker.record(ticket))]
        if tickets:
            await self._store()
        return records

    async def _take_back(self, records: list[TaskRecord]) -> None:
        for one in records:
            self.dispatch.handout.give_back(one.ticket.id, one.ticket.client)
        await self._store()

    async def _take_back_unreceived(self, client: str, received: int) -> None:
        """Let what a lost answer had handed to this client wait again, at once and at no cost."""
        count = self.dispatch.handout.take_back_unreceived(client, received)
        if count:
            tasks = counted(count, "task waits again: its ticket", "tasks wait again: their tickets")
            log.info("client %s: %s never reached it", client, tasks)
            await self._store()

    async def give_back(self, client: str, tickets: list[int], reason: str = "") -> None:
        """Take back tickets that will not be begun or, with a reason, do not count."""
        self.dispatch.clients.heard(self.clock(), client)
        reason = printable(reason)
        taken = [
            ticket for ticket in tickets if self.dispatch.handout.give_back(ticket, client, reason)
        ]
        if taken and reason:
            self.dispatch.handout.note_given_back(client, reason)
        await self._store_if_it_can()

    # -- grants of a farm

    def allow(self, epoch: int, number: int, slots: Mapping[str, int]) -> bool:
        """Hand out as many tasks on each host as a farm grants from now on.

        Clients whose bound changes are told at once. Return False for a grant that a newer one has
        overtaken.
        """
        grants = self.dispatch.handout.grants
        taken = grants.allow(epoch, number, slots)
        if taken:
            for client in grants.due():
                self.held_requests.reach(client)
            self.wake_idle()
            self.moved.set()
        return taken

    def hear_granted(self, client: str, number: int, begun: int) -> None:
        """Take in which bound a client follows, and how many programs it has."""
        grants = self.dispatch.handout.grants
        grants.hear(client, number, begun)
        if grants.is_due(client):  # what another client of its host has left may be its own now
            self.held_requests.reach(client)

    # -- ping

    async def ping(self, client: str, tickets: list[int], wait: float) -> list[int]:
        """Return the tickets that have expired.

        Without `wait` these are some of `tickets`; with it, others of this client may be among
        them.
        """
        expired = await self._pings.answer(client, tickets, wait)
        await self._store_if_it_can()
        return expired

    # -- complete and failed

    async def complete(self, client: str, ticket: int, parts: Mapping[str, Part]) -> str:
        """Take in a result; return `accepted`, `rejected: REASON`, `expired` or `unknown`."""
        return (await self.arrivals.take(client, [Report(ticket, parts)]))[0]

    async def failed(
        self, client: str, ticket: int, parts: Mapping[str, Part], reason: str
    ) -> None:
        """Take in that the program of this ticket ended without success."""
        await self.arrivals.take(client, [Report(ticket, parts, reason)])

    # -- what clients say of themselves

    def note_host(self, client: str, memory: float | None, disk: float | None) -> None:
        """Remember what a client says of its host, beside its load; None for what it did not say."""
        known = self.dispatch.clients.get(client)
        if known and (memory is not None or disk is not None):
            known.memory, known.disk = memory, disk

    def suspect(self, client: str) -> None:
        """Suspect a client: the connection of a request that was held for it has broken.

        Its next word clears that.
        """
        if self.dispatch.board.over:  # clients hang up at the end, one by one
            return
        known = self.dispatch.clients.suspect(client)
        if known:
            log.info("client %s on %s: the connection that it held has broken", client, known.host)

    async def bye(self, client: str, killed: bool = False, left: str = "") -> None:
        """Take the goodbye of a client.

        `killed`: it was ended from outside, which may be the fault of what it ran.

        `left`: what it could not remove from its host, in its words.
        """
        known = self.dispatch.clients.get(client)
        self.look_awake()
        if known and not known.state.is_gone:
            how = "was killed" if killed else "has left"
            if not killed and self.dispatch.losses.naps.has_ended(known, self.clock()):
                how = f"has left: {LEFT}"
            self.events.note("host_gone", f"{known.host}: its client {how}", known.host)
            if left:
                self._warn("left", f"{known.host}: {left}", known.host)
        self.dispatch.bye(self.clock(), client, killed)
        await self._store_if_it_can()

    def present(self, host: str) -> bool:
        """Tell whether a client on this host has been heard lately."""
        return any(c.host == host and self.is_there(c) for c in self.dispatch.clients)

    def is_there(self, client: Client) -> bool:
        """Tell whether this client has not left and has been heard lately.

        A client at work that pings must have been heard within a lease.
        """
        lease = scheduler.lease(self.dispatch.rules.ping)
        limit = max(lease, SILENCE)
        if client.pings and client.state.has_asked and lease:
            limit = lease
        return not client.state.is_gone and self.clock() - client.word < limit

    # -- time and the end

    def no_more(self) -> None:
        """Note that the store has no further tasks: what is left is in the dispatch."""
        self.dispatch.board.more = False
        self.held_requests.call_soon()

    async def note_last_words(self) -> None:
        """Store when each client was heard last: the tables at the end of a run show it."""
        self._tell_neighbours(self._neighbours.take_all())
        self._tell_room(self._little_room.take_all())
        now = self.clock()
        self.dispatch.board.changes += self.dispatch.clients.heard_since_noted(now, pause=0.0)
        await self._store_if_it_can()

    async def tick(self) -> None:
        """Let silence have its consequences: leases run out, and tasks go back to the queue."""
        for ticket in self.dispatch.tick(self.clock()):
            silent = self.clock() - ticket.word
            text = f"{ticket.host} is silent for {silent:.0f} s: task {ticket.task} goes back to the queue"
            self.events.note("lost", text, ticket.host, ticket.task)
        self._tell_neighbours(self._neighbours.take_due(self.clock()))
        self._tell_room(self._little_room.take_due(self.clock()))
        await self._store()
        # Events once a second, not each one as it comes: most of them come with something else to
        # be stored.
        await self.keep_events()
        self.held_requests.call_soon()

    async def obey(self) -> None:
        """Make durable what people have decided, and tell the clients that it concerns."""
        await self._store()
        self.held_requests.call_for_unbegun()

    async def drain(self) -> None:
        """Hand out nothing more, and call for what has not begun."""
        self.dispatch.board.draining = True
        # The call goes out at once, and not with the next tick: what lies ready at clients would
        # begin meanwhile.
        self.events.note("draining", "nothing more is handed out; what runs may finish")
        self.held_requests.call_for_unbegun()
        self._spread()

    async def keep_events(self) -> None:
        """Store the events that are not stored yet, for those who look later."""
        fresh = self.events.take_fresh()
        if fresh:
            await self.store.keep_events(fresh)

    async def stop(self) -> None:
        """Call back what runs."""
        self.events.note("stopping", "nothing more is handed out; what runs is ended")
        self.dispatch.board.stop()
        await self._store_if_it_can()


__all__ = ["HOLD", "Brief", "Desk", "Failure", "TaskRecord"]

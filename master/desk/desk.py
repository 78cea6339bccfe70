"""The master's use cases, one method for each verb of the protocol: ask the dispatch, judge, store, answer.

No HTTP (routes.py) and no decisions (dispatch.py): this is where what is decided becomes durable before it is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Set

from ..dispatch import scheduler
from ..dispatch.dispatch import Dispatch
from ..dispatch.shortfall import Shortfall
from ..errors import NotStored, SpeError
from ..model import Client, Failure, Note, ResultSpec, Setup, Task, TaskState, Ticket, TicketState, Work, WorkerFile
from ..record import record
from ..results.extract import Part
from ..results.leftovers import printable
from ..session.run_folder import Folder, stands
from ..store.store import Store
from ..sweep.recipe import InputChanged
from .arrivals import Arrivals, Report
from .events import Events
from .judging import Judges
from .long_poll import Held, Idle, hold, settle
from .orders import Orders

log = logging.getLogger("spe.desk")
SILENCE = 60.0  # seconds; an idle client asks for work more often, a busy one pings
CALL_PAUSE = 0.02  # seconds between an idle slot and the call for what others have not begun
HOLD = 10.0  # seconds that a /task without `wait` is held while tasks run elsewhere
PING_SLACK = 2.5  # seconds by which an idle client may be heard later than one that pings
LOAD_AGE = 20.0  # seconds after which a client is asked again how loaded its host is


@record
class Brief:
    """What the desk must know of the sweep."""

    setup: Setup
    results: tuple[ResultSpec, ...]
    work: Callable[[Mapping[str, str]], Work]
    key: Callable[[Mapping[str, str]], bytes]  # the identity of a set
    shell: Callable[[str, str], str | None]  # (host, platform) -> set-up snippet
    platform_file: Callable[[str], WorkerFile | None]
    keep_output: bool = False  # of each attempt all of stdout and stderr


@record
class Welcome:
    """Facts for one client that has registered."""

    client: str  # its ID
    file: WorkerFile | None  # the worker for its platform
    shell: str | None  # its set-up snippet


@record
class Record:
    """A ticket and what it is to run."""

    ticket: Ticket
    task: Task
    work: Work


class NotToday(SpeError):
    """A task has not the identity of what would be handed out for it: a fault of spe's own."""


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
    ) -> None:
        """`folder` is runs/<name>/; `tell` shows the user a sentence."""
        self.brief, self.dispatch, self.store, self.folder = brief, dispatch, store, folder
        self.tell, self.clock = tell, clock
        self.events = Events()
        self.shortfall = Shortfall()  # why sets will wait at the end
        self.moved = asyncio.Event()  # something happened: the run looks whether it is over, whether to load more
        self.arrivals = Arrivals(dispatch, store, judges, folder, clock, self._spread)
        self._idle = Idle()  # held /task requests
        self._calls: dict[str, int] = {}  # clients that are to give back so many tickets
        self._calling: asyncio.TimerHandle | None = None
        self._held_pings: dict[str, set[Held]] = {}
        self.orders = Orders(self._reach, clock)
        self._writers: set[str] = set()  # those that the user was warned of

    async def _store(self) -> None:
        """Make what the dispatch decided durable, then let those know who wait for it."""
        await self.store.commit(self.dispatch.board.take_changes())
        self._spread()

    async def _store_if_it_can(self) -> None:
        """The same for an answer that rests on nothing stored: clients hear the end also of a run that cannot write."""
        with contextlib.suppress(NotStored):
            await self._store()

    def _spread(self) -> None:
        for note in self.dispatch.board.take_notes():
            self.tell(note)
            self.events.note(note.kind, note, note.host)
            if note.kind == "given_up":
                self.shortfall.note(note)
        for failed in self.dispatch.tally.take_given_up():
            text = f"task {failed.task} has failed: {failed.reason}"
            self.events.note("failed", text, failed.host, failed.task)
        self.moved.set()
        self.wake_idle()
        for client in list(self._held_pings) if self.dispatch.board.over else self.dispatch.clients.to_call():
            for held in self._held_pings.get(client, ()):
                settle(held)

    def wake_idle(self) -> None:
        """Held /task requests look again: one for each waiting task, or all when nothing more will come."""
        everybody = self.dispatch.board.closed or self.dispatch.steering.leaving
        self._idle.wake(len(self._idle) if everybody else self.dispatch.handout.offers)

    # -- register

    async def register(self, host: str, platform: str, slots: int, pings: bool, cores: int = 0) -> Welcome:
        """A client came: what it is told of its own, beside what all are told."""
        client = self.dispatch.register(self.clock(), host, platform, slots, pings, cores)
        await self._store()
        self.events.note("host_up", f"{host}: a client with {slots} {'slot' if slots == 1 else 'slots'} is here", host)
        log.info("client %s registered: host %s, %s, %d slots", client.id, host, platform or "platform unknown", slots)
        file = self.brief.platform_file(platform) if platform else None
        return Welcome(client.id, file, self.brief.shell(host, platform))

    def note_writers(self, host: str, who: str, where: str) -> None:
        """Warn of those who may write where a client works, once a run."""
        if who and who not in self._writers:
            self._writers.add(who)
            text = f"{host}: {who} may write into {where}, and so disturb what runs below it (not read it, nor start "
            text += "anything as you). Another folder: workdir=PATH; to hear no more of it: trust_workdir=yes"
            self._warn("writers", text, host)

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
    ) -> list[Record]:
        """Up to `count` records; empty when none comes within `wait` seconds or none ever will.

        `load`: of the client's host, by others. `ahead`: so many of them would wait there for a free slot. `address`:
        where the request comes from.
        """
        longest = self._longest(self.dispatch.clients.get(client), load)
        deadline = self.clock() + min(HOLD if wait is None else wait, longest)
        while True:
            if not alive():
                self.wake_idle()  # what this one was woken for goes to another
                return []
            records = await self._take(client, count, load, ahead, address)
            if records and not alive():  # it hung up meanwhile: these never reached it
                return await self._give_back(records)
            left = deadline - self.clock()
            if records or left <= 0 or self.dispatch.steering.closed_for(client) or self.orders.due(client):
                return records
            if not await self._idle_for(left, count - ahead, client):
                return records

    def _longest(self, client: Client | None, load: float | None) -> float:
        """Seconds: who pings while at work is heard as often while idle, and a load that was told gets old."""
        ping = self.dispatch.rules.ping if client and client.pings else 0.0
        often = ping + PING_SLACK if ping else math.inf
        return min(often, LOAD_AGE) if self.dispatch.rules.max_load and load is not None else often

    async def _take(self, client: str, count: int, load: float | None, ahead: int, address: str) -> list[Record]:
        tickets = self.dispatch.handout.take(self.clock(), client, count, load, ahead, address)
        records = [one for ticket in tickets if (one := self._record(ticket))]
        if tickets:
            await self._store()
        return records

    async def _give_back(self, records: list[Record]) -> list[Record]:
        for one in records:
            self.dispatch.handout.give_back(one.ticket.id, one.ticket.client)
        await self._store()
        return []

    def _record(self, ticket: Ticket) -> Record | None:
        task = self.dispatch.board.tasks[ticket.task]
        try:
            return Record(ticket, task, self.work_of(task))
        except SpeError as error:
            if not stands(self.folder):  # the whole sweep was moved, its input files, too: no fault of this task
                self.dispatch.handout.give_back(ticket.id, ticket.client)
                self.dispatch.board.draining = True
                return None
            if isinstance(error, InputChanged | NotToday):
                self._leave_out(ticket, task, error)
                return None
            log.error("task %d cannot be handed out: %s", task.number, error)
            self.dispatch.attempts.give_up(task, str(error).replace("\n", " "))
            return None

    def work_of(self, task: Task) -> Work:
        """What a client runs for this task. Raises NotToday where that would not be what its identity says."""
        try:
            same = not task.key or self.brief.key(task.values) == task.key
        except KeyError:  # its parameters have other names
            same = False
        if not same:
            raise NotToday(f"task {task.number} is none of today's sets")
        return self.brief.work(task.values)

    def _leave_out(self, ticket: Ticket, task: Task, error: SpeError) -> None:
        """What cannot be computed as its identity says is not computed in this run."""
        log.info("task %d is not handed out: %s", task.number, error)
        if len(task.tickets) > 1:  # it runs elsewhere, since before
            self.dispatch.handout.give_back(ticket.id, ticket.client)
            return
        first = error.line not in self.dispatch.board.left_out.values()
        self.dispatch.board.leave_out(task, error.line)
        self.shortfall.note(f"{error.where}: {error.what}" if error.where else error.what, 1)
        if first:
            self.dispatch.board.notes.append(Note(f"{error.line} Until then they wait.", "left_out"))

    async def _idle_for(self, seconds: float, slots: int, client: str) -> bool:
        """False: nothing has happened."""
        future = self._idle.add(slots, client)
        self._call_soon()
        try:
            return await hold(future, seconds)
        finally:
            self._idle.remove(future)

    # -- what was fetched ahead

    def _call_soon(self) -> None:
        """A moment later, so that hosts that become idle together are one call."""
        if (self._idle or self.dispatch.steering.withholding) and not self._calling:
            self._calling = asyncio.get_running_loop().call_later(CALL_PAUSE, self._call_for_unbegun)

    def _call_for_unbegun(self) -> None:
        """Clients are asked to give back what they could not begin: those that get nothing more, and the others when
        slots are idle and nothing waits."""
        self._calling = None
        dispatch, held = self.dispatch, self._held_pings.keys()
        nothing = {c for c in held if c in dispatch.clients and dispatch.steering.withholds(dispatch.clients[c].host)}
        if nothing:
            self._call(math.inf, nothing)
        if not (dispatch.board.waiting or dispatch.board.more or dispatch.board.over):
            self._call(self._idle.slots, held - nothing)

    def _call(self, wanted: float, among: Set[str]) -> None:
        for client, count in self.dispatch.handout.unbegun(wanted, among).items():
            self._calls[client] = count
            for held in self._held_pings.get(client, ()):
                settle(held)

    def take_call(self, client: str) -> int:
        """How many tickets this client is asked to give back, since the last call."""
        return self._calls.pop(client, 0)

    def _reach(self, client: str) -> None:
        """There is an order for it."""
        self._idle.call(client)
        for held in self._held_pings.get(client, ()):
            settle(held)

    async def give_back(self, client: str, tickets: list[int], reason: str = "") -> None:
        """Take back tickets that will not be begun there or, with a reason, of attempts that do not count."""
        self.dispatch.clients.heard(self.clock(), client)
        reason = printable(reason)
        taken = [ticket for ticket in tickets if self.dispatch.handout.give_back(ticket, client, reason)]
        if taken and reason:
            self.dispatch.handout.note_given_back(client, reason)
        await self._store_if_it_can()

    # -- ping

    async def ping(self, client: str, tickets: list[int], wait: float) -> list[int]:
        """The tickets among these (held: also among the client's others) that have expired.

        With `wait`, the answer comes when one expires, or after that many seconds, and well before the lease runs out.
        """
        for ticket in tickets:
            await self._recall_lost(ticket)
        expired = self.dispatch.ping(self.clock(), client, tickets)
        if wait > 0 and client:
            if not expired:
                await self._hold_ping(client, min(wait, scheduler.lease(self.dispatch.rules.ping) / 2 or wait))
                expired = self.dispatch.ping(self.clock(), client, tickets)
            expired = await self._surely(expired)
            expired = sorted({*expired, *self.dispatch.clients.take_expired(client)})
        else:
            expired = await self._surely(expired)
            self.dispatch.clients.told_expired(client, expired)
        await self._store_if_it_can()
        return expired

    async def _surely(self, expired: list[int]) -> list[int]:
        """A client drops what is called expired. If its task is done, that must be on disk before: else a crash now
        would lose the very result that this client is just bringing."""
        return expired if not expired or await self.arrivals.all_finished(HOLD) else []

    async def _recall_lost(self, ticket_id: int) -> None:
        """Bring back a ticket that an earlier master lost sight of: a ping renews it while its task is undone."""
        if not 0 < ticket_id < self.dispatch.board.first_ticket or ticket_id in self.dispatch.board.tickets:
            return
        found = await self.store.find(ticket_id)
        if found is None or found[0].state is not TicketState.LOST or found[1].state is not TaskState.WAITING:
            return
        await self.arrivals.recall(ticket_id)

    async def _hold_ping(self, client: str, wait: float) -> None:
        future: Held = asyncio.get_running_loop().create_future()
        held = self._held_pings.setdefault(client, set())
        held.add(future)
        if self.dispatch.clients.has_expired(client) or client in self._calls or self.orders.due(client):
            settle(future)
        try:
            await hold(future, wait)
        finally:
            held.discard(future)
            if not held and self._held_pings.get(client) is held:
                del self._held_pings[client]

    # -- complete and failed

    async def complete(self, client: str, ticket: int, parts: Mapping[str, Part]) -> str:
        """A result is here: `accepted`, `rejected: REASON`, `expired` or `unknown`."""
        return (await self.arrivals.take(client, [Report(ticket, parts)]))[0]

    async def failed(self, client: str, ticket: int, parts: Mapping[str, Part], reason: str) -> None:
        """The program of this ticket ended without success."""
        await self.arrivals.take(client, [Report(ticket, parts, reason)])

    def note_host(self, client: str, memory: float | None, disk: float | None) -> None:
        """What a client says of its host, beside its load."""
        known = self.dispatch.clients.get(client)
        if known and (memory is not None or disk is not None):
            known.memory, known.disk = memory, disk

    def suspect(self, client: str) -> None:
        """The connection of a request that was held for it has broken; its next word clears that."""
        known = None if self.dispatch.board.over else self.dispatch.clients.suspect(client)
        if known:
            log.info("client %s on %s: the connection that it held has broken", client, known.host)

    async def bye(self, client: str, killed: bool = False, left: str = "") -> None:
        """A client is gone; `killed`: not of its own will, which may be the fault of what it ran.

        `left`: what it could not remove from its host, in its words.
        """
        known = self.dispatch.clients.get(client)
        if known and not known.state.is_gone:
            self.events.note("host_gone", f"{known.host}: its client has {'ended' if killed else 'left'}", known.host)
            if left:
                self._warn("left", f"{known.host}: {left}", known.host)
        self.dispatch.bye(self.clock(), client, killed)
        await self._store_if_it_can()

    def present(self, host: str) -> bool:
        """Whether a client on this host has been heard lately."""
        return any(c.host == host and self.is_there(c) for c in self.dispatch.clients)

    def is_there(self, client: Client) -> bool:
        """Whether this client has not left and has been heard lately; one at work that pings, within a lease."""
        lease = scheduler.lease(self.dispatch.rules.ping)
        limit = lease if client.pings and client.state.has_asked and lease else max(lease, SILENCE)
        return not client.state.is_gone and self.clock() - client.word < limit

    # -- time and the end

    def no_more(self) -> None:
        """The store has no further tasks: what is left is here."""
        self.dispatch.board.more = False
        self._call_soon()

    async def tick(self) -> None:
        """Let silence have its consequences."""
        for ticket in self.dispatch.tick(self.clock()):
            silent = self.clock() - ticket.word
            text = f"{ticket.host} is silent for {silent:.0f} s: task {ticket.task} goes back to the queue"
            self.events.note("lost", text, ticket.host, ticket.task)
        await self._store()
        await self.keep_events()
        self._call_soon()

    async def obey(self) -> None:
        """Somebody has steered the dispatch: make that durable, and let all know."""
        await self._store()
        self._call_for_unbegun()

    async def drain(self) -> None:
        """Hand out nothing more, and call for what has not begun."""
        self.dispatch.board.draining = True
        self.events.note("draining", "nothing more is handed out; what runs may finish")
        self._call_for_unbegun()
        self._spread()

    async def keep_events(self) -> None:
        """What was noted goes to the store, for those who look later."""
        if fresh := self.events.take_fresh():
            await self.store.keep_events(fresh)

    def let_go(self) -> None:
        """Answer the pings still held, whose clients may be gone: a server that stops would wait a second for them."""
        for held in [one for those in self._held_pings.values() for one in those]:
            settle(held)

    async def stop(self) -> None:
        """Call back what runs."""
        self.events.note("stopping", "nothing more is handed out; what runs is ended")
        self.dispatch.board.stop()
        await self._store_if_it_can()


__all__ = ["HOLD", "Brief", "Desk", "Failure", "Record"]

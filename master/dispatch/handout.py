"""Handing out: which task a client gets, if any; a waiting one, or at the end a copy of one that takes long."""

from __future__ import annotations

import statistics
from collections import Counter, deque
from collections.abc import Container, Iterator

from ..model import Client, Note, Task, Ticket, TicketState, Times
from . import scheduler
from .black_holes import BlackHoleGuard
from .board import Board
from .changes import UNBEGUN, TicketIssued
from .durations.longest_first import SHORT, LongestFirst
from .pacing.alike import AlikeFailures
from .pacing.grants import Grants
from .pacing.limits import Limits
from .rules import OneEach, Rules
from .steering import Steering

MOST_TOLD = 100  # sentences about attempts that do not count
UNHEARD = 600.0  # seconds of silence of a client that never pings
MEDIAN_NEEDS = 5  # accepted attempts: the median of fewer says little


class Handout:
    """The choice of the tasks that clients get of one board."""

    def __init__(self, rules: Rules, board: Board, steering: Steering, guard: BlackHoleGuard) -> None:
        self._rules, self._board, self._steering, self._guard = rules, board, steering, guard
        self._clients = board.clients
        self.one_each: OneEach | None = None  # the rule of `spe check`
        self.limits = Limits(rules, board.occupancy)
        self.grants = Grants(board.clients, board.occupancy)
        self.alike = AlikeFailures(rules.stop_alike)
        self.loaded: set[str] = set()  # hosts that others use so much that they get nothing
        self.walls: deque[float] = deque(maxlen=501)  # seconds of accepted attempts
        self.longest_first = LongestFirst(rules.longest_first)
        self._stragglers: deque[int] = deque()  # running tasks worth a copy, as of the last tick
        self._has_copied = False
        self._told_given_back: set[str] = set()  # sentences about attempts that do not count, one a host and reason

    def take(
        self, now: float, client_id: str, count: int, load: float | None = None, ahead: int = 0, address: str = ""
    ) -> list[Ticket]:
        """Return up to `count` new tickets for this client; none when nothing waits or no more is handed out.

        `load`: of its host, by others than us; None when the client does not tell. `ahead`: how many of them it would
        prefetch, beyond its free slots. `address`: where it asks from, which names the host of a client that did not
        register.
        """
        client = self._clients.heard(now, client_id)
        host = client.host if client else address
        if client:
            self._clients.asked(client, load)
        elif address:
            self._clients.strangers[address] = now
        # A request that a goodbye has overtaken gets nothing: its tickets would lie there until the lease ends.
        if self._steering.withholds(host) or (client and client.state.is_gone):
            return []
        if self.alike.is_watching and self.alike.withholds(host):
            return []
        if self._board.back_offs.until:
            self._board.end_back_offs(now)
        room = self._guard.room(now, host, self._steering.at_work)
        count = self._count(client, host, count, ahead, room, load)
        if self.grants.is_set:
            count = self._granted(client, host, count, ahead)
        if self.one_each:
            count = min(count, 1) if self.one_each.wants(host) else 0
        limit = self.limits.room(now) if self.limits.is_set else None
        if limit is not None:
            count = min(count, limit)
        leased = bool(client and client.pings)
        tickets: list[Ticket] = []
        while len(tickets) < count and (task := self._next(client_id, host)):
            tickets.append(self._issue(now, task, client_id, host, leased))
        if client and tickets:
            client.has_had_tasks = True
            client.newest = tickets[-1].id
        if room is not None and tickets:
            self._guard.probing(now, host)
        if tickets and self.limits.is_set:
            self.limits.started(now)
        return tickets

    def _count(
        self, client: Client | None, host: str, count: int, ahead: int, room: int | None, load: float | None
    ) -> int:
        """Return how many tasks the client may get. `room`: what the guard allows there, None without a limit."""
        if room is not None:
            count = min(count - ahead, room)  # a host in doubt prefetches nothing
        elif ahead:
            count -= ahead - self._prefetch(client, ahead)
        if client and load is not None and self._rules.max_load:
            count = min(count, self._room_beside(client, load))
        return count

    def _granted(self, client: Client | None, host: str, count: int, ahead: int) -> int:
        """Return how many of `count` tasks the grant of this host leaves, with those fetched ahead."""
        free = self.grants.room(client, host)
        if not self.grants.follows(client):
            return min(count, free)
        return min(count, free + self._prefetch(client, ahead)) if self.grants.slots.get(host) else 0

    def _prefetch(self, client: Client | None, ahead: int) -> int:
        """Return how many tasks this client may prefetch, of the `ahead` that it wants.

        The number shrinks towards the end of the sweep, so that all clients finish together.
        """
        if client is None or client.state.is_gone or not client.pings or not self._rules.ping or self._rules.max_load:
            return 0  # a client that holds no ping cannot be called to give something back
        if self.limits.is_set:
            return 0  # a prefetched task would keep its place, and its licences, from one that can begin
        if not self._guard.may_hoard(client.host):
            return 0
        if self._board.more:
            return ahead
        slots = self._board.occupancy.slots
        all_slots = sum(map(slots, self._clients.present()))
        return min(ahead, len(self._board.waiting) * slots(client) // max(1, 2 * all_slots))

    def unbegun(self, wanted: float, among: Container[str]) -> dict[str, int]:
        """Return which of these clients have prefetched tickets to give back, and how many: `wanted` in all."""
        out = (t for t in self._board.tickets.values() if t.state is TicketState.ISSUED)
        held = Counter(ticket.client for ticket in out if ticket.client in among)
        found: dict[str, int] = {}
        for client_id, count in held.most_common():
            client = self._clients.get(client_id)
            spare = count - self._board.occupancy.slots(client) if client else 0
            if spare > 0 and wanted > 0:
                found[client_id] = int(min(spare, wanted))
                wanted -= found[client_id]
        return found

    def begun(self) -> Iterator[Ticket]:
        """Yield the tickets that are out and have a slot; a client begins its oldest tickets first."""
        begun: Counter[str] = Counter()
        for ticket in self._board.tickets.values():
            if ticket.state is not TicketState.ISSUED:
                continue
            client = self._clients.get(ticket.client)
            if client and begun[client.id] >= self._board.occupancy.slots(client):
                continue
            begun[ticket.client] += 1
            yield ticket

    def _issue(self, now: float, task: Task, client_id: str, host: str, leased: bool) -> Ticket:
        ticket = self._board.issue(now, task, client_id, host, leased)
        self._board.changes.append(TicketIssued(ticket.id, task.number, client_id, host, ticket.program))
        if self.one_each:
            self.one_each.note(ticket)
        return ticket

    def give_back(self, ticket_id: int, client_id: str, reason: str = "") -> bool:
        """Take back a ticket that never reached its client, or was not begun there: as if it had not been issued.

        `reason` tells why an attempt that had begun does not count; nothing is charged then, either. Return False when
        the ticket is not this client's, or no longer out.
        """
        ticket = self._board.tickets.get(ticket_id)
        if not ticket or ticket.state is not TicketState.ISSUED or ticket.client != client_id:
            return False
        task = self._board.tasks[ticket.task]
        ticket.leased = False  # nobody has it, so nobody is to be told
        self._board.expire(ticket, reason or UNBEGUN)
        self._board.detach(task, ticket)
        self._board.settle(task, "")
        return True

    def take_back_unreceived(self, client_id: str, received: int) -> int:
        """Take back the tickets that never reached this client, and return how many they are.

        `received`: the highest ticket that it had when it asked for tasks. Newer ones went with an answer that was
        lost, as its link broke or the master was killed: a client has one such request out at a time, and repeats it.
        Nobody works on them, so without this their tasks would wait for the end of their leases.
        """
        client = self._clients.get(client_id)
        if client is None:
            return 0
        # A ping tells more than a request that was on its way for long, and whose repetition was answered meanwhile.
        client.received = max(client.received, received)
        if client.newest <= client.received:  # almost always: a look through all tickets is too slow for each request
            return 0
        client.newest = client.received
        out = list(self._board.tickets.values())
        lost = [one.id for one in out if one.client == client_id and one.id > client.received]
        return sum(self.give_back(ticket_id, client_id) for ticket_id in lost)

    def note_given_back(self, client_id: str, reason: str) -> None:
        """Tell people that attempts had begun and do not count; once for a host and a reason."""
        client = self._clients.get(client_id)
        host = client.host if client else client_id
        text = f"{host}: {reason}; what ran there meanwhile is run again"
        if text not in self._told_given_back and len(self._told_given_back) < MOST_TOLD:
            self._told_given_back.add(text)
            self._board.notes.append(Note(text, "given_back", host))

    @property
    def offers(self) -> int:
        """The number of idle requests that may find something: waiting tasks, or running ones worth a copy."""
        if self._steering.paused:
            return 0
        found = len(self._board.waiting) or len(self._stragglers)
        limit = self.limits.room(self._clients.now) if self.limits.is_set else None
        return found if limit is None else min(found, limit)

    @property
    def is_scarce(self) -> bool:
        """True when few tasks are offered at a time, although many may wait."""
        return self.limits.is_set or self.grants.is_set or bool(self._board.back_offs.until)

    def may_get(self, client_id: str) -> bool:
        """Tell whether a task would be handed to this client now, if there is one."""
        client = self._clients.get(client_id)
        if client is None:
            return True  # one that did not register: its host is known when it asks
        host = client.host
        if self._steering.withholds(host) or (self.alike.is_watching and self.alike.withholds(host)):
            return False
        if self.grants.is_set and not self.grants.room(client, host):
            return False
        return self._guard.room(self._clients.now, host, self._steering.at_work) != 0

    @property
    def has_moments(self) -> bool:
        """True when something may be handed out although nothing happens, only because time passes."""
        return self._rules.delay > 0 or bool(self._board.back_offs.until)

    @property
    def next_moment(self) -> float | None:
        """The moment at which something may be handed out although nothing happens; None for none."""
        board = self._board
        moments = []
        if board.back_offs.until and (first := board.back_offs.next) is not None:
            moments.append(first)
        if self._rules.delay and (board.waiting or self._stragglers) and self.limits.next_start > self._clients.now:
            moments.append(self.limits.next_start)
        return min(moments, default=None)

    def _room_beside(self, client: Client, load: float) -> int:
        """Return how many more tasks fit beside what others do on this host."""
        out = (t for t in self._board.tickets.values() if t.state is TicketState.ISSUED)
        ours = sum(ticket.host == client.host for ticket in out)
        room = scheduler.room_beside(load, client.cores * self._rules.max_load, self._rules.cores, ours)
        if room > 0:
            self.loaded.discard(client.host)
        elif client.host not in self.loaded:
            self.loaded.add(client.host)
            beside = f"{load:.1f} of {client.cores} cores"
            text = f"{client.host}: loaded by others ({beside}), it gets no work now"
            self._board.notes.append(Note(text, "loaded", client.host))
        return room

    # -- which task

    def _next(self, client_id: str, host: str) -> Task | None:
        """Return the next waiting task for a host, or when none waits a running one worth a copy."""
        board, at_work = self._board, self._steering.at_work
        others = len(at_work) - (host in at_work)
        if board.waiting:
            place = self.longest_first.place_for(self._clients.now, host, board.waiting, board.tasks)
            return scheduler.pick(board.waiting, board.tasks, host, others > 0, place)
        for _ in range(len(self._stragglers)):
            task = board.tasks.get(self._stragglers.popleft())
            if task is None or not self._may_copy(task):
                continue
            live = [board.tickets[number] for number in task.tickets]
            # Without another host, another client on the same one must do.
            if all(t.client != client_id and (t.host != host or not others) for t in live):
                self._note_copy(task)
                return task
            self._stragglers.append(task.number)
        return None

    def find_stragglers(self, now: float) -> None:
        """Look for tasks that take so long that a copy is worth it, once nothing waits."""
        self._stragglers.clear()
        board = self._board
        if self._rules.copies and not board.waiting and not board.more and not board.draining:
            self._stragglers.extend(scheduler.stragglers(self.begun(), now, self.median()))

    def _may_copy(self, task: Task) -> bool:
        """Tell whether one more copy may be handed out: the task runs, and nowhere is a result of it checked.

        An attempt of a client that never pings and has been silent for long does not count as one: nothing else
        than a copy ever brings such a task back.
        """
        live = [self._board.tickets[number] for number in task.tickets]
        heard = sum(ticket.leased or self._clients.now - ticket.word <= UNHEARD for ticket in live)
        return bool(live) and heard <= self._rules.copies and all(t.state is TicketState.ISSUED for t in live)

    def _note_copy(self, task: Task) -> None:
        if not self._has_copied:
            self._has_copied = True
            text = (
                f"no task is waiting, so idle hosts run copies of long ones (the first is task {task.number}); "
                "the first valid result counts. `once: true` forbids it"
            )
            self._board.notes.append(Note(text, "copies"))

    # -- how long attempts take

    def note_accepted(self, now: float, task: Task, ticket: Ticket, wall: float) -> None:
        """Learn from an accepted attempt how long sets take."""
        self.walls.append(wall)
        # A ticket that was restored has no hand-out on this clock: `now` alone would be the uptime of the machine.
        delay = now - ticket.issued - wall if ticket.issued else None
        self.longest_first.samples.note(task.values, ticket.host, wall, delay)

    def order_waiting(self, now: float) -> None:
        """Let the sets that are expected to take longest begin first, where that pays."""
        board, order = self._board, self.longest_first
        if self.one_each or order.samples.mean < SHORT:
            return
        begun = list(self.begun())
        busy = [(board.tasks[ticket.task], self.elapsed(now, ticket), ticket.host) for ticket in begun]
        held = Counter(ticket.client for ticket in begun)
        idle = [
            client.host
            for client in self._clients.present()
            for _ in range(board.occupancy.slots(client) - held[client.id])
        ]
        if self.limits.most is not None:
            idle = idle[: max(0, self.limits.most - len(busy))]
        order.sort(now, board.waiting, board.tasks, busy, idle)

    def elapsed(self, now: float, ticket: Ticket) -> float:
        """Return the seconds for which a ticket has had its slot: at least that, where it was restored.

        An earlier master handed a restored ticket out. It has run for as long as its client is known here.
        """
        client = self._clients.get(ticket.client)
        known = client.since if client else now
        return max(0.0, now - (ticket.begun or ticket.issued or known))

    def median(self) -> float:
        """Return the median seconds of accepted attempts; 0 while fewer than five are known."""
        return statistics.median(self.walls) if len(self.walls) >= MEDIAN_NEEDS else 0.0

    def timeout(self) -> float:
        """Return the seconds that an attempt may take now; 0 for no limit."""
        timeout = self._rules.timeout
        return timeout.factor * self.median() if isinstance(timeout, Times) else timeout

"""The threads that talk with the master: one asks for tasks, one pings, one listens. Bringing results is sending.py's.

Each has a connection of its own. They decide nothing about programs: they tell the loop, in its own thread.
"""

import random
import time
from typing import Callable, Dict, List, Optional

from .. import exits, log
from ..host.anchor import words
from ..host.originals import COPY, LARGE, Changed, Original
from ..task.attempt import Attempt, CannotRun
from ..task.directory import prepare
from ..wire import task_record
from ..wire.lease import clock
from ..wire.master import Line, Query, Reply
from .load import disk_used, memory_used, system_load
from .renewal import Renewal
from .talker import Talker
from .tickets import Tickets

WAIT = 30  # seconds that the master may hold a request for tasks; while nothing is ours it is the only one
HOLD = 30  # seconds that the master may hold a request to be called back by
POLL, A_MOMENT = 1.0, "0.01"  # seconds between requests that are not to be held; and how long they may be
ASK_AGAIN = 2.0  # seconds, after "no task left" while we still have some
GATHER, PAUSE = 0.2, 1.0  # seconds in which new tickets gather for one ping; between two such pings
TICKETS_A_PING = 100


Fetch = Callable[[Line], None]  # of the orders that the master says it has


class Asker(Talker):
    """Asks for as many tasks as there are free slots, and fetches the files that they share."""

    def __init__(self, tickets: Tickets, renewal: Renewal, fetch: Fetch) -> None:
        super().__init__(tickets)
        self._renewal, self._fetch = renewal, fetch
        self.line.before = self.wait_for_trust

    def talk(self) -> None:
        over = False
        while self.tickets.over is None:
            (count, ahead), asked = self.tickets.room.wait(), clock()
            wait = 0 if over or ahead == count else WAIT  # with work for every slot there is nothing to wait for
            wait = wait if self.tickets.holds else 0
            reply = self.line.ask("/task", self._query(count, ahead, wait), timeout=WAIT + 30.0)
            fetch_orders(reply, self.line, self._fetch)
            over = reply.status == 503 and reply.headers.get("Retry-After") is None
            if reply.status == 200:
                self._take(reply, asked)
            elif reply.status != 503:
                raise exits.Ending(exits.OTHER, "the master answers %d to /task: %s" % (reply.status, reply.text))
            elif over:
                if self._nothing_more():
                    return
            elif ahead == count:
                self.tickets.room.refuse()
            else:
                self._rest(reply)

    def _query(self, count: int, ahead: int, wait: int) -> Query:
        query: Query = [("count", count), ("wait", wait), ("extra", 1), ("files", "sha256")]
        if ahead:
            query.append(("ahead", ahead))
        query += host_facts(self.tickets)
        return [("worker", self.tickets.worker_name), *query] if self.tickets.worker_name else query

    def _rest(self, reply: Reply) -> None:
        seconds = _number(reply.headers.get("Retry-After"), 1.0)
        self.tickets.master.stopping.wait(max(0.05, seconds * random.uniform(1.0, 1.25)))

    def _nothing_more(self) -> bool:
        """The sweep is over. What we still have may be other hosts' by now: the ping will tell."""
        if not self.tickets.held:
            self.tickets.tell("end", exits.Ending(exits.OK, "the sweep is over"))
            return True
        self.tickets.told_over()
        self.tickets.room.nothing_held.wait(ASK_AGAIN)
        return False

    def _take(self, reply: Reply, asked: float) -> None:
        try:
            tasks = task_record.parse_tasks(reply.body)
        except task_record.BadRecord as fault:
            raise exits.Ending(exits.OTHER, "the master's task record cannot be read: %s" % fault)
        attempts = [Attempt(task, self.tickets.base) for task in tasks if task.ticket not in self.tickets.held]
        attempts = self._within_limit(attempts)
        self.tickets.hold(attempts, asked)
        for attempt in attempts:
            self._prepare(attempt)
            if attempt.originals:  # it need not wait for the files of the next one
                self.tickets.tell("begin", [attempt])
        self.tickets.tell("begin", [one for one in attempts if not one.originals])

    def _within_limit(self, attempts: List[Attempt]) -> List[Attempt]:
        """Return as many attempts as have room here if each has files of its own, and give back the others."""
        largest = max([_shared_bytes(one) for one in attempts] or [0])
        if not largest:
            return attempts
        most = self._renewal.files.limit // largest
        self.tickets.pace.limit(most)
        self.tickets.room.change(0, 0, self.tickets.pace.ahead())
        most = max(most, self.tickets.room.slots)
        if len(attempts) > most:
            Returner(self.tickets, attempts[most:]).start()
        return attempts[:most]

    def _prepare(self, attempt: Attempt) -> None:
        """Fetch what a task shares, and make its directory where that takes long; else its hand does so later."""
        renewal = self._renewal
        attempt.is_suspect = renewal.is_suspect(attempt.task)
        try:
            if attempt.task.inputs:
                attempt.originals = self._originals(attempt)
            if attempt.is_suspect or any(map(_takes_long, [*attempt.originals.values(), renewal.original])):
                prepare(attempt, renewal.original)
        except CannotRun as fault:
            attempt.reason = str(fault)
        except Changed:  # the hand will find the same, and say so
            return

    def _originals(self, attempt: Attempt) -> Dict[str, Original]:
        files = self._renewal.files
        try:
            return {one.sha256: files.have(self.line, one.sha256) for one in attempt.task.inputs if one.sha256}
        except OSError as fault:
            raise CannotRun("an input file cannot be had: %s" % words(fault))


class Pinger(Talker):
    """Says that we still work on our tickets, and hears which of them have expired."""

    def __init__(self, tickets: Tickets, every: float) -> None:
        super().__init__(tickets)
        self.every = every

    def talk(self) -> None:
        began = -PAUSE
        while self.every > 0:
            if self.tickets.ping_now.wait(self.every):
                self.tickets.ping_now.clear()
                self.tickets.master.stopping.wait(min(max(GATHER, began + PAUSE - clock()), self.every / 2))
            began, tickets = clock(), sorted(self.tickets.held)
            for at in range(0, len(tickets), TICKETS_A_PING):
                self._ping(tickets[at : at + TICKETS_A_PING])
            self.tickets.tell("go on", began)

    def _ping(self, tickets: List[int]) -> None:
        reply = self.line.ask("/ping", [("ticket", one) for one in tickets])
        if reply.status != 205:
            return
        expired = _tickets(reply.headers.get("Expired"))
        if expired is None and len(tickets) > 1:  # a master that does not say which: ask one by one
            for one in tickets:
                self._ping([one])
            return
        for one in tickets if expired is None else expired:
            self.tickets.tell("drop", one)


class Listener(Talker):
    """Holds one request open while we have tickets, so that one called back is heard of at once.

    Who has none is reached by its request for tasks: ten thousand idle clients should cost a master one each.
    """

    def __init__(self, tickets: Tickets, every: float, fetch: Fetch) -> None:
        super().__init__(tickets)
        self.every, self._fetch = every, fetch

    def talk(self) -> None:
        while self.every > 0:
            self.tickets.room.something_held.wait()
            began = time.monotonic()
            query: Query = [("wait", HOLD if self.tickets.holds else A_MOMENT), *host_facts(self.tickets)]
            reply = self.line.ask("/ping", query, timeout=HOLD + 30.0)
            fetch_orders(reply, self.line, self._fetch)
            for ticket in (_tickets(reply.headers.get("Expired")) or []) if reply.status == 205 else []:
                self.tickets.tell("drop", ticket)
            if reply.headers.get("Idle"):
                self.tickets.tell("give back", int(_number(reply.headers.get("Idle"), 0.0)))
            elif not self.tickets.holds:
                self.tickets.master.stopping.wait(POLL)
            elif reply.status == 204 and not reply.headers.get("Orders") and time.monotonic() - began < 1.0:
                self.tickets.master.stopping.wait(self.every)  # a master that does not hold: ask less often


class Returner(Talker):
    """Tells the master once of tickets that will not begin here, or whose attempts do not count."""

    def __init__(self, tickets: Tickets, given: List[Attempt], reason: str = "") -> None:
        """`reason`: why their attempts do not count, when their programs had begun."""
        super().__init__(tickets)
        self.given, self.reason = given, reason

    def talk(self) -> None:
        query: Query = [("ticket", one.task.ticket) for one in self.given]
        if query:
            self.line.ask("/back", [*query, ("reason", self.reason)] if self.reason else query)
        for one in self.given:
            one.clear()
        self.line.close()


def _shared_bytes(attempt: Attempt) -> int:
    return sum(max(0, one.length) for one in attempt.task.inputs if one.sha256)


def _takes_long(original: Optional[Original]) -> bool:
    """Tell whether each task gets a copy of it, and it is large."""
    return original is not None and original.how == COPY and original.size >= LARGE


def _tickets(header: Optional[str]) -> Optional[List[int]]:
    if header is None:
        return None
    return [int(word) for word in header.replace(",", " ").split() if word.isdigit()]


def _number(text: Optional[str], otherwise: float) -> float:
    try:
        return max(0.0, float(text or ""))
    except ValueError:
        log.say("Retry-After: %r is not a number of seconds" % text)
        return otherwise


def host_facts(tickets: Tickets) -> Query:
    """How this host is, as far as the system tells."""
    told = {
        "load": tickets.load.of_others(system_load()),
        "memory": memory_used(),
        "disk": disk_used(tickets.base),
    }
    return [(name, "%.2f" % value) for name, value in told.items() if value is not None]


def fetch_orders(reply: Reply, line: Line, fetch: Fetch) -> None:
    """Fetch orders when the master says that there are some."""
    if reply.headers.get("Orders"):
        fetch(line)

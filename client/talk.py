"""The threads that talk with the master: one asks for tasks, a few bring results, one pings, one listens.

Each has a connection of its own. They decide nothing about programs: they tell the loop, in its own thread.
"""

import queue
import random
import threading
import time
from typing import TYPE_CHECKING, Dict, List, Optional

from . import ends, log, record
from .cache import Files
from .delivery import deliver
from .load import system_load
from .slot import Attempt, CannotRun
from .trust import Trust, clock
from .wire import Query, Reply, Stopping

if TYPE_CHECKING:
    from .loop import Loop

WAIT = 20  # seconds that the master may hold a request for tasks
HOLD = 30  # seconds that the master may hold a request to be called back by
ASK_AGAIN = 2.0  # seconds, after "no task left" while we still have some
GATHER = 0.2  # seconds in which new tickets gather for one ping
MOST_SENDERS = 8
TICKETS_A_PING = 100


class NotWanted(Exception):
    """What is being brought to the master was called back."""


class Talker(threading.Thread):
    """A thread whose end with an error is the end of the client."""

    def __init__(self, loop: "Loop") -> None:
        super().__init__(daemon=True)
        self.loop = loop
        self.line = loop.master.line()

    def run(self) -> None:
        try:
            self.talk()
        except Stopping:
            return
        except ends.Ending as ending:
            self.loop.post(self.loop.end, ending)
        except BaseException:
            self.loop.post(self.loop.end, ends.unforeseen())

    def talk(self) -> None:
        """What this thread does until the client ends."""
        raise NotImplementedError

    def wait_for_trust(self) -> None:
        """After a long silence, wait until the master has said what still counts."""
        self.loop.pinger.trust.wait(self.loop.master.stopping)


class Asker(Talker):
    """Asks for as many tasks as there are free slots, and prepares their directories."""

    def __init__(self, loop: "Loop", files: Files) -> None:
        super().__init__(loop)
        self.files = files
        self.line.before = self.wait_for_trust

    def talk(self) -> None:
        over = False
        while True:
            count, asked = self.loop.room.wait(), clock()
            reply = self.line.ask("/task", self._query(count, 0 if over else WAIT), timeout=WAIT + 30.0)
            over = reply.status == 503 and reply.headers.get("Retry-After") is None
            if reply.status == 200:
                self._take(reply, asked)
            elif reply.status != 503:
                raise ends.Ending(ends.OTHER, "the master answers %d to /task: %s" % (reply.status, reply.text))
            elif not over:
                self._rest(reply)
            elif self._nothing_more():
                return

    def _query(self, count: int, wait: int) -> Query:
        query: Query = [("count", count), ("wait", wait), ("extra", 1), ("files", "sha256")]
        load = self.loop.load.of_others(system_load())
        if load is not None:
            query.append(("load", "%.2f" % load))
        return [("worker", self.loop.worker_name), *query] if self.loop.worker_name else query

    def _rest(self, reply: Reply) -> None:
        seconds = _number(reply.headers.get("Retry-After"), 1.0)
        self.loop.master.stopping.wait(max(0.05, seconds * random.uniform(1.0, 1.25)))

    def _nothing_more(self) -> bool:
        """The sweep is over. What we still have may be other hosts' by now: the ping will tell."""
        if not self.loop.held:
            self.loop.post(self.loop.end, ends.Ending(ends.OK, "the sweep is over"))
            return True
        self.loop.told_over()
        self.loop.room.nothing_held.wait(ASK_AGAIN)
        return False

    def _take(self, reply: Reply, asked: float) -> None:
        try:
            tasks = record.parse_tasks(reply.body)
        except record.BadRecord as fault:
            raise ends.Ending(ends.OTHER, "the master's task record cannot be read: %s" % fault)
        attempts = [Attempt(task, self.loop.base) for task in tasks if task.ticket not in self.loop.held]
        self.loop.hold(attempts, asked)
        for attempt in attempts:
            self._prepare(attempt)

    def _prepare(self, attempt: Attempt) -> None:
        try:
            attempt.prepare(self.loop.worker_path, self._shared(attempt))
        except CannotRun as fault:
            attempt.reason = str(fault)
        self.loop.post(self.loop.begin, attempt)

    def _shared(self, attempt: Attempt) -> Dict[str, str]:
        sums = [one.sha256 for one in attempt.task.inputs if one.sha256]
        try:
            return {one: self.files.have(self.line, one) for one in sums}
        except OSError as fault:
            raise CannotRun("an input file cannot be had: %s" % fault)


class Senders:
    """Bring results. As many threads as are needed at once, so that a large one holds up no small ones."""

    def __init__(self, loop: "Loop", max_result: int) -> None:
        self.loop, self.max_result = loop, max_result
        self.waiting: "queue.Queue[Attempt]" = queue.Queue()
        self.idle = 0
        self._threads: List[Sender] = []
        self._lock = threading.Lock()

    def put(self, attempt: Attempt) -> None:
        """To be delivered, or only cleared away when it was dropped."""
        with self._lock:
            self.waiting.put(attempt)
            if self.idle < self.waiting.qsize() and len(self._threads) < MOST_SENDERS:
                sender = Sender(self.loop, self)
                try:
                    sender.start()
                except RuntimeError:  # no memory for one more: those that there are go on
                    if not self._threads:
                        raise
                else:
                    self._threads.append(sender)

    def get(self) -> Attempt:
        """The next one, when there is one."""
        with self._lock:
            self.idle += 1
        attempt = self.waiting.get()
        with self._lock:
            self.idle -= 1
        return attempt


class Sender(Talker):
    """One of the threads of Senders."""

    def __init__(self, loop: "Loop", senders: Senders) -> None:
        super().__init__(loop)
        self.senders = senders
        self.attempt: Optional[Attempt] = None
        self.line.before = self._check

    def talk(self) -> None:
        while True:
            attempt = self.attempt = self.senders.get()
            try:
                if not attempt.dropped:
                    deliver(self.line, attempt, self.senders.max_result)
            except NotWanted:
                log.say("ticket %d: called back, dropped" % attempt.task.ticket)
            attempt.clear()
            self.loop.release(attempt)

    def _check(self) -> None:
        """Before each try, also after one that a cut link or a sleep broke off."""
        self.wait_for_trust()
        if self.attempt is not None and self.attempt.dropped:
            raise NotWanted()


class Pinger(Talker):
    """Says that we still work on our tickets, and hears which of them have expired."""

    def __init__(self, loop: "Loop", every: float) -> None:
        super().__init__(loop)
        self.every = every
        self.now = threading.Event()  # set: something changed, do not wait for the next round
        self.trust = Trust(every, self.now.set)

    def talk(self) -> None:
        while self.every > 0:
            if self.now.wait(self.every):
                self.now.clear()
                self.loop.master.stopping.wait(min(GATHER, self.every / 2))
            began, tickets = clock(), sorted(self.loop.held)
            for at in range(0, len(tickets), TICKETS_A_PING):
                self._ping(tickets[at : at + TICKETS_A_PING])
            self.loop.post(self.loop.go_on, began)

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
            self.loop.post(self.loop.drop, one)


class Listener(Talker):
    """Holds one request open, so that a ticket called back is heard of at once."""

    def __init__(self, loop: "Loop", every: float) -> None:
        super().__init__(loop)
        self.every = every

    def talk(self) -> None:
        while self.every > 0:
            began = time.monotonic()
            reply = self.line.ask("/ping", [("wait", HOLD)], timeout=HOLD + 30.0)
            for ticket in (_tickets(reply.headers.get("Expired")) or []) if reply.status == 205 else []:
                self.loop.post(self.loop.drop, ticket)
            if reply.status != 205 and time.monotonic() - began < 1.0:  # a master that does not hold: ask less often
                self.loop.master.stopping.wait(self.every)


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

"""The thread that asks the master for tasks, and fetches the files that tasks share."""

import random
from typing import Dict, List, Optional

from .. import exits
from ..host.anchor import words
from ..shared.originals import COPY, LARGE, Changed, Original
from ..task.attempt import Attempt, CannotRun
from ..task.directory import prepare
from ..wire import task_record
from ..wire.lease import clock
from ..wire.master import Query
from ..wire.reply import Reply
from .pinging import FetchOrders, fetch_orders, number_in
from .recall import Returner
from .renewal import OriginalRenewal
from .talker import HeldTalker, Shared

# Seconds that the master may hold a request for tasks. A client has only one of these out.
WAIT = 30
ASK_AGAIN = 2.0  # seconds between requests when no task is left but some are still held
OVER_GRACE = 10.0  # seconds of silence after which a master that said the sweep is over is gone


class Asker(HeldTalker):
    """The thread that asks for as many tasks as there are free slots, and fetches shared files."""

    def __init__(self, shared: Shared, renewal: OriginalRenewal, fetch: FetchOrders) -> None:
        super().__init__(shared)
        self._renewal, self._fetch = renewal, fetch
        self._demand, self._prefetch = shared.demand, shared.prefetch
        # The highest ticket that has come: the master takes back newer ones, whose answer was lost.
        self._got = 0

    def before_request(self) -> None:
        """Wait until the lease holds.

        A master that has given our tickets to other hosts must not give us more before we know.
        """
        self.wait_for_lease()

    def talk(self) -> None:
        is_over = False
        while self.tickets.ending is None:
            count, ahead = self._demand.wait()
            asked = clock()
            is_only_ahead = ahead == count
            # With work for every slot there is nothing to wait for: the request is for later tasks.
            can_wait = self.shared.may_hold and not is_over and not is_only_ahead
            query = self._query(count, ahead, WAIT if can_wait else 0)
            reply = self.connection.ask("/task", query, timeout=WAIT + 30.0)
            fetch_orders(reply, self.connection, self._fetch)
            self.hear_bound(reply)
            is_over = reply.status == 503 and reply.headers.get("Retry-After") is None
            if reply.status == 200:
                self._take(reply, asked)
            elif reply.status != 503:
                text = "the master answers %d to /task: %s" % (reply.status, reply.text)
                raise exits.Ending(exits.OTHER, text)
            elif not is_over:
                self._rest(reply, is_only_ahead)
            elif self._is_all_done():
                return

    def _query(self, count: int, ahead: int, wait: int) -> Query:
        query: Query = [("count", count), ("wait", wait), ("extra", 1)]
        query += [("files", "sha256"), ("archives", "tar"), ("results", "many"), ("got", self._got)]
        if ahead:
            query.append(("ahead", ahead))
        query += self.shared.load.told(self.shared.base) + self.shared.bound.words
        if self.shared.worker_name:
            query.insert(0, ("worker", self.shared.worker_name))
        return query

    def _rest(self, reply: Reply, is_only_ahead: bool) -> None:
        """Wait before the next request: as long as the master says, or for a free slot."""
        if is_only_ahead:
            self._demand.refuse()
            return
        seconds = number_in(reply.headers.get("Retry-After"), 1.0)
        # With jitter, or clients that were refused together would come back together.
        self.master.stopping.wait(max(0.05, seconds * random.uniform(1.0, 1.25)))

    def _is_all_done(self) -> bool:
        """End the client when the sweep is over and no ticket is left; else have the rest checked.

        Other hosts may have done the tasks that are left here: a ping will tell. A master that is
        about to end need not be waited for: the grace time becomes short.
        """
        if not self.tickets.held:
            self.inbox.tell("end", exits.Ending(exits.OK, "the sweep is over"))
            return True
        self.master.shorten_grace(OVER_GRACE)
        self.shared.lease.request_renewal()
        self._demand.nothing_held.wait(ASK_AGAIN)
        return False

    def _take(self, reply: Reply, asked: float) -> None:
        """Hold the tickets of an answer, and make their attempts ready.

        `asked`: when the request began.
        """
        try:
            tasks = task_record.parse_tasks(reply.body)
        except task_record.BadRecord as fault:
            raise exits.Ending(exits.OTHER, "the master's task record cannot be read: %s" % fault)
        self._got = max([self._got, *(task.ticket for task in tasks)])
        base, held = self.shared.base, self.tickets.held
        attempts = [Attempt(task, base) for task in tasks if task.ticket not in held]
        attempts = self._within_limit(attempts)
        # Held before their files are fetched, which may take minutes: the pings must name them.
        self.tickets.hold(attempts, asked)
        for attempt in attempts:
            self._prepare(attempt)
            if attempt.originals:  # an attempt does not wait for the files of the next one
                self.inbox.tell("ready", [attempt])
        self.inbox.tell("ready", [one for one in attempts if not one.originals])

    def _within_limit(self, attempts: List[Attempt]) -> List[Attempt]:
        """Return as many attempts as the disk has room for. The others go back to the master.

        Each attempt counts as if none of its shared files were those of another one.
        """
        largest = max([_shared_bytes(one) for one in attempts] or [0])
        if not largest:
            return attempts
        most = self._renewal.files.limit // largest
        self._prefetch.limit(most)
        self._demand.change(0, 0, self._prefetch.ahead())
        most = max(most, self._demand.slots)
        if len(attempts) > most:
            Returner(self.shared, attempts[most:]).start()
        return attempts[:most]

    def _prepare(self, attempt: Attempt) -> None:
        """Fetch what a task shares, and make its directory where that takes long.

        A hand makes the other directories while programs run: it could run nothing during a long
        copy.
        """
        renewal = self._renewal
        attempt.is_suspect = renewal.is_suspect(attempt.task)
        try:
            if attempt.task.inputs:
                attempt.originals = self._originals(attempt)
            originals = [*attempt.originals.values(), renewal.original]
            if attempt.is_suspect or any(map(_takes_long, originals)):
                prepare(attempt, renewal.original)
        except CannotRun as fault:
            attempt.reason = str(fault)
        except Changed:  # the hand will find the same, and report it
            return

    def _originals(self, attempt: Attempt) -> Dict[str, Original]:
        """Return the originals of the inputs that a task shares with others, by their checksums."""
        files = self._renewal.files
        try:
            wanted = [one.key for one in attempt.task.inputs if one.key]
            return {key: files.have(self.connection, key) for key in wanted}
        except OSError as fault:
            raise CannotRun("an input file cannot be had: %s" % words(fault))


def _shared_bytes(attempt: Attempt) -> int:
    return sum(max(0, one.length) for one in attempt.task.inputs if one.sha256)


def _takes_long(original: Optional[Original]) -> bool:
    """Tell whether each task gets a copy of this original, and the original is large."""
    return original is not None and original.how == COPY and original.size >= LARGE

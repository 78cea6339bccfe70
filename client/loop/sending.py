"""Bringing results to the master: small ones in batches, large ones in requests of their own.

A batch is what has gathered since the last one. So batches grow under load by themselves; with
nothing to wait for, a result goes at once and alone.
"""

import queue
import threading
from collections import deque
from typing import Deque, List

from .. import log
from ..task.attempt import SHORT, Attempt
from ..task.delivery import deliver, deliver_together
from ..task.kept import bring_files, is_called_back
from ..task.settings import Settings
from .talker import Shared, Talker

MOST_SINGLE = 8  # senders of large results
# Limits of one batch: the master reads all of it before it answers.
MOST_TOGETHER = 500  # attempts
MOST_PARTS = 5000
MOST_BYTES = 1 << 20


class NotWanted(Exception):
    """Raised when the master has called back what is being brought to it."""


class Senders:
    """The queues of attempts that have ended, and the threads that deliver them.

    Large results have as many threads as they need, up to MOST_SINGLE, so that none holds up
    others. They live as long as the client.
    """

    def __init__(self, shared: Shared, settings: Settings) -> None:
        self.settings, self._shared = settings, shared
        self.waiting: "queue.Queue[Attempt]" = queue.Queue()
        self.idle = 0
        self._threads: List[Sender] = []
        self._lock = threading.Lock()
        self._batches = Batches(shared, self) if settings.together else None
        if self._batches:
            self._batches.start()

    def put(self, attempt: Attempt) -> None:
        """Queue an attempt for delivery; one that was dropped is only cleared away."""
        if self._batches and (attempt.packed or attempt.dropped):
            self._batches.put(attempt)
        else:
            self.put_single(attempt)

    def put_single(self, attempt: Attempt) -> None:
        """Queue an attempt for delivery in a request of its own."""
        with self._lock:
            self.waiting.put(attempt)
            if self.idle < self.waiting.qsize() and len(self._threads) < MOST_SINGLE:
                self._add_sender(Sender(self._shared, self))

    def _add_sender(self, sender: "Sender") -> None:
        try:
            sender.start()
        except RuntimeError:  # no memory for one more: the others deliver it later
            if not self._threads:
                raise
        else:
            self._threads.append(sender)

    def get(self) -> Attempt:
        """Wait for the next attempt to deliver alone, and return it."""
        with self._lock:
            self.idle += 1
        attempt = self.waiting.get()
        with self._lock:
            self.idle -= 1
        return attempt

    def finish(self, attempts: List[Attempt]) -> None:
        """Clear away what is left of attempts that are delivered or dropped, and forget them."""
        for attempt in attempts:
            attempt.clear()
        self._shared.tickets.release(attempts)


class Sender(Talker):
    """A thread that delivers one result after the other."""

    def __init__(self, shared: Shared, senders: Senders) -> None:
        super().__init__(shared)
        self.senders = senders
        self.attempts: List[Attempt] = []  # the ones that are being delivered

    def talk(self) -> None:
        while True:
            attempt = self.senders.get()
            self.attempts = [attempt]
            try:
                if attempt.keep_files:  # its report went with a batch
                    bring_files(self.connection, attempt, self.senders.settings)
                elif not attempt.dropped:
                    deliver(self.connection, attempt, self.senders.settings)
            except NotWanted:
                log.say("ticket %d: the master called it back" % attempt.task.ticket)
            self.senders.finish([attempt])

    def before_request(self) -> None:
        """Check that what is being delivered is still wanted.

        It is asked again before each repeat, as a cut link or a sleep may have taken long.
        """
        self.wait_for_lease()
        if any(is_called_back(attempt) for attempt in self.attempts):
            raise NotWanted()


class Batches(Sender):
    """The thread for small results: what has gathered while it was busy goes in one request."""

    def __init__(self, shared: Shared, senders: Senders) -> None:
        super().__init__(shared, senders)
        self._waiting: Deque[Attempt] = deque()
        self._came = threading.Condition()

    def put(self, attempt: Attempt) -> None:
        """Queue an attempt for the next batch."""
        with self._came:
            self._waiting.append(attempt)
            if len(self._waiting) == 1:  # else the thread is busy, and takes it with the others
                self._came.notify()

    def talk(self) -> None:
        while True:
            self._bring(self._gathered())

    def _gathered(self) -> List[Attempt]:
        with self._came:
            while not self._waiting:
                self._came.wait()
        # More short tasks end within this moment: one request for all costs each of them less.
        # With nothing else at work it would only delay the result.
        if self.shared.prefetch.is_quick() and self.tickets.is_busy():
            self.master.stopping.wait(SHORT)
        return self._batch()

    def _batch(self) -> List[Attempt]:
        batch: List[Attempt] = []
        parts = size = 0
        while self._waiting and len(batch) < MOST_TOGETHER:
            attempt = self._waiting.popleft()
            batch.append(attempt)
            packed = attempt.packed or []
            parts += len(packed)
            size += sum(len(content) for _, content in packed)
            if parts >= MOST_PARTS or size >= MOST_BYTES:
                break
        return batch

    def _bring(self, attempts: List[Attempt]) -> None:
        """Deliver a batch. If the master does not take it together, its results go one by one.

        What was called back goes nowhere.
        """
        alone: List[Attempt] = []
        if not self._are_taken(attempts):
            alone = self.attempts
        alone += [one for one in attempts if one.keep_files]
        self.senders.finish([one for one in attempts if one not in alone])
        for one in alone:
            self.senders.put_single(one)

    def _are_taken(self, attempts: List[Attempt]) -> bool:
        """Tell whether the master took all that is still wanted in one request."""
        while True:
            self.attempts = [one for one in attempts if not one.dropped]
            try:
                return deliver_together(self.connection, self.attempts)
            except NotWanted:
                log.say("the master called back some of %d results" % len(attempts))

"""Bringing results: small ones in batches, as many as have gathered since the last; large ones on lines of their own.

Under load the batches grow by themselves; with nothing to wait for, a result goes at once and alone.
"""

import queue
import threading
from collections import deque
from typing import Deque, List

from .. import log
from ..task.attempt import SHORT, Attempt
from ..task.delivery import deliver, deliver_together
from ..task.settings import Settings
from .talker import Shared, Talker

MOST_SINGLE = 8  # senders of large results
MOST_TOGETHER, MOST_PARTS, MOST_BYTES = 500, 5000, 1 << 20  # attempts, parts, bytes of a batch


class NotWanted(Exception):
    """What is being brought to the master was called back."""


class Senders:
    """Where what has ended is put. Large ones have as many threads as are needed, so that none holds up others."""

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
        """To be delivered, or only cleared away when it was dropped."""
        if self._batches and (attempt.packed or attempt.dropped):
            self._batches.put(attempt)
        else:
            self.put_single(attempt)

    def put_single(self, attempt: Attempt) -> None:
        """To be delivered in a request of its own."""
        with self._lock:
            self.waiting.put(attempt)
            if self.idle < self.waiting.qsize() and len(self._threads) < MOST_SINGLE:
                self._one_more(Sender(self._shared, self))

    def _one_more(self, sender: "Sender") -> None:
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

    def finish(self, attempts: List[Attempt]) -> None:
        """Nothing of them is needed here any more."""
        for attempt in attempts:
            attempt.clear()
        self._shared.tickets.release(attempts)


class Sender(Talker):
    """One of the threads of Senders, for one result after the other."""

    def __init__(self, shared: Shared, senders: Senders) -> None:
        super().__init__(shared)
        self.senders = senders
        self.attempts: List[Attempt] = []  # what is being brought

    def talk(self) -> None:
        while True:
            attempt = self.senders.get()
            self.attempts = [attempt]
            try:
                if not attempt.dropped:
                    deliver(self.line, attempt, self.senders.settings)
            except NotWanted:
                log.say("ticket %d: called back, dropped" % attempt.task.ticket)
            self.senders.finish([attempt])

    def before_request(self) -> None:
        """Before each try, also after one that a cut link or a sleep broke off."""
        self.wait_for_lease()
        if any(attempt.dropped for attempt in self.attempts):
            raise NotWanted()


class Batches(Sender):
    """The thread for small results: what has gathered while it was busy goes in one request."""

    def __init__(self, shared: Shared, senders: Senders) -> None:
        super().__init__(shared, senders)
        self._waiting: Deque[Attempt] = deque()
        self._came = threading.Condition()

    def put(self, attempt: Attempt) -> None:
        """To go with the next batch."""
        with self._came:
            self._waiting.append(attempt)
            if len(self._waiting) == 1:
                self._came.notify()

    def talk(self) -> None:
        while True:
            self._bring(self._gathered())

    def _gathered(self) -> List[Attempt]:
        with self._came:
            while not self._waiting:
                self._came.wait()
        if self.shared.prefetch.is_quick() and self.tickets.is_busy():
            self.master.stopping.wait(SHORT)
        return self._batch()

    def _batch(self) -> List[Attempt]:
        batch: List[Attempt] = []
        parts = size = 0
        while self._waiting and len(batch) < MOST_TOGETHER and parts < MOST_PARTS and size < MOST_BYTES:
            batch.append(self._waiting.popleft())
            parts += len(batch[-1].packed or [])
            size += sum(len(content) for _, content in batch[-1].packed or [])
        return batch

    def _bring(self, attempts: List[Attempt]) -> None:
        """If the master does not take them together, they go one by one; what was called back, nowhere."""
        taken = False
        while not taken:
            self.attempts = [one for one in attempts if not one.dropped]
            try:
                taken = deliver_together(self.line, self.attempts)
                break
            except NotWanted:
                log.say("of %d results some were called back" % len(attempts))
        alone = [] if taken else self.attempts
        self.senders.finish([one for one in attempts if one not in alone])
        for one in alone:
            self.senders.put_single(one)

"""THE CLIENT'S LOOP: the table of contents of what a client does once it has registered.

Programs are started, waited for and ended by its hands (hand.py), each a process. Threads bring
tasks in (asking.py) and results out (sending.py). Threads, hands and signals put events into one
inbox; the loop, which is the main thread, handles them one by one.
"""

import os
import time
from typing import Any, Callable, Dict, Sequence

from .. import exits
from ..hand.children import Children
from ..task.kept import is_called_back
from ..wire.goodbye import give_back
from ..wire.lease import SharedTime
from .attempts import AttemptPipeline
from .hands import END_TIME, Hands
from .renewal import OriginalRenewal
from .talker import HeldTalker, Shared, Talker

LONGEST_WAIT = 2.0  # seconds between two looks at hands and guard
LAST_RESULTS = 5.0  # seconds for results that are ready when the client ends
HASTE = 1.0  # the same where the host shuts down: a KILL is near
LAST_WORDS = 2.0  # seconds for answers to questions about what ran here


Handler = Callable[[Any], object]


class Loop:
    """The loop of one client.

    It keeps the slots busy until the sweep is over, the master is gone, or a signal comes.
    """

    def __init__(
        self,
        shared: Shared,
        hands: Hands,
        attempts: AttemptPipeline,
        renewal: OriginalRenewal,
        is_answering: Callable[[], bool],
        host_ends: SharedTime,
    ) -> None:
        """Connect the parts. `is_answering` tells whether answers to people are on their way.

        `host_ends` is set when the host shuts down.
        """
        self.inbox, self.tickets, self.lease = shared.inbox, shared.tickets, shared.lease
        self.shared, self.hands, self.attempts = shared, hands, attempts
        self.is_answering, self.host_ends = is_answering, host_ends
        self._is_unsure = False  # a hand waits for a word of the master before it begins anything
        self._parent = os.getppid()
        self._handlers = self._table(attempts, renewal)

    def _table(self, attempts: AttemptPipeline, renewal: OriginalRenewal) -> Dict[str, Handler]:
        """Return what is done for each event. inbox.py and channel.py say who tells it."""
        return {
            # from threads and signals
            "ready": attempts.add_ready,
            "expired": attempts.drop,
            "confirmed": self.renew_lease,
            "give back": attempts.return_unbegun,
            "renewed": renewal.end,
            "watch": attempts.watch,
            "signal": lambda which: self.hands.tell("signal", which),
            "bound": attempts.follow,
            "end": self.end,
            "got signal": self.hear_signal,
            # from hands
            "done": attempts.hear_done,
            "ended": attempts.hear_ended,
            "unbegun": attempts.hear_unbegun,
            "back": attempts.hear_back,
            "bounded": attempts.hear_bounded,
            "unsure": self.hear_unsure,
            "watched": attempts.hear_watched,
            "changed": renewal.begin,
            "here": lambda _: None,
            "told to end": self.end_with_host,
            "fault": lambda why: self.end(exits.Ending(*why)),
            "killed": lambda why: self.end(exits.Killed(*why)),
        }

    def run(
        self, asker: HeldTalker, others: Sequence[Talker], ready: Callable[[], None] = lambda: None
    ) -> exits.Ending:
        """Start these threads, work until there is a reason to end, and return that reason.

        `ready` is called when all have started, and before any task comes, which may kill all that
        is ours, the foreground too.
        """
        self.inbox.hear_signals()
        for thread in [*others, asker]:
            thread.start()
        ready()
        asker.release()
        try:
            while self.tickets.ending is None:
                self.wait()
                self.handle_events()
                self.attempts.feed_hands()
                self.attempts.note_begun()
        finally:
            self.stop()
            asker.hang_up()  # or the master might give out tasks to a client that is gone
        return self.tickets.ending

    # -- the steps

    def wait(self) -> None:
        """Wait for an event, at most LONGEST_WAIT seconds. Then look whether guard and hands live."""
        self.shared.load.note(min(len(self.tickets.working), self.shared.demand.slots))
        self.inbox.wait(LONGEST_WAIT, self.hands.channels)
        self._is_unguarded()
        self.hands.kill_silent(time.monotonic())

    def handle_events(self) -> None:
        """Do what the table above says for each event that has come."""
        self.inbox.add(self.hands.receive())
        for name, argument in self.inbox.events():
            self._handlers[name](argument)

    def stop(self) -> None:
        """End all programs; give results that are ready a moment to reach the master."""
        held = dict(self.tickets.held)  # as it is now: what is dropped below is cleared away
        self.attempts.drop_ready()
        self.hands.stop(self.host_ends.is_set())
        self._wait_until(lambda: not self.hands.channels, END_TIME)
        self.hands.kill()
        Children(self.shared.base).kill_all({})
        self.attempts.drop_working()
        ending = self.tickets.ending
        if isinstance(ending, exits.Killed):  # only what had begun below that process may be why
            innocent = [
                ticket for ticket, its in held.items() if its.dropped and ticket not in ending.begun
            ]
            give_back(self.shared.master, innocent)
        if ending is not None and ending.code not in (exits.REFUSED, exits.NOT_REACHED):
            patience = HASTE if self.host_ends.is_set() else LAST_RESULTS
            self._wait_until(self._is_all_delivered, patience)
            self._wait_until(lambda: not self.is_answering(), min(patience, LAST_WORDS))
        self.shared.master.stopping.set()

    def _is_all_delivered(self) -> bool:
        return all(is_called_back(one) for one in list(self.tickets.held.values()))

    def _wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self.inbox.wait(0.05, self.hands.channels)
            self.handle_events()
            self.attempts.drop_ready()  # also what comes while the client ends

    # -- events that are about no single attempt

    def renew_lease(self, asked: float) -> None:
        """Note that the master has answered for all tickets held at the clock time `asked`.

        Those that it called back are dropped by now: their events came before this one.
        """
        self.lease.renew(asked)
        if self._is_unsure:
            self._is_unsure = False
            self.hands.tell("go on", asked)

    def hear_unsure(self, _: Any) -> None:
        """Have the master asked which tickets still count, as a hand may begin nothing before."""
        self._is_unsure = True
        self.lease.request_renewal()

    def hear_signal(self, number: int) -> None:
        """End because of a signal. Where the guard was killed, systems tell that by a signal, too."""
        if not self._is_unguarded():
            self.end_with_host(number)

    def end_with_host(self, number: int) -> None:
        """End because the host shuts down, or somebody ends all that is ours on it.

        What programs say from now on counts for nothing: they may have been ended, too.
        """
        self.host_ends.set(1.0)
        self.end(exits.Ending(128 + number, "ended by signal %d" % number))

    def end(self, ending: exits.Ending) -> None:
        """End the client; the first reason counts."""
        self.tickets.end(ending)
        self.attempts.void_latest()

    def _is_unguarded(self) -> bool:
        if os.getppid() == self._parent:
            return False
        why = "the process that guards the client was killed"
        self.tickets.end(exits.Killed(why, list(self.tickets.working)))
        return True

"""THE CLIENT'S LOOP: the table of contents of what a client does once it has registered.

Programs are started, waited for and ended by its hands (hand.py), each a process. The threads of threads.py bring tasks
in and results out. Both post what happened; the loop, which is the main thread, acts on it.
"""

import os
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from .. import exits
from ..hand.children import Children
from ..hand.held_back import LONGEST
from ..task.attempt import Attempt, Ended, Told
from ..wire.goodbye import give_back
from ..wire.lease import Moment
from .hands import END_TIME, Hands
from .orders import Orders
from .renewal import Renewal
from .sending import Senders
from .threads import Asker, Listener, Pinger, Returner
from .tickets import Tickets

LONGEST_WAIT = 2.0
LAST_RESULTS, HASTE = 5.0, 1.0  # seconds for results that are ready; where the host ends, a KILL is near
LAST_WORDS = 2.0  # seconds for answers to questions about what ran here


class Loop:
    """Keeps so many slots busy until the sweep is over, the master is gone, or a signal comes."""

    def __init__(self, tickets: Tickets, hands: Hands, orders: Orders, renewal: Renewal, host_ends: Moment) -> None:
        """`host_ends`: not 0 once we were told that the host ends; the guard looks, too."""
        self.tickets, self.hands, self.orders, self.renewal = tickets, hands, orders, renewal
        self.host_ends = host_ends
        self._is_unsure = False  # a hand waits for the master's word before it begins what it has
        self._recalled = 0  # hands that have been asked for what they have not begun
        self._owed = 0  # tickets that others should have
        self._watchers: Dict[int, List[threading.Event]] = {}  # by ticket: who waits to be able to look at it
        self._parent = os.getppid()
        self._news: Dict[str, Callable[[Any], None]] = {
            "done": self._heard_done, "back": self._heard_back, "unbegun": self._heard_unbegun,
            "unsure": self._heard_unsure, "fault": lambda why: self.end(exits.Ending(*why)),
            "killed": lambda why: self.end(exits.Killed(*why)), "watched": self._heard_watched,
            "ended": self._heard_ended, "changed": lambda original: self.renewal.begin(original),
            "told to end": self._told_to_end, "here": lambda _: None,
            "begin": self.tickets.ready.extend, "drop": self.drop, "go on": self.go_on, "give back": self.give_back,
            "end": self.end, "watch": self.watch, "signal": self.signal,
            "renewed": self.renewal.end,
        }  # fmt: skip

    def run(self, asker: Asker, senders: Senders, pinger: Pinger) -> exits.Ending:
        """Until there is a reason to end; that reason."""
        self.asker, self.senders = asker, senders
        self.tickets.mail.hear_signals(self._on_signal)
        asker.start()
        pinger.start()
        Listener(self.tickets, pinger.every, self.orders.fetch).start()
        try:
            while self.tickets.over is None:
                self.wait()
                self.hear()
                self.feed()
        finally:
            self.stop()
        return self.tickets.over

    # -- the steps

    def wait(self) -> None:
        """Until a hand says something, something is posted, or a signal comes."""
        self.tickets.load.note(min(len(self.tickets.working), self.tickets.room.slots))
        self.tickets.mail.wait(LONGEST_WAIT, self.hands.posts)
        self._is_unguarded()
        self.hands.look_after(time.monotonic())

    def hear(self) -> None:
        """What the threads and the hands say."""
        for name, argument in self.tickets.mail.posted():
            self._news[name](argument)
        for name, argument in self.hands.heard():
            self._news[name](argument)

    def feed(self) -> None:
        """No slot stays free while something is ready, here or at another hand."""
        if self._recalled:
            return
        if self.tickets.ready:
            self.hands.feed(self._following, self.tickets.pace.near())
        elif self.hands.is_uneven():
            self._recall()

    def stop(self) -> None:
        """End all programs; give results that are ready a moment to reach the master."""
        held = dict(self.tickets.held)
        self._drop_ready()
        self.hands.stop(self.host_ends.is_set())
        self._until(lambda: not self.hands.posts, END_TIME)
        self.hands.kill()
        Children(self.tickets.base).kill_all({})
        for attempt in list(self.tickets.working.values()):
            attempt.dropped = True
            self._done([attempt])
        over = self.tickets.over
        if isinstance(over, exits.Killed):  # only what had begun below that process may be why
            innocent = [ticket for ticket, its in held.items() if its.dropped and ticket not in over.begun]
            give_back(self.tickets.master, innocent)
        if over is not None and over.code not in (exits.REFUSED, exits.NOT_REACHED):
            patience = HASTE if self.host_ends.is_set() else LAST_RESULTS
            self._until(lambda: not any(not one.dropped for one in list(self.tickets.held.values())), patience)
            self._until(lambda: not self.orders.carriers, min(patience, LAST_WORDS))
        self.tickets.master.stopping.set()
        self.asker.line.close()

    def _drop_ready(self) -> None:
        """Also what comes while we stop."""
        while self.tickets.ready:
            attempt = self.tickets.ready.popleft()
            attempt.dropped = True
            self._done([attempt])

    def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self.tickets.mail.wait(0.05, self.hands.posts)
            self.hear()
            self._drop_ready()

    # -- told by the other threads

    def drop(self, ticket: int) -> None:
        """205: somebody else has done it. Its program ends, its result is of no use."""
        attempt = self.tickets.held.get(ticket)
        if attempt is not None and not attempt.dropped:
            attempt.dropped = True
            if ticket in self.tickets.working:
                self.hands.tell("drop", ticket)

    def signal(self, which: Tuple[int, int]) -> None:
        """(ticket, signal), for all processes of a task that runs here."""
        self.hands.tell("signal", which)

    def watch(self, which: Tuple[int, threading.Event]) -> None:
        """Somebody is going to look at a task: its place stays its own. Set the event when it does, or it has ended."""
        ticket, ready = which
        if ticket in self.tickets.working:
            self._watchers.setdefault(ticket, []).append(ready)
            self.hands.tell("watch", ticket)
        else:
            ready.set()

    def go_on(self, began: float) -> None:
        """The master has answered for all tickets held then; those it called back are dropped."""
        self.tickets.trust.renew(began)
        if self._is_unsure:
            self._is_unsure = False
            self.hands.tell("go on", began)

    def give_back(self, count: int) -> None:
        """Others have nothing to do: up to so many that have not begun, the last ones, shall be ours no more."""
        self.tickets.room.refuse()
        self._owed = count
        self._recall()

    def end(self, ending: exits.Ending) -> None:
        """There is a reason to end the client; the first one counts."""
        self.tickets.over = self.tickets.over or ending
        if self._counts_nothing():  # what has just ended may have been ended by the same, but for what is told by now
            since = time.monotonic() - LONGEST
            for attempt in list(self.tickets.held.values()):
                attempt.dropped = attempt.dropped or attempt.heard_at > since

    def _counts_nothing(self) -> bool:
        """Whether what ends now was perhaps ended together with this client."""
        return self.host_ends.is_set() or isinstance(self.tickets.over, exits.Killed)

    # -- said by a hand

    def _heard_done(self, told: List[Told]) -> None:
        """These have ended."""
        ours = [(self.tickets.working[ticket], came) for ticket, came in told if ticket in self.tickets.working]
        now, is_void = time.monotonic(), self._counts_nothing()
        for attempt, came in ours:
            attempt.hear(came)
            attempt.heard_at = now
            attempt.dropped = attempt.dropped or is_void
        ended = [attempt for attempt, _ in ours]
        lost = self.renewal.lost_among(ended)
        if lost:
            self.give_up(lost, lost[0].lost)
        self._done([one for one in ended if one not in lost] if lost else ended)

    def _heard_ended(self, ended: List[Ended]) -> None:
        """Their slots are free; what came of them follows in a moment."""
        working = self.tickets.working
        self._leave([(working[one], wall, failed) for one, wall, failed in ended if one in working])

    def _heard_unbegun(self, told: List[Told]) -> None:
        """A hand has given back what it had not begun, after a failure."""
        for ticket, came in reversed(told):
            self.tickets.working[ticket].hear(came)
            self.tickets.ready.appendleft(self.tickets.working.pop(ticket))

    def _heard_back(self, told: List[Told]) -> None:
        """The same, as it was told to."""
        self._heard_unbegun(told)
        self._recalled -= 1
        if not self._recalled and self._owed:
            self._return()

    def _heard_unsure(self, _: Any) -> None:
        self._is_unsure = True
        self.tickets.ping_now.set()

    def _heard_watched(self, ticket: int) -> None:
        for one in self._watchers.pop(ticket, []):
            one.set()

    def _told_to_end(self, number: int) -> None:
        """The host ends, or somebody ends all that is ours on it: what programs say from now on counts for nothing."""
        self.host_ends.set(1.0)
        self.end(exits.Ending(128 + number, "ended by signal %d" % number))

    # -- inside

    def give_up(self, attempts: List[Attempt], reason: str = "") -> None:
        """Give tickets back as if they had never been given out. `reason`: why, when their programs had begun."""
        for attempt in attempts:
            self.tickets.held.pop(attempt.task.ticket, None)
            self.tickets.working.pop(attempt.task.ticket, None)
            self._heard_watched(attempt.task.ticket)
        self.tickets.room.change(-sum(not one.has_left for one in attempts), -len(attempts))
        Returner(self.tickets, attempts, reason).start()

    def _is_unguarded(self) -> bool:
        if os.getppid() == self._parent:
            return False
        self.end(exits.Killed("the process that guards the client was killed", list(self.tickets.working)))
        return True

    def _recall(self) -> None:
        """Have what the hands have not begun here again."""
        if not self._recalled:
            self._recalled = self.hands.tell("back")

    def _return(self) -> None:
        """The last ones go back to the master, but for those that have a free slot here."""
        self.hands.feed(self._following, 0)
        given = [self.tickets.ready.pop() for _ in range(min(self._owed, len(self.tickets.ready)))]
        self._owed = 0
        self.give_up(given)

    def _following(self) -> Optional[Attempt]:
        """The next one for a hand; what is not to begin any more is done with on the way."""
        while self.tickets.ready and not self.renewal.is_under_way():
            attempt = self.tickets.ready.popleft()
            if attempt.originals:
                self.renewal.refresh(attempt)
            if not (attempt.dropped or attempt.reason):
                self.tickets.working[attempt.task.ticket] = attempt
                return attempt
            self._done([attempt])
        return None

    def _done(self, attempts: List[Attempt]) -> None:
        new = [one for one in attempts if not one.has_left]
        self._leave([(one, one.usage.get("wall", 0.0), bool(one.reason) and not one.dropped) for one in new])
        for attempt in attempts:
            self.tickets.working.pop(attempt.task.ticket, None)
            if self._watchers:
                self._heard_watched(attempt.task.ticket)
            self.senders.put(attempt)
        if self.tickets.pace.is_doubtful and (self.tickets.ready or self.hands.are_waiting()):
            self.give_back(len(self.tickets.held))

    def _leave(self, left: List[Tuple[Attempt, float, bool]]) -> None:
        """Slots are free: of these attempts, with the seconds that each took and whether it failed."""
        for attempt, wall, failed in left:
            attempt.has_left = True
            if failed:
                self.tickets.pace.failed()
            elif wall:
                self.tickets.pace.note(wall)
        if left:
            self.tickets.room.change(-len(left), 0, self.tickets.pace.ahead())

    def _on_signal(self, number: int, _: Any) -> None:
        if not self._is_unguarded():  # which comes with a signal, where the system has such a thing
            self._told_to_end(number)

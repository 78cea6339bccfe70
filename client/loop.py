"""THE CLIENT'S LOOP: the table of contents of what a client does once it has registered.

Programs are started, waited for and ended by its hands (hand.py), each a process. The threads of talk.py bring tasks
in and results out. Both post what happened; the loop, which is the main thread, acts on it.
"""

import os
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from . import ends
from .ahead import Pace
from .children import Children
from .cleanup import give_back
from .hands import END_TIME, Hands
from .load import Load
from .mail import Mail
from .orders import Orders
from .renewal import Renewal
from .sending import Senders
from .slot import Attempt, Ended, Told
from .talk import Asker, Listener, Pinger, Returner
from .tickets import Tickets
from .trust import Moment
from .wire import Master

LONGEST_WAIT = 2.0
LAST_RESULTS, HASTE = 5.0, 1.0  # seconds for results that are ready; where the host ends, a KILL is near
LAST_WORDS = 2.0  # seconds for answers to questions about what ran here


class Loop(Tickets):
    """Keeps so many slots busy until the sweep is over, the master is gone, or a signal comes."""

    def __init__(self, master: Master, base: str, slots: int, worker: str, pace: Pace, hands: Hands) -> None:
        """`worker`: its name, if there is one."""
        super().__init__(master, slots)
        self.base, self.worker_name = base, worker
        self.renewal: Renewal
        self.pace, self.hands = pace, hands
        self.load = Load()
        self.holds = True  # whether requests may be held by the master
        self.orders = Orders(self, [])
        self.ready: Deque[Attempt] = deque()  # waiting for a hand with room
        self.working: Dict[int, Attempt] = {}  # by ticket: what a hand has
        self.over: Optional[ends.Ending] = None
        self.host_ends = Moment(0.0)  # not 0 once we were told; the guard looks, too
        self._is_unsure = False  # a hand waits for the master's word before it begins what it has
        self._recalled = 0  # hands that have been asked for what they have not begun
        self._owed = 0  # tickets that others should have
        self._watchers: Dict[int, List[threading.Event]] = {}  # by ticket: who waits to be able to look at it
        self._mail = Mail()
        self._parent = os.getppid()
        self._news: Dict[str, Callable[[Any], None]] = {
            "done": self._heard_done, "back": self._heard_back, "unbegun": self._heard_unbegun,
            "unsure": self._heard_unsure, "fault": lambda text: self.end(ends.Ending(ends.OTHER, text)),
            "killed": lambda why: self.end(ends.Killed(*why)), "watched": self._heard_watched,
            "ended": self._heard_ended, "changed": lambda original: self.renewal.begin(original),
            "told to end": self._told_to_end, "here": lambda _: None,
        }  # fmt: skip

    def run(self, asker: Asker, senders: Senders, pinger: Pinger) -> ends.Ending:
        """Until there is a reason to end; that reason."""
        self.asker, self.senders, self.pinger = asker, senders, pinger
        self._mail.hear_signals(self._on_signal)
        asker.start()
        pinger.start()
        Listener(self, pinger.every).start()
        try:
            while self.over is None:
                self.wait()
                self._mail.take()
                self.hear()
                self.feed()
        finally:
            self.stop()
        return self.over

    # -- the steps

    def wait(self) -> None:
        """Until a hand says something, something is posted, or a signal comes."""
        self.load.note(min(len(self.working), self.room.slots))
        self._mail.wait(LONGEST_WAIT, self.hands.posts)
        self._is_unguarded()
        self.hands.look_after(time.monotonic())

    def hear(self) -> None:
        """What the hands say."""
        for name, argument in self.hands.heard():
            self._news[name](argument)

    def feed(self) -> None:
        """No slot stays free while something is ready, here or at another hand."""
        if self._recalled:
            return
        if self.ready:
            self.hands.feed(self._following, self.pace.near())
        elif self.hands.is_uneven():
            self._recall()

    def stop(self) -> None:
        """End all programs; give results that are ready a moment to reach the master."""
        held = dict(self.held)
        self._drop_ready()
        self.hands.tell("stop", self.host_ends.is_set())
        self._until(lambda: not self.hands.posts, END_TIME)
        self.hands.kill()
        Children(self.base).kill_all({})
        for attempt in list(self.working.values()):
            attempt.dropped = True
            self._done([attempt])
        if isinstance(self.over, ends.Killed):  # only what had begun below that process may be why
            give_back(self.master, [one for one, its in held.items() if its.dropped and one not in self.over.begun])
        if self.over is not None and self.over.code not in (ends.REFUSED, ends.NOT_REACHED):
            patience = HASTE if self.host_ends.is_set() else LAST_RESULTS
            self._until(lambda: not any(not one.dropped for one in list(self.held.values())), patience)
            self._until(lambda: not self.orders.carriers, min(patience, LAST_WORDS))
        self.master.stopping.set()
        self.asker.line.close()

    def _drop_ready(self) -> None:
        """Also what comes while we stop."""
        while self.ready:
            attempt = self.ready.popleft()
            attempt.dropped = True
            self._done([attempt])

    def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self._mail.wait(0.05, self.hands.posts)
            self._mail.take()
            self.hear()
            self._drop_ready()

    # -- posted by the other threads

    def post(self, function: Callable[..., None], *arguments: Any) -> None:
        """From any thread: have this done by the loop."""
        self._mail.post(function, arguments)

    def begin(self, attempts: List[Attempt]) -> None:
        """Each begins when there is a slot."""
        self.ready.extend(attempts)

    def drop(self, ticket: int) -> None:
        """205: somebody else has done it. Its program ends, its result is of no use."""
        attempt = self.held.get(ticket)
        if attempt is not None and not attempt.dropped:
            attempt.dropped = True
            if ticket in self.working:
                self.hands.tell("drop", ticket)

    def signal(self, ticket: int, number: int) -> None:
        """To all processes of a task that runs here."""
        self.hands.tell("signal", (ticket, number))

    def watch(self, ticket: int, ready: threading.Event) -> None:
        """Somebody is going to look at a task: its place stays its own. `ready` when it does, or the task has ended."""
        if ticket in self.working:
            self._watchers.setdefault(ticket, []).append(ready)
            self.hands.tell("watch", ticket)
        else:
            ready.set()

    def go_on(self, began: float) -> None:
        """The master has answered for all tickets held then; those it called back are dropped."""
        self.pinger.trust.renew(began)
        if self._is_unsure:
            self._is_unsure = False
            self.hands.tell("go on", began)

    def give_back(self, count: int) -> None:
        """Others have nothing to do: up to so many that have not begun, the last ones, shall be ours no more."""
        self.room.refuse()
        self._owed = count
        self._recall()

    def end(self, ending: ends.Ending) -> None:
        """There is a reason to end the client; the first one counts."""
        self.over = self.over or ending

    # -- called by the other threads, in theirs

    def is_busy(self) -> bool:
        """Whether more will end soon."""
        return bool(self.ready or self.working)

    # -- said by a hand

    def _heard_done(self, told: List[Told]) -> None:
        """These have ended."""
        ours = [(self.working[ticket], came) for ticket, came in told if ticket in self.working]
        for attempt, came in ours:
            attempt.hear(came)
            attempt.dropped = attempt.dropped or self.host_ends.is_set()
        self._done(self.renewal.without_lost([attempt for attempt, _ in ours]))

    def _heard_ended(self, ended: List[Ended]) -> None:
        """Their slots are free; what came of them follows in a moment."""
        self._leave([(self.working[one], wall, failed) for one, wall, failed in ended if one in self.working])

    def _heard_unbegun(self, told: List[Told]) -> None:
        """A hand has given back what it had not begun, after a failure."""
        for ticket, came in reversed(told):
            self.working[ticket].hear(came)
            self.ready.appendleft(self.working.pop(ticket))

    def _heard_back(self, told: List[Told]) -> None:
        """The same, as it was told to."""
        self._heard_unbegun(told)
        self._recalled -= 1
        if not self._recalled and self._owed:
            self._return()

    def _heard_unsure(self, _: Any) -> None:
        self._is_unsure = True
        self.pinger.now.set()

    def _heard_watched(self, ticket: int) -> None:
        for one in self._watchers.pop(ticket, []):
            one.set()

    def _told_to_end(self, number: int) -> None:
        """The host ends, or somebody ends all that is ours on it: what programs say from now on counts for nothing."""
        self.host_ends.set(1.0)
        self.end(ends.Ending(128 + number, "ended by signal %d" % number))

    # -- inside

    def give_up(self, attempts: List[Attempt], reason: str = "") -> None:
        """Give tickets back as if they had never been given out. `reason`: why, when their programs had begun."""
        for attempt in attempts:
            self.held.pop(attempt.task.ticket, None)
            self.working.pop(attempt.task.ticket, None)
            self._heard_watched(attempt.task.ticket)
        self.room.change(-sum(not one.has_left for one in attempts), -len(attempts))
        Returner(self, attempts, reason).start()

    def _is_unguarded(self) -> bool:
        if os.getppid() == self._parent:
            return False
        self.end(ends.Killed("the process that guards the client was killed", list(self.working)))
        return True

    def _recall(self) -> None:
        """Have what the hands have not begun here again."""
        if not self._recalled:
            self._recalled = self.hands.tell("back")

    def _return(self) -> None:
        """The last ones go back to the master, but for those that have a free slot here."""
        self.hands.feed(self._following, 0)
        given = [self.ready.pop() for _ in range(min(self._owed, len(self.ready)))]
        self._owed = 0
        self.give_up(given)

    def _following(self) -> Optional[Attempt]:
        """The next one for a hand; what is not to begin any more is done with on the way."""
        while self.ready and not self.renewal.is_under_way():
            attempt = self.ready.popleft()
            if attempt.originals:
                self.renewal.refresh(attempt)
            if not (attempt.dropped or attempt.reason):
                self.working[attempt.task.ticket] = attempt
                return attempt
            self._done([attempt])
        return None

    def _done(self, attempts: List[Attempt]) -> None:
        new = [one for one in attempts if not one.has_left]
        self._leave([(one, one.usage.get("wall", 0.0), bool(one.reason) and not one.dropped) for one in new])
        for attempt in attempts:
            self.working.pop(attempt.task.ticket, None)
            if self._watchers:
                self._heard_watched(attempt.task.ticket)
            self.senders.put(attempt)
        if self.pace.is_doubtful and (self.ready or self.hands.are_waiting()):
            self.give_back(len(self.held))

    def _leave(self, left: List[Tuple[Attempt, float, bool]]) -> None:
        """Slots are free: of these attempts, with the seconds that each took and whether it failed."""
        for attempt, wall, failed in left:
            attempt.has_left = True
            if failed:
                self.pace.failed()
            elif wall:
                self.pace.note(wall)
        if left:
            self.room.change(-len(left), 0, self.pace.ahead())

    def _on_signal(self, number: int, _: Any) -> None:
        if not self._is_unguarded():  # which comes with a signal, where the system has such a thing
            self._told_to_end(number)

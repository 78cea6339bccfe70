"""A HAND: the process that starts programs, waits for them and ends them. It talks to its client only.

A client has some, each with slots of its own: starting a program holds up who starts it until the program is loaded,
and so the others go on meanwhile. A hand has one thread.
"""

import time
from collections import deque
from itertools import islice
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from .. import exits
from ..machine import process_tree
from ..task.attempt import Attempt, CannotRun, Given, is_full
from ..task.place import MOST_KEPT, Places
from ..task.report import pack
from ..task.settings import Settings
from ..task.spawn import have_no_input
from ..wire.lease import Trust, clock
from . import timeouts
from .channel import Gone, Post
from .children import Children
from .held_back import Reports, hold_time
from .task_files import TaskFiles
from .wakeup import Mail

LONGEST_WAIT = 0.5  # seconds between looks at the clock while programs run: of a sleep, so much may count as awake
STOP_TIME = 3.0  # seconds for programs to end when the client ends: `spe run` waits for us
HASTE = 2.0  # the same where the host ends: five seconds after TERM comes KILL
TOGETHER = 8  # short tasks whose directories are made, and whose results are read, one after the other
GATHER = 0.02  # seconds in which short tasks gather for one report, while others are ready


class Hand:
    """Runs programs in its slots until the client says stop, or is gone."""

    def __init__(self, slots: List[int], post: Post, settings: Settings, trust: Trust, places: Places) -> None:
        self.post, self.settings, self.trust, self.places = post, settings, trust, places
        self.running: Dict[int, Attempt] = {}  # by process
        self.ending: List[Attempt] = []  # the program has ended, what it left behind not yet
        self.ready: Deque[Attempt] = deque()  # waiting for a slot, the first one prepared
        self.unsure: List[Attempt] = []  # perhaps no longer wanted: the master is being asked
        self.past: List[Attempt] = []  # nothing of it runs, what it left is to be read
        self.children = Children(settings.base)
        self.reports = Reports()
        self.files = TaskFiles(settings.worker, places, self._say)
        self.stopping = self.is_hasty = False  # hasty: the host was told to end
        self._due = 0.0  # when the client is to hear of short tasks at the latest
        self._numbers = sorted(slots, reverse=True)
        self._mail = Mail()
        self._orders: Dict[str, Callable[[Any], None]] = {
            "begin": self.begin, "drop": self.drop, "signal": self.signal, "back": self.give_back, "go on": self.go_on,
            "stop": self.stop, "watch": self.watch, "here": lambda _: self._say("here"),
            "worker": self.files.take_worker, "lose": lambda original: self.files.lose(original, self.running),
        }  # fmt: skip

    def run(self) -> None:
        """Until there is nobody to work for."""
        self._mail.hear_signals(lambda number, _: self.told_to_end(number, 0))
        self._mail.hear_by_file(self.told_to_end)
        while not self.stopping:
            self.wait()
            self.reap()
            self.settle()
            self.fill()
            self.read_past()
            self.report()
            self.prepare_next()
            self.enforce_times()
        self.end()

    # -- the steps

    def wait(self) -> None:
        """Until a program ends, the client says something, or a time is due."""
        if not (self.running or self.ending or self.past or self.reports):
            return self._wait(None)
        began = time.monotonic()
        due = began + LONGEST_WAIT
        if self.past or self._may_gather():
            due = min(due, self._due)
        elif self.reports:
            due = min(due, self.reports.due() or due)
        for attempt in self.running.values():
            due = min(due, attempt.due or due)
        for attempt in self.ending:
            due = min(due, attempt.give_up)
        self._wait(max(0.0, due - began))
        return timeouts.forgive(self.running.values(), time.monotonic() - max(began, due))

    def _wait(self, patience: Optional[float]) -> None:
        """And do what the client orders."""
        try:
            for post in self._mail.wait(patience, [self.post]):
                for name, argument in post.heard():
                    self._orders[name](argument)
        except Gone:
            self.stopping = True

    def reap(self) -> None:
        """Programs that have ended; all that is left of their groups goes with them."""
        for pid, status, usage in self.children.ended(self.running):
            attempt = self.running.pop(pid, None)
            if attempt is not None:
                attempt.ended(status, usage)
                attempt.tell_at = time.monotonic() + hold_time(attempt)
                self.ending.append(attempt)

    def settle(self) -> None:
        """Those whose whole tree is gone are done: their slot is free, their result is on its way."""
        if not self.ending:
            return
        alive = self.children.kill_strays(self.running, self.ending)
        now = time.monotonic()
        gone, self.ending = self.ending, []
        if alive:
            self.ending = [one for one in gone if one.task.ticket in alive and now <= one.give_up]
            gone = [one for one in gone if one not in self.ending]
        for one in gone:
            one.is_left_behind = bool(alive) or self.children.may_belong_to(one.task.ticket)
            self._numbers.append(one.slot)
        self.files.judge(gone)
        if gone and not (self.past or self.reports.fresh):
            self._due = now + GATHER
        self.past.extend(gone)
        if self.ready and any(one.reason and not one.dropped for one in gone):
            self._tell_unbegun("unbegun")  # it may be this host's fault: the client decides whether they begin here

    def fill(self) -> None:
        """No slot stays free while something is ready."""
        while self._numbers and self.ready:
            self._begin(self.ready.popleft())

    def report(self) -> None:
        """Tell the client what came of tasks; of short ones several at once, while there is enough to do."""
        if self.reports and not self._may_gather():
            self.reports.tell(self._say)
            self._due = time.monotonic() + GATHER  # for those that must wait a moment more

    def _may_gather(self) -> bool:
        """While the client waits for nothing, and more ends soon."""
        last = (self.past or self.reports.fresh)[-1:]
        return bool(self.ready and last and last[0].is_short()) and time.monotonic() < self._due

    def read_past(self) -> None:
        """What programs left, while others run; of short ones several one after the other, which costs less."""
        if self.past and (len(self.past) >= TOGETHER or not self._may_gather()):
            past, self.past = self.past, []
            full = is_full(self.settings.base)
            for attempt in past:
                self._done(attempt, full)

    def prepare_next(self) -> None:
        """While programs run there is time to make the directories for the next ones."""
        if self.ready and not self.ready[0].prepared:
            for attempt in islice(self.ready, TOGETHER):
                self.files.prepare(attempt)

    def enforce_times(self) -> None:
        """TERM at the timeout, KILL a while after TERM."""
        timeouts.enforce(self.running.values())

    def end(self) -> None:
        """All programs end, and what they left."""
        self._begin_unsure(clock())
        while self.ready:
            self._drop(self.ready.popleft())
        for attempt in self.running.values():
            attempt.dropped = True
            attempt.stop()
        self._until_gone()
        for attempt in self.running.values():
            attempt.kill()
        self._until_gone()
        self.children.kill_all(self.running)
        self.reports.tell_all(self._say)

    def _until_gone(self) -> None:
        end = time.monotonic() + (HASTE if self.is_hasty else STOP_TIME)
        while (self.running or self.ending) and time.monotonic() < end:
            self._mail.wait(0.05)
            self.reap()
            self.settle()
            self.read_past()

    # -- what the client orders

    def begin(self, given: List[Given]) -> None:
        """Each begins when there is a slot."""
        self.ready.extend(Attempt.of(one, self.settings.base) for one in given)

    def drop(self, ticket: int) -> None:
        """Somebody else has done it. Its program ends, its result is of no use."""
        for attempt in [*self.running.values(), *self.ending, *self.ready, *self.unsure, *self.reports]:
            if attempt.task.ticket == ticket and not attempt.dropped:
                attempt.dropped = True
                if attempt.pid in self.running:
                    attempt.stop()

    def signal(self, which: Tuple[int, int]) -> None:
        """A program is to wait, or to go on."""
        for attempt in self.running.values():
            if attempt.task.ticket == which[0]:
                attempt.signal(which[1])

    def give_back(self, _: Any) -> None:
        """What has not begun is the client's again: somebody else is free for it."""
        self._tell_unbegun("back")

    def watch(self, ticket: int) -> None:
        """Somebody looks at it: its place is for no other task. The client hears of that once it has begun."""
        for attempt in [*self.running.values(), *self.ending, *self.ready, *self.unsure, *self.past]:
            if attempt.task.ticket == ticket:
                attempt.is_watched = True
                if attempt.pid:
                    self._say("watched", ticket)

    def go_on(self, began: float) -> None:
        """The master has answered for all tickets held then; those it called back are dropped."""
        self._begin_unsure(began)

    def stop(self, is_hasty: bool) -> None:
        """The client ends; `is_hasty`: its host does, and a KILL is near."""
        self.stopping, self.is_hasty = True, self.is_hasty or is_hasty

    def told_to_end(self, number: int, sender: int) -> None:
        """A signal that ends hosts has come. A program of ours that sends it to its hand ends no host by it."""
        if sender and process_tree.session_of(sender) in self.running:
            return
        self.stopping = self.is_hasty = True
        self._say("told to end", number)

    # -- inside

    def _tell_unbegun(self, name: str) -> None:
        for attempt in self.ready:
            attempt.unprepare() if attempt.linked else attempt.place.close()
        self._say(name, [attempt.told() for attempt in self.ready])
        self.ready.clear()

    def _say(self, name: str, argument: Any = None) -> None:
        self.post.send(name, argument)
        self.post.flush_all()

    def _begin(self, attempt: Attempt) -> None:
        """Start it, or hand on why it can't be."""
        self.files.prepare(attempt)
        if attempt.dropped or attempt.reason:
            return self._done(attempt)
        if not (self.trust.holds() and attempt.sure):
            self._say("unsure")
            return self.unsure.append(attempt)
        if not self.files.may_begin(attempt):  # the client keeps it, and all that waits, until the file is renewed
            self.ready.appendleft(attempt)
            return self._tell_unbegun("unbegun")
        attempt.slot = self._numbers.pop()
        try:
            attempt.start(self.settings.environment, attempt.slot)
        except CannotRun as fault:
            attempt.reason = str(fault)
            self._numbers.append(attempt.slot)
            return self._done(attempt)
        self.running[attempt.pid] = attempt
        if attempt.is_watched:
            self._say("watched", attempt.task.ticket)
        return None

    def _begin_unsure(self, began: float) -> None:
        """Those that the pings since then have named."""
        unsure, self.unsure = self.unsure, []
        for attempt in unsure:
            attempt.sure = attempt.sure or attempt.held_at <= began
        self.ready.extendleft(reversed(unsure))

    def _drop(self, attempt: Attempt) -> None:
        attempt.dropped = True
        self._done(attempt)

    def _done(self, attempt: Attempt, full: bool = False) -> None:
        attempt.conclude(full)
        if self.settings.together and not attempt.dropped:
            pack(attempt, self.settings)
        attempt.leave(self.places)
        self.reports.fresh.append(attempt)


def work(slots: List[int], post: Post, settings: Settings, trust: Trust) -> None:
    """The whole life of the process."""
    nothing_escapes = process_tree.adopt_orphans()
    have_no_input()
    hand = Hand(slots, post, settings, trust, Places(nothing_escapes and len(slots) <= MOST_KEPT))
    try:
        hand.run()
    except BaseException:
        post.send("fault", exits.unforeseen().text)
        post.flush_all()
        hand.end()

"""The steps of a hand's loop (process.py) and what it does at the orders of its client.

A hand talks to its client only. The messages are listed in channel.py.
"""

import time
from collections import deque
from itertools import islice
from typing import Any, Callable, Deque, Dict, List, Tuple

from ..machine import facts, process_tree
from ..task.attempt import Attempt, CannotRun, Given
from ..task.place import FreePlaces
from ..task.report import pack
from ..task.settings import Settings
from ..wire.lease import Lease, clock
from . import timeouts
from .above import LONGEST, Above
from .channel import Channel, ChannelClosed
from .children import Children
from .held_back import HeldReports, hold_time
from .task_files import TaskFiles
from .wakeup import WakeupPipe

# Seconds between looks at the clock while programs run: of a sleep, so much may count as awake.
LONGEST_WAIT = 0.5
# Short tasks whose directories are made, and whose results are read, one after the other: that
# costs less than each of them between two starts of programs.
TOGETHER = 8
GATHER = 0.02  # seconds in which short tasks gather for one report, while others are ready


class Hand:
    """The state of one hand. Lives as long as its process.

    An attempt goes from `ready` (perhaps by `unsure`) to `running`, `ending`, `past` and `reports`.
    """

    def __init__(
        self,
        slots: List[int],
        channel: Channel,
        settings: Settings,
        lease: Lease,
        places: FreePlaces,
    ) -> None:
        self.channel, self.settings, self.lease, self.places = channel, settings, lease, places
        self.running: Dict[int, Attempt] = {}  # by process
        self.ending: List[Attempt] = []  # the program has ended, what it left behind not yet
        self.ready: Deque[Attempt] = deque()  # waiting for a slot, the first one prepared
        self.unsure: List[Attempt] = []  # perhaps no longer wanted: the master is being asked
        self.past: List[Attempt] = []  # nothing of it runs, what it left is to be read
        self.children = Children(settings.base)
        self._above = Above()
        self.reports = HeldReports()
        self.files = TaskFiles(settings.worker, places, self._say)
        self.stopping = False
        self.is_hasty = False  # the host shuts down
        self._due = 0.0  # latest time at which the client is to hear of short tasks
        # Free slots, of which the lowest is taken first; so many must stay free.
        self._numbers, self._closed = sorted(slots, reverse=True), 0
        self._wakeup = WakeupPipe()
        self._orders: Dict[str, Callable[[Any], None]] = {
            "begin": self.begin,
            "drop": self.drop,
            "signal": self.signal,
            "back": lambda _: self._tell_unbegun("back"),
            "go on": self.begin_unsure,
            "stop": self.stop,
            "watch": self.watch,
            "here": lambda _: self._say("here"),
            "worker": self.files.take_worker,
            "lose": lambda original: self.files.lose(original, self.running),
            "bound": self.bound,
        }

    # -- the steps

    def hear_signals(self) -> None:
        """Have children that end, and signals that end hosts, wake this hand."""
        self._wakeup.hear_signals(lambda number, _: self.told_to_end(number, 0))
        self._wakeup.hear_by_file(self.told_to_end)

    def wait(self) -> None:
        """Wait until a program ends, the client says something, or a time is due."""
        if not (self.running or self.ending or self.past or self.reports):
            return self._hear_client(LONGEST)
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
        self._hear_client(max(0.0, due - began))
        return timeouts.forgive(self.running.values(), time.monotonic() - max(began, due))

    def _hear_client(self, patience: float) -> None:
        """Wait so many seconds, and do what the client orders."""
        try:
            for channel in self._wakeup.wait(patience, [self.channel]):
                for name, argument in channel.receive():
                    self._orders[name](argument)
        except ChannelClosed:
            self.stopping = True
            self._above.wake_guard()  # only it clears up now

    def pause(self, seconds: float) -> None:
        """Wait until a program ends, without hearing the client: it may be gone."""
        self._wakeup.wait(seconds)

    def reap(self) -> None:
        """Take over programs that have ended; what is left of their groups is killed with them."""
        for pid, status, usage in self.children.ended(self.running):
            attempt = self.running.pop(pid, None)
            if attempt is not None:
                attempt.ended(status, usage)
                attempt.tell_at = time.monotonic() + hold_time(attempt)
                self.ending.append(attempt)

    def settle(self) -> None:
        """Free the slots of attempts of which no process is left, or none that can be killed."""
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
        # The host may be at fault: the client decides whether what is ready begins here.
        if self.ready and any(one.reason and not one.dropped for one in gone):
            self._tell_unbegun("unbegun")

    def fill(self) -> None:
        """Begin attempts until no slot is free or nothing is ready."""
        while self.ready and len(self._numbers) > self._closed:
            self._begin(self.ready.popleft())

    def report(self) -> None:
        """Tell the client what came of attempts; of short ones several at once, while others run."""
        if self.reports and not self._may_gather():
            self.reports.tell(self._say)
            self._due = time.monotonic() + GATHER  # for those that must wait a moment more

    def _may_gather(self) -> bool:
        """Tell whether reports may wait: the client needs none of them yet, and more come soon."""
        last = (self.past or self.reports.fresh)[-1:]
        return bool(self.ready and last and last[0].is_short()) and time.monotonic() < self._due

    def read_past(self) -> None:
        """Read what programs left; of short ones several one after the other, which costs less."""
        if self.past and (len(self.past) >= TOGETHER or not self._may_gather()):
            past, self.past = self.past, []
            full = facts.is_full(self.settings.base)
            for attempt in past:
                self._conclude(attempt, full)

    def prepare_next(self) -> None:
        """Make the directories of the next attempts, while programs run and there is time for it."""
        if self.ready and not self.ready[0].prepared:
            for attempt in islice(self.ready, TOGETHER):
                self.files.prepare(attempt)

    def enforce_times(self) -> None:
        """Send TERM to programs at their timeout, and KILL a while after TERM; look at the client."""
        timeouts.enforce(self.running.values())
        self._above.look()

    # -- the end

    def drop_unbegun(self) -> None:
        """Drop all attempts that have not begun."""
        self.begin_unsure(clock())
        while self.ready:
            attempt = self.ready.popleft()
            attempt.dropped = True
            self._conclude(attempt)

    def report_all(self) -> None:
        """Tell the client all that it has not heard."""
        self.reports.tell_all(self._say)

    # -- what the client orders

    def begin(self, given: List[Given]) -> None:
        """Queue these attempts; each begins when there is a slot."""
        self.ready.extend(Attempt.of(one, self.settings.base) for one in given)

    def drop(self, ticket: int) -> None:
        """Drop an attempt that another host has done: its program ends, its result is of no use."""
        running = self.running.values()
        for attempt in [*running, *self.ending, *self.ready, *self.unsure, *self.reports]:
            if attempt.task.ticket == ticket and not attempt.dropped:
                attempt.dropped = True
                if attempt.pid in self.running:
                    attempt.stop()

    def signal(self, which: Tuple[int, int]) -> None:
        """Pause a program, or have it go on: (ticket, signal)."""
        for attempt in self.running.values():
            if attempt.task.ticket == which[0]:
                attempt.signal(which[1])

    def watch(self, ticket: int) -> None:
        """Keep the place of a ticket from other tasks: a person looks into it.

        The client hears `watched` once the program has begun.
        """
        running = self.running.values()
        for attempt in [*running, *self.ending, *self.ready, *self.unsure, *self.past]:
            if attempt.task.ticket == ticket:
                attempt.is_watched = True
                if attempt.pid:
                    self._say("watched", ticket)

    def begin_unsure(self, asked: float) -> None:
        """Queue what waited for the master's word. It counts for tickets held at `asked`."""
        unsure, self.unsure = self.unsure, []
        for attempt in unsure:
            attempt.sure = attempt.sure or attempt.held_at <= asked
        self.ready.extendleft(reversed(unsure))

    def bound(self, which: Tuple[int, int]) -> None:
        """Keep so many slots free: (slots, number of the bound). What has not begun goes back."""
        self._closed, number = which
        self._tell_unbegun("unbegun")
        self._say("bounded", number)

    def stop(self, is_hasty: bool) -> None:
        """End because the client does; `is_hasty`: its host shuts down, and a KILL is near."""
        self.stopping, self.is_hasty = True, self.is_hasty or is_hasty

    def told_to_end(self, number: int, sender: int) -> None:
        """End because of a signal that ends hosts. One from a program of this hand ends no host."""
        if sender and process_tree.session_of(sender) in self.running:
            return
        self.stopping = self.is_hasty = True
        self._say("told to end", number)

    # -- inside

    def _tell_unbegun(self, name: str) -> None:
        """Give back to the client what has not begun: another hand or host may be free for it."""
        for attempt in self.ready:
            attempt.give_back()
        self._say(name, [attempt.told() for attempt in self.ready])
        self.ready.clear()

    def _say(self, name: str, argument: Any = None) -> None:
        self.channel.send(name, argument)
        self.channel.flush_all()

    def _begin(self, attempt: Attempt) -> None:
        """Start the program of an attempt, or pass on why it cannot be started."""
        self.files.prepare(attempt)
        if attempt.dropped or attempt.reason:
            return self._conclude(attempt)
        if not (self.lease.holds() and attempt.sure):
            self._say("unsure")
            return self.unsure.append(attempt)
        if not self.files.may_begin(attempt):
            # The client keeps it, and all that waits, until the changed file is fetched again.
            self.ready.appendleft(attempt)
            return self._tell_unbegun("unbegun")
        attempt.slot = self._numbers.pop()
        try:
            attempt.start(self.settings.environment, attempt.slot, self.settings.container)
        except CannotRun as fault:
            attempt.reason = str(fault)
            self._numbers.append(attempt.slot)
            return self._conclude(attempt)
        self.running[attempt.pid] = attempt
        if attempt.is_watched:
            self._say("watched", attempt.task.ticket)
        return None

    def _conclude(self, attempt: Attempt, full: bool = False) -> None:
        """Complete what is to be said of an attempt and leave its place."""
        attempt.conclude(full)
        if self.settings.together and not attempt.dropped:
            pack(attempt, self.settings)
        # Of a success the master asks for files only where it may still reject the result.
        may_fail = bool(attempt.reason) or self.settings.lists_files
        attempt.leave(self.places, may_fail and self.settings.keep_failed > 0)
        self.reports.fresh.append(attempt)

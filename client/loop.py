"""THE CLIENT'S LOOP: the table of contents of what a client does once it has registered.

The main thread alone starts programs, waits for them and ends them. The threads of talk.py bring tasks in and
results out; they post what happened, and the loop acts on it.
"""

import os
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional

from . import ends
from .ahead import Pace
from .children import Strays, ended_children
from .load import Load
from .mail import Mail
from .room import Room
from .sending import Senders
from .slot import Attempt, CannotRun
from .spawn import keep_files_to_ourselves
from .talk import Asker, Listener, Pinger, Returner
from .trust import clock
from .wire import Master

LONGEST_WAIT = 2.0
STOP_TIME = 3.0  # seconds for programs to end when the client ends: `spe run` waits for us
OVER_GRACE = 10.0  # a master that said the sweep is over need not be waited for


class Loop:
    """Runs tasks in so many slots until the sweep is over, the master is gone, or a signal comes."""

    def __init__(
        self, master: Master, base: str, slots: int, variables: Dict[str, str], worker: str, together: bool, pace: Pace
    ) -> None:
        """`worker`: its path, if there is one; `together`: the master takes several results at once."""
        self.master, self.base = master, base
        self.environment = {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}
        self.worker_path, self.worker_name = worker, os.path.basename(worker)
        self.room, self.pace, self.together = Room(slots), pace, together
        self.load = Load()
        self.held: Dict[int, Attempt] = {}  # by ticket: all that is ours until it was delivered
        self.running: Dict[int, Attempt] = {}  # by process
        self.ending: List[Attempt] = []  # the program has ended, what it left behind not yet
        self.ready: Deque[Attempt] = deque()  # waiting for a slot, the first one prepared
        self.unsure: List[Attempt] = []  # perhaps no longer wanted: the master is being asked
        self.strays = Strays(base)
        self.over: Optional[ends.Ending] = None
        self._numbers = list(range(slots, 0, -1))
        self._mail = Mail()
        self._parent = os.getppid()
        keep_files_to_ourselves()

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
                self.reap()
                self.settle()
                self.fill()
                self.prepare_next()
                self.enforce_times()
        finally:
            self.stop()
        return self.over

    # -- the steps

    def wait(self) -> None:
        """Until a program ends, something is posted, a signal comes, or a time is due."""
        self.load.note(len(self.running))
        times = [attempt.kill_at or attempt.deadline for attempt in self.running.values()]
        times += [attempt.give_up for attempt in self.ending]
        began = time.monotonic()
        patience = max(0.0, min([LONGEST_WAIT, *(one - began for one in times if one)]))
        self._mail.wait(patience)
        self._forgive(time.monotonic() - began - patience)
        if os.getppid() != self._parent and self.over is None:
            self.over = ends.Ending(ends.OTHER, "the process that guards the client was killed")

    def reap(self) -> None:
        """Programs that have ended; all that is left of their groups goes with them."""
        for pid, status, usage in ended_children(self.running):
            attempt = self.running.pop(pid, None)
            self.strays.forget(pid)
            if attempt is not None:
                attempt.ended(status, usage)
                self.ending.append(attempt)

    def settle(self) -> None:
        """Those whose whole tree is gone are done: their slot is free, their result is on its way."""
        if not self.ending:
            return
        alive = self.strays.kill(self.running, self.ending)
        now = time.monotonic()
        gone = [one for one in self.ending if one.task.ticket not in alive or now > one.give_up]
        self.ending = [one for one in self.ending if one not in gone]
        self._numbers += [one.slot for one in gone]
        self.fill()  # first the slots, then what is to be done about those that had them
        for attempt in gone:
            self._done(attempt)

    def fill(self) -> None:
        """No slot stays free while something is ready."""
        while self._numbers and self.ready:
            try:
                attempt = self.ready.popleft()
            except IndexError:  # it was given back in this moment
                return
            self._begin(attempt)

    def prepare_next(self) -> None:
        """While programs run there is time to make the directory for the next one."""
        try:
            attempt = self.ready.popleft()  # taken out, so that it is not given back meanwhile
        except IndexError:
            return
        self._prepare(attempt)
        self.ready.appendleft(attempt)

    def _prepare(self, attempt: Attempt) -> None:
        if not (attempt.prepared or attempt.reason or attempt.dropped):
            try:
                attempt.prepare(self.worker_path, {})
            except CannotRun as fault:
                attempt.reason = str(fault)

    def enforce_times(self) -> None:
        """TERM at the timeout, KILL a while after TERM."""
        now = time.monotonic()
        for attempt in self.running.values():
            if attempt.kill_at:
                if now >= attempt.kill_at:
                    attempt.kill()
                    attempt.kill_at = now + 1.0
            elif attempt.deadline and now >= attempt.deadline:
                attempt.timed_out = True
                attempt.stop()

    def stop(self) -> None:
        """End all programs; give results that are ready a moment to reach the master."""
        self._begin_unsure(clock())
        while self.ready:
            try:
                attempt = self.ready.popleft()
            except IndexError:  # it was given back in this moment
                break
            attempt.dropped = True
            self._done(attempt)
        for attempt in self.running.values():
            attempt.dropped = True
            attempt.stop()
        self._until_gone(STOP_TIME)
        for attempt in self.running.values():
            attempt.kill()
        self._until_gone(STOP_TIME)
        self.strays.kill_all(self.running)
        if self.over is not None and self.over.code not in (ends.REFUSED, ends.NOT_REACHED):
            self._until(lambda: not any(not one.dropped for one in list(self.held.values())), 5.0)
        self.master.stopping.set()
        self.asker.line.close()

    def _until_gone(self, seconds: float) -> None:
        self._until(lambda: not self.running and not self.ending, seconds)

    def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self._mail.wait(0.05)
            self._mail.take()
            self.reap()
            self.settle()

    # -- posted by the other threads

    def post(self, function: Callable[..., None], *arguments: Any) -> None:
        """From any thread: have this done by the loop."""
        self._mail.post(function, arguments)

    def begin(self, attempts: List[Attempt]) -> None:
        """Each begins when there is a slot."""
        self.ready.extend(attempts)

    def _begin(self, attempt: Attempt) -> None:
        """Start it, or hand on why it can't be."""
        self._prepare(attempt)
        if self.over is not None or attempt.dropped or attempt.reason:
            attempt.dropped = attempt.dropped or self.over is not None
            return self._done(attempt)
        if not (self.pinger.trust.holds() and attempt.sure):
            self.pinger.now.set()
            return self.unsure.append(attempt)
        attempt.slot = self._numbers.pop()
        try:
            attempt.start(self.environment, attempt.slot)
        except CannotRun as fault:
            attempt.reason = str(fault)
            self._numbers.append(attempt.slot)
            return self._done(attempt)
        self.running[attempt.pid] = attempt
        return None

    def drop(self, ticket: int) -> None:
        """205: somebody else has done it. Its program ends, its result is of no use."""
        attempt = self.held.get(ticket)
        if attempt is not None and not attempt.dropped:
            attempt.dropped = True
            if attempt.pid in self.running:
                attempt.stop()

    def go_on(self, began: float) -> None:
        """The master has answered for all tickets held then; those it called back are dropped."""
        self.pinger.trust.renew(began)
        self._begin_unsure(began)

    def _forgive(self, late: float) -> None:
        """We were stopped for a while: no program's timeout runs meanwhile."""
        if late > LONGEST_WAIT:
            for attempt in self.running.values():
                attempt.deadline += late if attempt.deadline else 0.0

    def _begin_unsure(self, began: float) -> None:
        """Those that the pings since then have named."""
        unsure, self.unsure = self.unsure, []
        for attempt in unsure:
            attempt.sure = attempt.sure or attempt.held_at <= began
        self.ready.extendleft(reversed(unsure))

    def end(self, ending: ends.Ending) -> None:
        """There is a reason to end the client; the first one counts."""
        self.over = self.over or ending

    # -- called by the other threads, in theirs

    def hold(self, attempts: List[Attempt], asked: float) -> None:
        """These tickets are ours from now on; an answer that was long on its way may be overtaken."""
        for attempt in attempts:
            attempt.sure, attempt.held_at = self.pinger.trust.covers(asked), clock()
        self.held.update((attempt.task.ticket, attempt) for attempt in attempts)
        self.room.change(len(attempts), len(attempts))
        self.pinger.now.set()

    def give_back(self, count: int) -> List[Attempt]:
        """Others have nothing to do: up to so many that have not begun, the last ones, are ours no more."""
        self.room.refuse()
        given: List[Attempt] = []
        while len(given) < count:
            try:
                given.append(self.ready.pop())
            except IndexError:
                break
        for attempt in given:
            self.held.pop(attempt.task.ticket, None)
        self.room.change(-len(given), -len(given))
        return given

    def release(self, attempts: List[Attempt]) -> None:
        """These are delivered, or dropped, and cleared away."""
        for attempt in attempts:
            self.held.pop(attempt.task.ticket, None)
        self.room.change(0, -len(attempts))

    def is_busy(self) -> bool:
        """Whether more will end soon."""
        return bool(self.ready or self.running)

    def told_over(self) -> None:
        """The master said that the sweep is over, while we still have tickets: ask which are of use."""
        self.master.grace = min(self.master.grace, OVER_GRACE)
        self.pinger.now.set()

    # -- inside

    def _done(self, attempt: Attempt) -> None:
        attempt.conclude()
        if attempt.reason and not attempt.dropped:
            self.pace.failed()
        elif "wall" in attempt.usage:
            self.pace.note(attempt.usage["wall"])
        if not attempt.dropped:
            self.senders.pack(attempt)
        if attempt.packed:
            attempt.clear_quickly()
        self.room.change(-1, 0, self.pace.ahead())
        self.senders.put(attempt)
        if self.ready and self.pace.is_doubtful:
            Returner(self, self.give_back(len(self.ready))).start()

    def _on_signal(self, number: int, _: Any) -> None:
        self.end(ends.Ending(128 + number, "ended by signal %d" % number))

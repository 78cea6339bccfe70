"""The client's side of its hands: starting them, giving out attempts, hearing and ending them."""

import os
import signal
import socket
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..hand.channel import Channel, ChannelClosed, Message
from ..hand.process import STOP_TIME, work
from ..machine import facts, process_limit, process_tree
from ..machine.out_of_memory import why_killed
from ..task.attempt import Attempt
from ..task.settings import Settings
from ..wire.lease import Lease

MOST = 4  # hands: one is good for some two thousand programs a second
END_TIME = 3 * STOP_TIME  # seconds in which a hand ends that was told to
# Messages whose tickets have no slot any more, or never had one.
SLOT_IS_FREE = ("done", "ended", "back", "unbegun")
LOOK_EVERY = 1.0  # seconds between looks at silent hands
ASK_EVERY = 5.0  # seconds between questions whether hands are there
# Seconds between two looks that may count as silence: the rest this process slept, like the hands.
LONGEST_LOOK = 2.5
STOPPED = 5.0  # seconds after which a hand that is stopped counts as dead
LONGEST_SILENCE = 30.0  # seconds after which any hand counts as dead


class HandProcess:
    """The client's view of one hand, from its fork until it is waited for."""

    def __init__(self, pid: int, channel: Channel, slots: int) -> None:
        self.pid, self.channel, self.slots = pid, channel, slots
        self.limit = slots  # of slots that it may take at a time
        self.draining = 0  # programs that it had when that limit was lowered, and still has
        # Tickets that have a slot at the hand, or wait for one, in the order in which it got them.
        self.tickets: Dict[int, None] = {}
        self.given = 0  # number of attempts given
        self.asked = 0.0  # time of the unanswered question whether the hand is there; 0: none
        self.silent = 0.0  # seconds for which it has not answered
        self.stopped = 0.0  # seconds for which somebody has stopped it

    def leave_slots(self, told: List[Any]) -> None:
        """Forget tickets that have ended or are given back. Each entry begins with its ticket.

        A ticket may be named twice, when its slot is free and when its report follows.
        """
        for one in told:
            self.tickets.pop(one[0], None)
        self.given = len(self.tickets)
        self.draining = min(self.draining, self.given)

    def bound(self, slots: int, number: int) -> None:
        """Have it take no more than so many slots. What has begun goes on."""
        self.draining = min(self.given, max(self.limit, self.draining))
        self.limit = slots
        self.channel.send("bound", (self.slots - slots, number))

    @property
    def begun(self) -> int:
        """The most programs that it has now."""
        return min(self.given, max(self.limit, self.draining))

    @property
    def room(self) -> int:
        """Slots for attempts; 0 while programs are to end first."""
        return self.limit if self.draining <= self.limit else 0

    def look(self, awake: float, slept: bool = False) -> None:
        """Note how it is, after `awake` seconds in which this process ran.

        `slept`: this process was stopped itself. A hand that is continued a moment after it, as with
        a group that was suspended, is still stopped at this look.

        Waits for a disk (state D) are no silence: a slow NFS server must not cost its tasks.
        """
        state = (facts.stat_of(self.pid) or [""])[0]
        self.stopped = self.stopped + awake if state == "T" and not slept else 0.0
        if self.asked and state != "D":
            self.silent += awake

    def is_dead(self) -> bool:
        """Tell whether it has been stopped or silent for so long that it counts as dead."""
        return self.stopped >= STOPPED or self.silent >= LONGEST_SILENCE


class Hands:
    """The hands of this client.

    Made before there is any thread: each hand is a fork of this process.
    """

    def __init__(self, slots: int, settings: Settings, lease: Lease) -> None:
        self.processes: List[HandProcess] = []
        self._looked = self._asked = time.monotonic()
        count = min(MOST, slots)
        for first in range(1, count + 1):
            numbers = list(range(first, slots + 1, count))
            self.processes.append(self._start(numbers, settings, lease))

    def _start(self, slots: List[int], settings: Settings, lease: Lease) -> HandProcess:
        ours, theirs = socket.socketpair()
        pid = process_limit.fork()
        if pid:
            theirs.close()
            return HandProcess(pid, Channel(ours), len(slots))
        ours.close()
        # A copy that stays open in this hand would hide from the others that the client is gone.
        for other in self.processes:
            other.channel.close()
        work(slots, Channel(theirs), settings, lease)
        os._exit(0)

    @property
    def channels(self) -> List[Channel]:
        """The channels to the hands that live."""
        return [one.channel for one in self.processes]

    @property
    def pids(self) -> List[int]:
        """The processes below which the programs run."""
        return [one.pid for one in self.processes]

    def feed(self, following: Callable[[], Optional[Attempt]], near: int) -> None:
        """Hand the next attempts to the least loaded hands, up to `near` attempts beyond each slot.

        `following` returns the next attempt, None when there is none.
        """
        batches: List[Tuple[HandProcess, List[Any]]] = [
            (one, []) for one in self.processes if one.room
        ]
        while batches:
            hand, batch = min(batches, key=lambda pair: pair[0].given / pair[0].room)
            if hand.given >= hand.room * (1 + near):
                break
            attempt = following()
            if attempt is None:
                break
            hand.tickets[attempt.task.ticket] = None
            hand.given += 1
            batch.append(attempt.given())
        for hand, batch in batches:
            if batch:  # one message for all of a hand: a message costs more than an attempt in it
                hand.channel.send("begin", batch)

    def receive(self) -> List[Message]:
        """Return what the hands have said; for a hand that is gone also `killed`."""
        found: List[Message] = []
        for hand in list(self.processes):
            try:
                messages = hand.channel.receive()
            except ChannelClosed:
                messages = [("killed", self._bury(hand))]
            if messages:
                hand.asked = hand.silent = 0.0
            for name, argument in messages:
                if name in SLOT_IS_FREE:
                    hand.leave_slots(argument)
            found += messages
        return found

    def is_uneven(self) -> bool:
        """Tell whether one hand has a free slot while attempts wait at another one."""
        return any(one.given < one.room for one in self.processes) and self.are_waiting()

    def are_waiting(self) -> bool:
        """Tell whether a hand has more attempts than slots."""
        return any(one.given > max(one.limit, one.draining) for one in self.processes)

    def bound(self, slots: int, number: int) -> int:
        """Share so many slots among the hands. Return how many hands are to answer `bounded`."""
        many = len(self.processes)
        for place, hand in enumerate(self.processes):
            share = slots // many + (place < slots % many)
            hand.bound(min(share, hand.slots), number)
        return many

    @property
    def is_draining(self) -> bool:
        """Tell whether programs are to end before a new one may begin at their hand."""
        return any(one.draining > one.limit for one in self.processes)

    @property
    def begun(self) -> int:
        """The most programs that all hands have now."""
        return sum(one.begun for one in self.processes)

    def tell(self, name: str, argument: Any = None) -> int:
        """Send a message to all hands. Return how many there are."""
        for one in self.processes:
            one.channel.send(name, argument)
        return len(self.processes)

    def kill_silent(self, now: float) -> None:
        """Kill hands that do not answer any more. Only time in which this process was awake counts."""
        if now - self._looked < LOOK_EVERY:
            return
        passed, self._looked = now - self._looked, now
        awake, slept = min(passed, LONGEST_LOOK), passed > LONGEST_LOOK
        may_ask = now - self._asked >= ASK_EVERY
        for hand in self.processes:
            hand.look(awake, slept)
            if hand.is_dead():
                process_tree.send(hand.pid, signal.SIGKILL)
            elif not hand.asked and hand.tickets and may_ask:
                hand.asked = now
                hand.channel.send("here")
        if may_ask:
            self._asked = now

    def _bury(self, hand: HandProcess) -> Tuple[str, List[int]]:
        """Wait for a hand that is gone. Return why it is, and the tickets that it had begun."""
        self.processes.remove(hand)
        hand.channel.close()
        try:
            status = os.waitpid(hand.pid, 0)[1]
        except ChildProcessError:  # waited for with all other children, at the end of the client
            status = 0
        begun = list(hand.tickets)[: hand.slots]
        if not os.WIFSIGNALED(status):
            return "a process of the client has ended", begun
        number = os.WTERMSIG(status)
        text = "a process of the client was killed by signal %d%s"
        return text % (number, why_killed(-number)), begun

    def stop(self, is_hasty: bool) -> None:
        """Tell all hands to end. A hand that is stopped is continued, or it could not hear that."""
        self.tell("stop", is_hasty)
        for one in self.processes:
            process_tree.send(one.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill hands that have not ended."""
        for one in self.processes:
            process_tree.send(one.pid, signal.SIGKILL)

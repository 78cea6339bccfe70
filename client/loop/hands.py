"""The client's side of its hands: starting them, giving each what it has room for, hearing them, ending them."""

import os
import signal
import socket
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..hand.channel import Channel, ChannelClosed, Message
from ..hand.process import STOP_TIME, work
from ..machine import facts, process_tree
from ..machine.out_of_memory import why_killed
from ..task.attempt import Attempt
from ..task.settings import Settings
from ..wire.lease import Lease

MOST = 4  # each is good for some two thousand programs a second
END_TIME = 3 * STOP_TIME  # seconds in which a hand ends that was told to
LEFT = ("done", "ended", "back", "unbegun")  # tickets named in these have no slot any more, or never had
LOOK_EVERY, ASK_EVERY = 1.0, 5.0  # seconds between looks, and between questions whether hands are there
LONGEST_LOOK = 2.5  # seconds between two looks that may count as silence
STOPPED_SILENCE, LONGEST_SILENCE = 5.0, 30.0  # seconds after which a hand counts as dead: one that is stopped, any


class HandProcess:
    """A hand as the client sees it."""

    def __init__(self, pid: int, channel: Channel, slots: int) -> None:
        self.pid, self.channel, self.slots = pid, channel, slots
        self.tickets: Dict[int, None] = {}  # that it has a slot for, or will have, in the order in which it got them
        self.given = 0  # how many these are
        self.asked = self.silent = 0.0  # when it was asked whether it is there, and for how long it has not answered

    def leave(self, told: List[Any]) -> None:
        """These have ended, or are given back; that of some which had ended the rest is told now changes nothing."""
        for one in told:
            self.tickets.pop(one[0], None)
        self.given = len(self.tickets)

    def is_dead(self) -> bool:
        """Whether it has been silent for so long that it must be: stopped, or stuck, but not by a slow disk."""
        if self.silent < STOPPED_SILENCE:
            return False
        state = (facts.stat_of(self.pid) or [""])[0]
        return state == "T" or (self.silent >= LONGEST_SILENCE and state != "D")


class Hands:
    """Made before there is any thread, as each is a fork of this process."""

    def __init__(self, slots: int, settings: Settings, lease: Lease) -> None:
        self.processes: List[HandProcess] = []
        self._looked = self._asked = time.monotonic()
        count = min(MOST, slots)
        for first in range(1, count + 1):
            self.processes.append(self._start(list(range(first, slots + 1, count)), settings, lease))

    def _start(self, slots: List[int], settings: Settings, lease: Lease) -> HandProcess:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid:
            theirs.close()
            return HandProcess(pid, Channel(ours), len(slots))
        ours.close()
        for other in self.processes:  # or it would not be heard that the client is gone
            other.channel.close()
        work(slots, Channel(theirs), settings, lease)
        os._exit(0)

    @property
    def channels(self) -> List[Channel]:
        """Where they are heard, those that live."""
        return [one.channel for one in self.processes]

    @property
    def pids(self) -> List[int]:
        """Below which the programs run."""
        return [one.pid for one in self.processes]

    def feed(self, following: Callable[[], Optional[Attempt]], near: int) -> None:
        """Give out what follows, to who has the least: `near` tasks beyond each slot."""
        given: List[Tuple[HandProcess, List[Any]]] = [(one, []) for one in self.processes]
        while given:
            one, batch = min(given, key=lambda pair: pair[0].given / pair[0].slots)
            attempt = following() if one.given < one.slots * (1 + near) else None
            if attempt is None:
                break
            one.tickets[attempt.task.ticket] = None
            one.given += 1
            batch.append(attempt.given())
        for one, batch in given:
            if batch:
                one.channel.send("begin", batch)

    def receive(self) -> List[Message]:
        """What they have said; of one that is gone, that it is."""
        found: List[Message] = []
        for one in list(self.processes):
            try:
                messages = one.channel.receive()
            except ChannelClosed:
                messages = [("killed", self._bury(one))]
            if messages:
                one.asked = one.silent = 0.0
            for name, argument in messages:
                if name in LEFT:
                    one.leave(argument)
            found += messages
        return found

    def is_uneven(self) -> bool:
        """Whether one has a free slot while tasks wait for another's."""
        return any(one.given < one.slots for one in self.processes) and self.are_waiting()

    def are_waiting(self) -> bool:
        """Whether one has more than it has slots for."""
        return any(one.given > one.slots for one in self.processes)

    def tell(self, name: str, argument: Any = None) -> int:
        """All of them; how many there are."""
        for one in self.processes:
            one.channel.send(name, argument)
        return len(self.processes)

    def kill_silent(self, now: float) -> None:
        """End hands that do not answer any more. Only time in which this process was awake counts."""
        if now - self._looked < LOOK_EVERY:
            return
        awake, self._looked = min(now - self._looked, LONGEST_LOOK), now
        for one in self.processes:
            if one.asked:
                one.silent += awake
                if one.is_dead():
                    process_tree.send(one.pid, signal.SIGKILL)
            elif one.tickets and now - self._asked >= ASK_EVERY:
                one.asked = now
                one.channel.send("here")
        if now - self._asked >= ASK_EVERY:
            self._asked = now

    def _bury(self, one: HandProcess) -> Tuple[str, List[int]]:
        """Why it is gone, and the tickets that it had begun."""
        self.processes.remove(one)
        one.channel.close()
        status = os.waitpid(one.pid, 0)[1]
        begun = list(one.tickets)[: one.slots]
        if not os.WIFSIGNALED(status):
            return "a process of the client has ended", begun
        number = os.WTERMSIG(status)
        return "a process of the client was killed by signal %d%s" % (number, why_killed(-number)), begun

    def kill(self) -> None:
        """Those that have not ended."""
        for one in self.processes:
            process_tree.send(one.pid, signal.SIGKILL)

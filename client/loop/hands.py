"""The client's side of its hands: starting them, giving each what it has room for, hearing them, ending them."""

import os
import signal
import socket
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..hand.channel import Gone, Message, Post
from ..hand.hand import STOP_TIME, work
from ..machine import facts, process_tree
from ..machine.out_of_memory import why_killed
from ..task.attempt import Attempt
from ..task.settings import Settings
from ..wire.lease import Trust

MOST = 4  # each is good for some two thousand programs a second
END_TIME = 3 * STOP_TIME  # seconds in which a hand ends that was told to
LEFT = ("done", "ended", "back", "unbegun")  # tickets named in these have no slot any more, or never had
LOOK_EVERY, ASK_EVERY = 1.0, 5.0  # seconds between looks, and between questions whether hands are there
LONGEST_LOOK = 2.5  # seconds between two looks that may count as silence
STOPPED, LONGEST_SILENCE = 5.0, 30.0  # seconds after which a hand counts as dead: one that is stopped, any


class _One:
    """A hand as the client sees it."""

    def __init__(self, pid: int, post: Post, slots: int) -> None:
        self.pid, self.post, self.slots = pid, post, slots
        self.tickets: Dict[int, None] = {}  # that it has a slot for, or will have, in the order in which it got them
        self.given = 0  # how many these are
        self.asked = self.silent = 0.0  # when it was asked whether it is there, and for how long it has not answered
        self.stopped = 0.0  # for how long somebody has stopped it

    def leave(self, told: List[Any]) -> None:
        """These have ended, or are given back; that of some which had ended the rest is told now changes nothing."""
        for one in told:
            self.tickets.pop(one[0], None)
        self.given = len(self.tickets)

    def look(self, awake: float) -> None:
        """Note how it is after so many seconds in which the client was awake. A slow disk makes nobody silent."""
        state = (facts.stat_of(self.pid) or [""])[0]
        self.stopped = self.stopped + awake if state == "T" else 0.0
        self.silent += awake if self.asked and state != "D" else 0.0

    def is_dead(self) -> bool:
        """Whether it must be, as it was stopped or silent for so long."""
        return self.stopped >= STOPPED or self.silent >= LONGEST_SILENCE


class Hands:
    """Made before there is any thread, as each is a fork of this process."""

    def __init__(self, slots: int, settings: Settings, trust: Trust) -> None:
        self._all: List[_One] = []
        self._looked = self._asked = time.monotonic()
        count = min(MOST, slots)
        for first in range(1, count + 1):
            self._all.append(self._start(list(range(first, slots + 1, count)), settings, trust))

    def _start(self, slots: List[int], settings: Settings, trust: Trust) -> _One:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid:
            theirs.close()
            return _One(pid, Post(ours), len(slots))
        ours.close()
        for other in self._all:  # or it would not be heard that the client is gone
            other.post.close()
        work(slots, Post(theirs), settings, trust)
        os._exit(0)

    @property
    def posts(self) -> List[Post]:
        """Where they are heard, those that live."""
        return [one.post for one in self._all]

    @property
    def pids(self) -> List[int]:
        """Below which the programs run."""
        return [one.pid for one in self._all]

    def feed(self, following: Callable[[], Optional[Attempt]], near: int) -> None:
        """Give out what follows, to who has the least: `near` tasks beyond each slot."""
        given: List[Tuple[_One, List[Any]]] = [(one, []) for one in self._all]
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
                one.post.send("begin", batch)

    def heard(self) -> List[Message]:
        """What they have said; of one that is gone, that it is."""
        found: List[Message] = []
        for one in list(self._all):
            try:
                messages = one.post.heard()
            except Gone:
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
        return any(one.given < one.slots for one in self._all) and self.are_waiting()

    def are_waiting(self) -> bool:
        """Whether one has more than it has slots for."""
        return any(one.given > one.slots for one in self._all)

    def tell(self, name: str, argument: Any = None) -> int:
        """All of them; how many there are."""
        for one in self._all:
            one.post.send(name, argument)
        return len(self._all)

    def look_after(self, now: float) -> None:
        """End hands that do not answer any more. Only time in which this process was awake counts."""
        if now - self._looked < LOOK_EVERY:
            return
        awake, self._looked = min(now - self._looked, LONGEST_LOOK), now
        for one in self._all:
            one.look(awake)
            if one.is_dead():
                process_tree.send(one.pid, signal.SIGKILL)
            elif not one.asked and one.tickets and now - self._asked >= ASK_EVERY:
                one.asked = now
                one.post.send("here")
        if now - self._asked >= ASK_EVERY:
            self._asked = now

    def _bury(self, one: _One) -> Tuple[str, List[int]]:
        """Why it is gone, and the tickets that it had begun."""
        self._all.remove(one)
        one.post.close()
        status = os.waitpid(one.pid, 0)[1]
        begun = list(one.tickets)[: one.slots]
        if not os.WIFSIGNALED(status):
            return "a process of the client has ended", begun
        number = os.WTERMSIG(status)
        return "a process of the client was killed by signal %d%s" % (number, why_killed(-number)), begun

    def stop(self, is_hasty: bool) -> None:
        """Tell all of them to end. One that somebody has stopped goes on, as it could not hear it."""
        self.tell("stop", is_hasty)
        for one in self._all:
            process_tree.send(one.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Those that have not ended."""
        for one in self._all:
            process_tree.send(one.pid, signal.SIGKILL)

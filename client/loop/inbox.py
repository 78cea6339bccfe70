"""The inbox of the loop: the one way in which threads, hands and signals tell the loop something.

An event is a name and an argument. The loop has one table of what it does for each name (loop.py),
and does it in its own thread. So the threads decide nothing about programs, and the loop needs no
locks of its own.

From the threads that talk with the master:

    ready          [Attempt, …]           may begin; what they share with other tasks is here
    expired        ticket                 the master does not want it any more
    confirmed      clock time             the master has answered for all tickets held at this time
    give back      count                  other hosts are idle: return up to so many that have not begun
    renewed        (key, original, fault) a changed original was fetched again, or could not be
    watch          (ticket, Event)        a person is going to look into the directory of a task
    signal         (ticket, number)       a person stops a task, or has it go on
    bound          (programs, number)     a farm grants so many at a time from now on
    end            Ending                 a reason to end the client

From signal handlers: `got signal`, its number. From the hands: see hand/channel.py.
"""

from collections import deque
from typing import Any, Deque, Iterable, Iterator, Optional, Sequence, Tuple

from ..hand.channel import Channel
from ..hand.wakeup import WakeupPipe

Event = Tuple[str, Any]


class Inbox:
    """The events that the loop has not handled yet, and the pipe that wakes it.

    Lives as long as the client.
    """

    def __init__(self) -> None:
        self._events: Deque[Event] = deque()
        self._wakeup = WakeupPipe()

    def tell(self, name: str, argument: Any = None) -> None:
        """Put in one event and wake the loop. For any thread, and for signal handlers."""
        # A deque needs no lock: append and popleft are single steps for other threads and handlers.
        self._events.append((name, argument))
        self._wakeup.ring()

    def add(self, events: Iterable[Event]) -> None:
        """Put in events without waking anybody. For the loop's own thread, which handles them next."""
        self._events.extend(events)

    def hear_signals(self) -> None:
        """Have signals that end a client tell the loop so, and SIGCHLD wake it.

        For the main thread.
        """
        self._wakeup.hear_signals(lambda number, _: self.tell("got signal", number))

    def wait(self, seconds: Optional[float], channels: Sequence[Channel]) -> None:
        """Wait until an event is put in or a channel can be read, at most so many seconds."""
        self._wakeup.wait(seconds, channels)

    def events(self) -> Iterator[Event]:
        """Yield and remove the events in the order in which they came, also those that come now."""
        # The loop asks again until none is left, so an event that is told while another one is
        # handled needs no second wake-up.
        while self._events:
            yield self._events.popleft()

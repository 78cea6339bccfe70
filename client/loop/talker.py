"""The parts that the loop and its threads share, and a thread with a connection of its own."""

import signal
import threading
from typing import NamedTuple, Optional

from .. import exits
from ..machine.load import Load
from ..machine.process_limit import unforeseen
from ..wire.bound import Bound, told
from ..wire.lease import Lease
from ..wire.master import Master, Stopping
from ..wire.reply import Reply
from .inbox import Inbox
from .prefetch import Demand, Prefetch
from .tickets import Tickets


class Shared(NamedTuple):
    """The parts that the loop and its threads share. Made once, at the start of a client."""

    master: Master
    inbox: Inbox
    tickets: Tickets
    demand: Demand
    prefetch: Prefetch
    lease: Lease
    load: Load
    bound: Bound
    base: str  # the path of the folder of this client
    worker_name: str  # empty for none
    may_hold: bool  # True: the master may hold requests (long poll)


class Talker(threading.Thread):
    """A thread that talks with the master over a connection of its own; subclasses say what.

    An error that ends the thread ends the client: a client without one of its threads would hold
    tickets for nothing.
    """

    def __init__(self, shared: Shared) -> None:
        super().__init__(daemon=True)
        self.shared = shared
        self.master, self.inbox, self.tickets = shared.master, shared.inbox, shared.tickets
        self.connection = shared.master.connection(self.before_request)

    def run(self) -> None:
        # Signals are the loop's: while it starts a program it hears none, and each would wake a thread instead.
        signal.pthread_sigmask(
            signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}
        )
        try:
            self.talk()
        except Stopping:
            return
        except exits.Ending as ending:
            self.inbox.tell("end", ending)
        except BaseException:
            self.inbox.tell("end", unforeseen())

    def talk(self) -> None:
        """Do the work of this thread, until the client ends or the work is done."""
        raise NotImplementedError

    def before_request(self) -> None:
        """Called before each try of a request. What it raises ends the request."""

    def wait_for_lease(self) -> None:
        """Wait, after a long silence, until the master has said which tickets still count.

        Raises Stopping.
        """
        self.shared.lease.wait(self.master.stopping)

    def hear_bound(self, reply: Reply) -> bool:
        """Tell the loop how many programs this client may have, where a farm's grant has changed.

        Return whether it has.
        """
        return tell_bound(self.shared, reply.headers.get("Slots"))

    def hang_up(self) -> None:
        """Close the connection. A request that waits in this thread ends at once."""
        self.connection.close()


def tell_bound(shared: Shared, text: Optional[str]) -> bool:
    """Tell the loop the bound that the master has told, if it is new. Return whether it is."""
    came = told(text)
    if came is None or came[1] <= shared.bound.number:
        return False
    shared.inbox.tell("bound", came)
    return True


class HeldTalker(Talker):
    """A talker whose thread is there from its start, and talks once it is released."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._released = threading.Event()

    def release(self) -> None:
        """Let it talk."""
        self._released.set()

    def run(self) -> None:
        self._released.wait()
        super().run()

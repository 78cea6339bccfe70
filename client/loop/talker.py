"""A thread of the client with a connection to the master of its own; what it does is for those who inherit."""

import signal
import threading

from .. import exits
from ..wire.master import Stopping
from .tickets import Tickets


class Talker(threading.Thread):
    """A thread whose end with an error is the end of the client."""

    def __init__(self, tickets: Tickets) -> None:
        super().__init__(daemon=True)
        self.tickets = tickets
        self.line = tickets.master.line()

    def run(self) -> None:
        # Signals are the loop's: while it starts a program it hears none, and each would wake one of us instead.
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
        try:
            self.talk()
        except Stopping:
            return
        except exits.Ending as ending:
            self.tickets.tell("end", ending)
        except BaseException:
            self.tickets.tell("end", exits.unforeseen())

    def talk(self) -> None:
        """What this thread does until the client ends."""
        raise NotImplementedError

    def wait_for_trust(self) -> None:
        """After a long silence, wait until the master has said what still counts."""
        self.tickets.trust.wait(self.tickets.master.stopping)

"""The ways in which a client ends: its exit codes, and the sentence that goes with each."""

from typing import List

# The master reads these codes, too (master/launch/outcome.py); its own begin at 40.
OK = 0
OTHER = 1
USAGE = 2
NOT_REACHED = 3
REFUSED = 4
CERTIFICATE = 5
WORKDIR = 6
SETUP = 8
WORKER = 9
OTHERS = 10
FAULT = 11
KILLED = 12
NO_PROCESS = 13
SOFTWARE = 14


class Ending(Exception):
    """Raised, or passed on, when the client cannot or need not go on.

    `text` is one line for people, `code` the exit code.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code, self.text = code, text

    def __str__(self) -> str:
        return self.text


class Killed(Ending):
    """The ending of a client of which a process was killed.

    One of the tickets that had begun below that process may be why: they count as lost with it.
    """

    def __init__(self, text: str, begun: List[int]) -> None:
        super().__init__(KILLED, text)
        self.begun = begun


class SessionRefused(Ending):
    """Raised when the master does not know this session, or will not let it do this (403)."""

    def __init__(self, text: str) -> None:
        super().__init__(REFUSED, text)

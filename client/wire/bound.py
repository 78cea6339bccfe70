"""The bound of programs that a farm's grant sets: what the master tells, and what this client does.

The master counts a lower bound only once the client has said that it follows it.
"""

from typing import Optional, Tuple

from .master import Query


class Bound:
    """The number of programs that this client may have at a time. Lives as long as the client.

    The loop changes it; the threads that talk with the master read it.
    """

    def __init__(self) -> None:
        self.number = 0  # of the newest bound that the master has told
        self.followed = None  # type: Optional[int]  # number of the bound that all hands follow
        self.begun = 0  # programs that are begun or may be begun now

    @property
    def words(self) -> Query:
        """The parameters that tell the master of this bound; none in a run without a farm."""
        followed = self.followed
        return [] if followed is None else [("granted", followed), ("begun", self.begun)]


def told(text: Optional[str]) -> Optional[Tuple[int, int]]:
    """Return the bound in a header or a line of the configuration: (programs, its number).

    None where there is none, as in a run without a farm.
    """
    words = (text or "").split()
    if len(words) != 2 or not all(word.isdecimal() and len(word) < 10 for word in words):
        return None
    return int(words[0]), int(words[1])

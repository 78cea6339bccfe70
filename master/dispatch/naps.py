"""The times in which this master heard nobody, by no fault of its hosts: it was suspended, or its network was away.

A client that ended in such a time has done what `grace:` says. Neither its host nor its task is to blame.
"""

from __future__ import annotations

import math

from ..model import Client

# Seconds after the end of such a time in which clients may still end because of it: a client that has given up on
# the master first ends its programs and clears up.
AFTER = 30.0
LEFT = "the master was silent for longer than `grace:`"  # why such a client has ended


class Naps:
    """The end of the latest of these times; lives as long as the run."""

    def __init__(self) -> None:
        # The latest end is enough: a client that an earlier one ended is older than the latest one, too.
        self.heard_again = -math.inf

    def note(self, now: float) -> None:
        """Note that nobody was heard until now."""
        self.heard_again = max(self.heard_again, now)

    def has_ended(self, client: Client, now: float) -> bool:
        """Tell whether a client that is gone has ended because it could not reach this master."""
        return client.since <= self.heard_again and min(client.word, now) <= self.heard_again + AFTER

    def has_disturbed(self, began: float, now: float) -> bool:
        """Tell whether a start that began then, and of which no client came, fell into such a time."""
        return began <= self.heard_again and now <= self.heard_again + AFTER

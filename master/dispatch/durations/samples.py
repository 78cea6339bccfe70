"""The sets that ended, of which durations are learned: a few hundred, whatever the size of the sweep. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

MOST = 256  # samples over the whole run: more cost more and foretell hardly better
LATEST = 200  # latest samples: they show how fast hosts are now


class Sample(NamedTuple):
    """An accepted attempt: the parameters of its set, its host, seconds of its program, and what came on top."""

    values: Mapping[str, str]
    host: str
    wall: float
    # Seconds from the hand-out to the acceptance in which the program did not run; None: an earlier master handed it
    # out, and when is not known
    delay: float | None


class Samples:
    """The samples of one run. A set that ends costs an addition or two."""

    def __init__(self) -> None:
        self.count = 0  # accepted attempts in all
        self.seconds = 0.0  # of all of them
        self.over_all: list[Sample] = []  # evenly spread over the run, at most MOST
        self.latest: deque[Sample] = deque(maxlen=LATEST)
        self._step = 1

    def note(self, values: Mapping[str, str], host: str, wall: float, delay: float | None) -> None:
        """Take in an accepted attempt."""
        self.count += 1
        self.seconds += wall
        sample = Sample(values, host, wall, delay)
        self.latest.append(sample)
        if self.count % self._step:
            return
        self.over_all.append(sample)
        if len(self.over_all) > MOST:
            # Every second one goes, and from now on every second one comes: an even share of the whole run.
            del self.over_all[::2]
            self._step *= 2

    @property
    def mean(self) -> float:
        """The mean seconds of all accepted attempts, 0 before the first."""
        return self.seconds / self.count if self.count else 0.0

"""Counts for people who look: which host did what, how fast, and what failed last. Pure; time is an argument.

It costs a few additions a task and never grows with the sweep. The store counts for good; this is of this run only.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

NEWEST = 20  # failures that are remembered
WINDOW = 60.0  # seconds of which the rate is told
ENOUGH = 20  # ends that a rate needs; slow sweeps look back further for them
BARS = 120  # bars of the history: when there are more, two become one


@dataclass(slots=True)
class HostTally:
    """The work of one host in this run; `seconds` are those of programs."""

    done: int = 0
    failed: int = 0
    lost: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class FailedTask:
    """The newest failure of one task; `final`: it will not be tried again."""

    task: int
    reason: str
    host: str
    time: float
    final: bool = False


@dataclass(slots=True)
class History:
    """The number of tasks that ended in each stretch of time, all of one width, since the first end."""

    began: float = 0.0
    width: float = 1.0
    bars: list[int] = field(default_factory=list)

    def add(self, now: float) -> None:
        """Count one more end."""
        if not self.bars:
            self.began = now
        place = int((now - self.began) / self.width)
        while place >= BARS:
            self.bars = [sum(self.bars[i : i + 2]) for i in range(0, len(self.bars), 2)]
            self.width *= 2
            place = int((now - self.began) / self.width)
        self.bars += [0] * (place + 1 - len(self.bars))
        self.bars[place] += 1

    def until(self, now: float) -> list[int]:
        """Return the bars, with empty ones for the time since the last end."""
        empty = int((now - self.began) / self.width) + 1 - len(self.bars) if self.bars else 0
        return self.bars + [0] * min(max(0, empty), 10 * BARS)


class Tally:
    """The counts of one run; the dispatch tells it of every end."""

    def __init__(self) -> None:
        self.hosts: dict[str, HostTally] = {}
        self.failures: dict[int, FailedTask] = {}  # by task, the newest last
        self.history = History()
        self._ends: deque[list[float]] = deque(maxlen=600)  # [second, ends in it]
        self._given_up: list[FailedTask] = []

    def _of(self, host: str) -> HostTally:
        work = self.hosts.get(host)
        if work is None:
            work = self.hosts[host] = HostTally()
        return work

    def done(self, now: float, host: str, task: int, seconds: float) -> None:
        """Count an accepted result."""
        work = self._of(host)
        work.done += 1
        work.seconds += seconds
        if self.failures:
            self.failures.pop(task, None)
        self._ended(now)

    def failed(self, now: float, host: str, task: int, reason: str, seconds: float) -> None:
        """Count an attempt that went wrong."""
        work = self._of(host)
        work.failed += 1
        work.seconds += seconds
        self._remember(FailedTask(task, reason, host, now))

    def _remember(self, failure: FailedTask) -> None:
        self.failures.pop(failure.task, None)
        self.failures[failure.task] = failure
        if len(self.failures) > NEWEST:
            del self.failures[next(iter(self.failures))]

    def lost(self, host: str) -> None:
        """Count an attempt that vanished with its host, or whose client left."""
        self._of(host).lost += 1

    def gave_up(self, now: float, task: int, reason: str) -> None:
        """Count a task that has failed for good."""
        known = self.failures.get(task)
        failure = FailedTask(task, reason, known.host if known else "", now, final=True)
        self._remember(failure)
        if len(self._given_up) < NEWEST:  # if very many fail at once, a few are told
            self._given_up.append(failure)
        self._ended(now)

    def forget(self, task: int) -> None:
        """Forget the failure of a task that is to be tried again."""
        self.failures.pop(task, None)

    def take_given_up(self) -> list[FailedTask]:
        """Return the tasks that were given up since the last call, at most 20."""
        taken, self._given_up = self._given_up, []
        return taken

    # -- how fast

    def _ended(self, now: float) -> None:
        second = float(int(now))
        if self._ends and self._ends[-1][0] == second:
            self._ends[-1][1] += 1
        else:
            self._ends.append([second, 1])
        self.history.add(now)

    def recent(self, now: float, began: float) -> tuple[int, float]:
        """Return (count, seconds): the ends within the recent window.

        The window never starts before `began`, when the first client registered.
        """
        count, since = 0, began
        for second, ends in reversed(self._ends):
            if now - second > WINDOW and count >= ENOUGH:
                since = max(began, second + 1.0)
                break
            count += int(ends)
        return count, max(1.0, now - since)

"""The order of the waiting sets: longest first, where the parameters foretell how long a set takes. Pure.

A long set that begins last keeps one slot busy while all others are idle. The order changes only where that is known
to pay; else it stays as given.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence

from ...model import Task
from .makespans import pays
from .model import FEWEST, Model
from .samples import Samples

SHORT = 0.2  # seconds: sets that are shorter in the mean keep their order, which then matters to nobody
GROWTH = 1.3  # samples must have become so many times as many before a new model is learned
LEARN_PAUSE = 2.0  # seconds between two models, at least
SORT_PAUSE = 5.0  # seconds between two orders of one model, at least
EXPLAINED = 0.7  # share of the variance that the parameters must explain: with less, luck decides which order wins
ALIKE = 0.05  # logarithm: sets whose forecasts differ by less keep their order
LEAST_SPREAD = 0.1  # standard deviation of the forecasts' logarithms; equal sets need no order
FEW = 12  # waiting sets a slot: with fewer, both orders are played through; with more, their ends hardly differ
ORDERED = 5000  # waiting sets that are ordered; feeding.py loads as many at a time


class LongestFirst:
    """The forecast of one run, and the order of its queue. `is_on`: the order may be changed."""

    def __init__(self, is_on: bool = True) -> None:
        self.is_on = is_on
        self.samples = Samples()
        self.model: Model | None = None
        self.orders = False  # the queue is longest first now
        self._learned_at = -math.inf
        self._learned_from = 0.0
        self._sorted_at = -math.inf
        self._sorted = (0, 0)  # the first and the last set when the queue was sorted
        self._known: dict[int, float] = {}  # task -> logarithm of its forecast: of waiting ones only

    def learn(self, now: float) -> bool:
        """Learn a new model if enough sets have ended since the last one. Return whether there is a new one."""
        samples = self.samples
        if samples.count < max(FEWEST, self._learned_from * GROWTH) or samples.mean < SHORT:
            return False
        if now - self._learned_at < LEARN_PAUSE:
            return False
        self._learned_at, self._learned_from = now, float(samples.count)
        self.model = Model(samples.over_all)
        self._known.clear()
        return True

    def of(self, task: Task) -> float:
        """Return the logarithm of the factor by which a task takes longer than a usual one; 0 where unknown."""
        model = self.model
        if model is None or not model.is_useful:
            return 0.0
        found = self._known.get(task.number)
        if found is None:
            found = self._known[task.number] = model.of_parameters(task.values)
        return found

    def forget(self, waiting: deque[int]) -> None:
        """Forget the forecasts of tasks that wait no longer."""
        if len(self._known) > 2 * len(waiting) + 100:
            self._known = {number: self._known[number] for number in waiting if number in self._known}

    def sort(
        self,
        now: float,
        waiting: deque[int],
        tasks: Mapping[int, Task],
        busy: Sequence[tuple[Task, float, str]],
        idle: Sequence[str],
    ) -> None:
        """Put the longest sets first, if that pays. Called each second.

        `busy`: tasks that have a slot, each with the seconds since then and its host. `idle`: the hosts
        of the other slots.
        """
        is_new = self.learn(now)
        if not self.is_on:
            return
        if not is_new and not (self.orders and self._is_unsorted(now, waiting)):
            return
        self.forget(waiting)
        model = self.model
        if model is None or not model.is_useful or model.explained < EXPLAINED or len(waiting) < 2:
            self.orders = False
            return
        chosen = list(waiting)[:ORDERED]
        found = {number: self.of(tasks[number]) for number in chosen}
        new = sorted(chosen, key=lambda number: _key(tasks[number], found[number]))
        if new != chosen:
            if not self.orders and not self._is_worth_it(model, chosen, new, found, busy, idle):
                return
            rest = list(waiting)[ORDERED:]
            waiting.clear()
            waiting.extend(new)
            waiting.extend(rest)
            self.orders = True
        self._sorted_at, self._sorted = now, (len(waiting), waiting[-1])

    def _is_unsorted(self, now: float, waiting: deque[int]) -> bool:
        """Tell whether tasks have come behind those that are in order."""
        if len(waiting) < 2 or now - self._sorted_at < SORT_PAUSE:
            return False
        return waiting[-1] != self._sorted[1] or len(waiting) > self._sorted[0]

    def _is_worth_it(
        self,
        model: Model,
        chosen: Sequence[int],
        new: Sequence[int],
        found: Mapping[int, float],
        busy: Sequence[tuple[Task, float, str]],
        idle: Sequence[str],
    ) -> bool:
        logs = list(found.values())
        mean = math.fsum(logs) / len(logs)
        if math.sqrt(math.fsum((one - mean) ** 2 for one in logs) / len(logs)) < LEAST_SPREAD:
            return False
        if len(chosen) > FEW * (len(busy) + len(idle)):
            return True
        usual = model.of_host("")
        free = [(0.0, math.exp(model.of_host(host) - usual)) for host in idle]
        for task, elapsed, host in busy:
            slowness = math.exp(model.of_host(host) - usual)
            free.append((max(0.0, math.exp(usual + self.of(task)) * slowness - elapsed), slowness))
        if not free:
            return False
        places = {number: place for place, number in enumerate(chosen)}
        errors = [math.exp(one) for one in model.errors]
        return pays([math.exp(usual + log) for log in logs], [places[number] for number in new], free, errors)


def _key(task: Task, log: float) -> tuple[bool, int]:
    # Sets that failed, or whose host was lost, stay behind those that were never tried.
    return bool(task.attempts or task.lost), -round(log / ALIKE)

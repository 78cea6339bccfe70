"""The order of the waiting sets: longest first, where the parameters foretell how long a set takes. Pure.

A long set that begins last keeps one slot busy while all others are idle. The order changes only where that is known
to pay; else it stays as given.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence

from ...model import Task
from .makespans import ONE_SPEED, Slot
from .model import FEWEST, Model
from .plans import LEAST_GAIN, Errors, make_plan, pays
from .samples import Samples

# SHORT: seconds: sets that are shorter in the mean keep their order, which then matters to nobody
SHORT = 0.2
GROWTH = 1.3  # samples must have become so many times as many before a new model is learned
LEARN_PAUSE = 2.0  # seconds between two models, at least
SORT_PAUSE = 5.0  # seconds between two orders of one model, at least
EXPLAINED = 0.75  # share of the variance that the parameters must explain: with less, luck decides which order wins
ALIKE = 0.05  # logarithm: sets whose forecasts differ by less keep their order
LEAST_SPREAD = 0.1  # standard deviation of the forecasts' logarithms; equal sets need no order
# MOST_WIDENED: times that errors are larger on left-out samples: beyond, a model fits what chance did
MOST_WIDENED = 2.5
AGAIN = 0.002  # share of the time that another plan must save where the queue is in order
MOST_NEW = 0.05  # share of the waiting sets with a word of which nothing is known
FEW = 12  # waiting sets a slot: with fewer, orders are played through; with more, their ends hardly differ
# PER_PAUSE: waiting sets for each pause between two plans: a long queue takes longer to play through
PER_PAUSE = 500
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
        self._sorted = (0, 0)  # the number of sets and the last one when the queue was sorted
        self._planned_from = 0  # samples of the last plan
        self._is_planned = False  # the order was played through
        self.until: float | None = None  # when hosts of different speed shall end what they take
        self._fastest: set[str] = set()  # hosts that take the longest set then
        self._known: dict[int, float] = {}  # task -> logarithm of its forecast, of waiting ones

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

    def expected(self, task: Task) -> float | None:
        """Return the seconds that a waiting task is expected to take on a usual host; None where unknown."""
        model = self.model
        if model is None or not model.is_useful:
            return None
        return math.exp(model.of_host("") + self.of(task))

    def forget(self, waiting: deque[int]) -> None:
        """Forget the forecasts of tasks that wait no longer."""
        if len(self._known) > 2 * len(waiting) + 100:
            self._known = {
                number: self._known[number] for number in waiting if number in self._known
            }

    def sort(
        self,
        now: float,
        waiting: deque[int],
        tasks: Mapping[int, Task],
        busy: Sequence[tuple[Task, float, str]],
        idle: Sequence[str],
    ) -> None:
        """Put the waiting sets in the order in which all end earliest, if that pays. Called each second.

        `busy`: tasks that have a slot, each with the seconds since then and its host. `idle`: the hosts
        of the other slots.
        """
        is_new = self.learn(now)
        if not self.is_on:
            return
        if not is_new and not (self.orders and self._is_due(now, waiting)):
            return
        self.forget(waiting)
        model = self.model
        if len(waiting) < 2:
            return
        if model is None or not model.is_useful or not _is_sure(model):
            self.orders, self.until = False, None
            return
        chosen = list(waiting)[:ORDERED]
        # Sets that failed, or whose host was lost, stay behind those that were never tried.
        chosen.sort(key=lambda number: _was_tried(tasks[number]))
        found = [self.of(tasks[number]) for number in chosen]
        if not self.orders and (_spread(found) < LEAST_SPREAD or self._are_new(chosen, tasks)):
            return
        self._is_planned = len(chosen) <= FEW * (len(busy) + len(idle))
        if self._is_planned:
            new = self._plan(now, model, chosen, found, tasks, self._slots(model, busy, idle))
            if new is not None:
                self._fastest = _fastest(model, {*idle, *(host for _, _, host in busy)})
        else:
            new = _longest(chosen, found, tasks)
            self.until = None
        if new is None:
            return
        rest = list(waiting)[ORDERED:]
        self.orders = self.orders or new != list(waiting)[:ORDERED]
        waiting.clear()
        waiting.extend(new)
        waiting.extend(rest)
        self._sorted_at, self._sorted = now, (len(waiting), waiting[-1])
        self._planned_from = self.samples.count

    def _are_new(self, chosen: Sequence[int], tasks: Mapping[int, Task]) -> bool:
        """Tell whether many of the sets have a word that no set had that ended: often since those take longest."""
        model = self.model
        return model is not None and sum(
            model.is_new(tasks[number].values) for number in chosen
        ) > MOST_NEW * len(chosen)

    def _is_due(self, now: float, waiting: deque[int]) -> bool:
        """Tell whether tasks have come behind those that are in order, or others have ended since the last plan."""
        pause = SORT_PAUSE * (1.0 + len(waiting) / PER_PAUSE if self._is_planned else 1.0)
        if len(waiting) < 2 or now - self._sorted_at < pause:
            return False
        if waiting[-1] != self._sorted[1] or len(waiting) > self._sorted[0]:
            return True
        return self._is_planned and self.samples.count > self._planned_from

    def _slots(
        self, model: Model, busy: Sequence[tuple[Task, float, str]], idle: Sequence[str]
    ) -> list[Slot]:
        """Return when each slot is expected to be free, and how slow it is."""
        usual = model.of_host("")
        free = [(0.0, math.exp(model.of_host(host) - usual)) for host in idle]
        for task, elapsed, host in busy:
            slowness = math.exp(model.of_host(host) - usual)
            free.append((max(0.0, math.exp(usual + self.of(task)) * slowness - elapsed), slowness))
        return free

    def _plan(
        self,
        now: float,
        model: Model,
        chosen: list[int],
        found: Sequence[float],
        tasks: Mapping[int, Task],
        free: Sequence[Slot],
    ) -> list[int] | None:
        """Return the order that ends earliest; None where the one as given is as good."""
        usual = model.of_host("")
        queue = [math.exp(usual + log) for log in found]
        tried = sum(_was_tried(tasks[number]) for number in chosen)
        errors = Errors([math.exp(error) for error in model.errors], model.shift)
        plan = make_plan(queue, tried, free, errors, seed=self.samples.count)
        if not pays(queue, plan, free, errors, AGAIN if self.orders else LEAST_GAIN):
            return None
        self.until = now + plan.until if plan.until is not None else None
        return [chosen[place] for place in plan.order]

    def place_for(
        self, now: float, host: str, waiting: deque[int], tasks: Mapping[int, Task]
    ) -> int:
        """Return the place in the queue of the set that a host takes: the longest one that it can end in time.

        It is the first one on the fastest hosts, and where all are alike. A host takes the last, the shortest, if it
        can end none.
        """
        if self.until is None or self.model is None:
            return 0
        if host in self._fastest:
            return 0
        seconds = self.until - now
        if seconds <= 0:
            return len(waiting) - 1
        most = math.log(seconds) - self.model.of_host(host)
        low, high = 0, len(waiting) - 1
        while low < high:
            middle = (low + high) // 2
            if self.of(tasks[waiting[middle]]) <= most:
                high = middle
            else:
                low = middle + 1
        return low


def _is_sure(model: Model) -> bool:
    """Tell whether a model foretells well enough for an order.

    Errors that are far larger on left-out samples show a fit of chance, unless all errors are tiny.
    """
    is_overfitted = model.widening > MOST_WIDENED and model.spread > ALIKE
    return model.explained >= EXPLAINED and not is_overfitted


def _fastest(model: Model, hosts: Collection[str]) -> set[str]:
    """Return the hosts than which none is faster, by much."""
    least = min(map(model.of_host, hosts))
    return {host for host in hosts if model.of_host(host) <= least + math.log(ONE_SPEED)}


def _was_tried(task: Task) -> bool:
    return bool(task.attempts or task.lost)


def _longest(chosen: Sequence[int], found: Sequence[float], tasks: Mapping[int, Task]) -> list[int]:
    """Return the sets longest first; those that are alike keep their order, and those that were tried come last."""
    logs = dict(zip(chosen, found, strict=True))
    return sorted(
        chosen, key=lambda number: (_was_tried(tasks[number]), -round(logs[number] / ALIKE))
    )


def _spread(logs: Sequence[float]) -> float:
    mean = math.fsum(logs) / len(logs)
    return math.sqrt(math.fsum((log - mean) ** 2 for log in logs) / len(logs))

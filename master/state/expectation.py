"""When a running sweep will end: what its dispatch knows, put together for forecast.py."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from ..dispatch.dispatch import Dispatch
from ..dispatch.durations.makespans import ONE_SPEED
from ..dispatch.durations.model import LEAST_WALL, Model
from ..dispatch.durations.samples import Sample
from ..dispatch.durations.unseen import Unseen
from ..model import Task, Ticket
from . import forecast
from .forecast import Outlook

SHARE = 100  # a forecast is followed by a pause of so many times the seconds that it took: 1 % of a core
MOST_PAUSE = 10.0  # seconds
QUICK = 2.0  # seconds: of shorter sets much time goes by between the programs, and the rate of ends tells it
ENOUGH = 10  # ends a slot in the recent window, for its rate to be known
DOUBT = 1.5  # the long sets are often beyond those that have ended, where effects are less sure
LOOKED_AT = 2000  # waiting sets that are looked through for unseen values
IDLE = 1.25  # slots are known to idle when a set takes so many times its own seconds of one


class Expectation:
    """The expected end of one run, for all who look at one picture of it."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._found: tuple[float, float] | None = None
        self._found_at = -math.inf
        self._next = -math.inf

    def left(self, now: float, todo: int, out: Sequence[Ticket]) -> tuple[float, float] | None:
        """Return the range of seconds until the end of a sweep with `todo` sets, None while it is not known.

        `out`: the tickets that have a slot.
        """
        if now < self._next and self._found and todo:
            gone = now - self._found_at
            low, high = self._found
            return max(0.0, low - gone), max(0.0, high - gone)
        begun = time.thread_time()  # not what a busy machine let it wait
        self._found, self._found_at = self._forecast(now, todo, out), now
        self._next = now + min(MOST_PAUSE, SHARE * (time.thread_time() - begun))
        return self._found

    def _forecast(self, now: float, todo: int, out: Sequence[Ticket]) -> tuple[float, float] | None:
        dispatch = self._dispatch
        samples = dispatch.handout.longest_first.samples
        if todo <= 0:
            return None
        if samples.count < forecast.FEWEST:
            return forecast.by_rate(todo, *self._recent(now))
        return forecast.left(self._outlook(now, todo, out))

    def _recent(self, now: float) -> tuple[int, float]:
        clients = self._dispatch.clients
        return self._dispatch.tally.recent(now, min((client.since for client in clients), default=now))

    def _outlook(self, now: float, todo: int, out: Sequence[Ticket]) -> Outlook:
        dispatch = self._dispatch
        order, board = dispatch.handout.longest_first, dispatch.board
        model = order.model
        outlook = Outlook(self._errors(model))
        running = [ticket for ticket in out if ticket.task in board.tasks]
        aside = dispatch.steering.aside
        outlook.running = [self._running(now, ticket, model, ticket.host not in aside) for ticket in running]
        busy = Counter(ticket.client for ticket in running)
        idle: list[float] = []
        for client in dispatch.clients.present():
            if client.host not in aside:
                slots = board.occupancy.slots(client) - busy[client.id]
                idle += [_of_host(model, client.host)] * slots
        most = dispatch.handout.limits.most
        outlook.idle = idle if most is None else idle[: max(0, most - len(running))]
        outlook.waiting = max(0, todo - len({ticket.task for ticket in running}))
        self._add_queue(outlook, running)
        if order.until is not None and outlook.speeds():
            outlook.until = order.until - now
            outlook.fast = min(outlook.speeds()) + math.log(ONE_SPEED)
        self._add_delays(now, outlook)
        return outlook

    def _errors(self, model: Model | None) -> list[float]:
        """Return how the logarithms of the latest seconds differ from their forecasts."""
        samples = self._dispatch.handout.longest_first.samples
        latest: Sequence[Sample] = samples.latest
        if model is not None and model.is_useful:
            # Errors of the others are those of an old model, which knew nothing of their values.
            seen = [sample for sample in latest if model.has_seen(sample.values)]
            latest = seen if len(seen) >= forecast.FEWEST else latest
        logs = [math.log(max(LEAST_WALL, sample.wall)) for sample in latest]
        if model is None:
            return logs
        known = [model.of_host(sample.host) + model.of_parameters(sample.values) for sample in latest]
        errors = [log - one for log, one in zip(logs, known, strict=True)]
        mean = math.fsum(errors) / len(errors)
        return [mean + (error - mean) * model.widening for error in errors]

    def _running(
        self, now: float, ticket: Ticket, model: Model | None, goes_on: bool
    ) -> tuple[float, float, float | None]:
        task = self._dispatch.board.tasks[ticket.task]
        factor = self._dispatch.handout.longest_first.of(task)
        slot = _of_host(model, ticket.host)
        elapsed = self._dispatch.handout.elapsed(now, ticket)
        return elapsed, slot + factor, slot if goes_on else None

    def _add_queue(self, outlook: Outlook, running: Sequence[Ticket]) -> None:
        """Add what is known of the waiting sets, and what is not known of them and of those that run."""
        order, board = self._dispatch.handout.longest_first, self._dispatch.board
        model = order.model if order.model is not None and order.model.is_useful else None
        waiting = [board.tasks[number] for number in islice(board.waiting, outlook.waiting)]
        begun = [board.tasks[ticket.task] for ticket in running]
        looked = [task.values for task in [*begun, *waiting[:LOOKED_AT]]]
        unseen = Unseen([*order.samples.over_all, *order.samples.latest], model, looked)
        outlook.is_blind = unseen.is_blind
        if model is None and not unseen:
            return
        outlook.queue = [order.of(task) for task in waiting]
        if model is not None:
            outlook.freedom, outlook.doubt = model.freedom, DOUBT / model.sureness
            # Where long ones go first, those that have ended are long, and those that are here short.
            ended = [math.exp(model.of_parameters(one.values)) for one in order.samples.over_all]
            here = math.fsum(map(math.exp, outlook.queue))
            mean = math.fsum(ended) / len(ended)
            outlook.usual = (mean * order.samples.count + here) / (order.samples.count + len(outlook.queue))
        if unseen:
            self._add_unseen(outlook, unseen, begun, waiting)

    @staticmethod
    def _add_unseen(outlook: Outlook, unseen: Unseen, begun: Sequence[Task], waiting: Sequence[Task]) -> None:
        """Add what values that no ended set had may do to the sets that run and wait."""
        doubts: dict[tuple[tuple[str, float], ...], int] = {(): 0}
        found = [unseen.of(task.values) for task in [*begun, *waiting]]
        kinds = [doubts.setdefault(one.doubts, len(doubts)) for one in found]
        outlook.doubts, outlook.kinds = list(doubts), kinds[len(begun) :]
        outlook.running_kinds = kinds[: len(begun)]
        outlook.running = [
            (elapsed, log + one.shift, slot)
            for (elapsed, log, slot), one in zip(outlook.running, found, strict=False)
        ]
        outlook.queue = [
            log + one.shift for log, one in zip(outlook.queue, found[len(begun) :], strict=True)
        ]

    def _add_delays(self, now: float, outlook: Outlook) -> None:
        """Add what keeps slots busy, or idle, beside the programs of sets that succeed."""
        dispatch = self._dispatch
        samples = dispatch.handout.longest_first.samples
        if samples.seconds > 0:
            spent = sum(work.seconds for work in dispatch.tally.hosts.values())
            outlook.waste = max(1.0, spent / samples.seconds)
        walls = sorted(sample.wall for sample in samples.latest)
        delays = sorted(sample.delay for sample in samples.latest if sample.delay is not None)
        if delays and walls[len(walls) // 2] >= QUICK:
            # Shorter sets are prefetched: then the time since the hand-out is no delay.
            outlook.delay = max(0.0, delays[len(delays) // 2])
        outlook.slack = self._slack(now, outlook)
        pauses = dispatch.board.back_offs.until.values()
        outlook.pause = max(pauses, default=now) - now
        outlook.start_pause = dispatch.rules.delay

    def _slack(self, now: float, outlook: Outlook) -> float:
        """Return the seconds of a slot that a set takes, as a multiple of its own seconds."""
        ended, span = self._recent(now)
        if ended < ENOUGH * len(outlook.speeds()) or not outlook.waiting:
            return 1.0
        # Of the same sets that the rate counts: where sets get longer and longer, all others were shorter.
        latest = list(self._dispatch.handout.longest_first.samples.latest)[-ended:]
        mean = math.fsum(sample.wall for sample in latest) / len(latest) + outlook.delay
        present = self._dispatch.clients.present()
        slots = self._dispatch.board.occupancy.slots
        there = sum(slots(client) * min(span, now - client.since) for client in present)
        most = self._dispatch.handout.limits.most
        if most is not None:
            there = min(there, most * span)
        slack = there / (ended * max(mean, LEAST_WALL) * outlook.waste)
        return slack if slack > IDLE or mean < QUICK else 1.0


def _of_host(model: Model | None, host: str) -> float:
    return model.of_host(host) if model else 0.0

"""Longest first: what the parameters foretell, when the order of the waiting sets changes, and what it gains."""

from __future__ import annotations

import math
import os
import random
import statistics
from itertools import pairwise

import pytest
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.durations.longest_first import ORDERED
from spe.dispatch.durations.makespans import makespan as played
from spe.dispatch.durations.model import Model
from spe.dispatch.durations.samples import LATEST, MOST, Sample, Samples
from spe.model import Task, Usage

from .kit import BROKEN, NO_USAGE, OUT, make_dispatch
from .simulated_sweeps import GAINS, KEEPS, foretold, makespan

# In these nothing can be foretold, or nothing is gained: the order stays as given in (almost) every sweep.
SAME = ("equal", "not foretold", "exponential", "log-normal", "two lengths", "a few long ones", "long ones first")


def ratios(make: object, sweeps: int, slots: int = 16) -> list[float]:
    """Makespan of each sweep as a multiple of that in the order as given."""
    found = []
    for number in range(sweeps):
        sweep = make(random.Random(number), slots)  # type: ignore[operator]
        found.append(makespan(sweep, longest_first=True) / makespan(sweep, longest_first=False))
    return found


@pytest.mark.parametrize("kind", GAINS)
def test_sweeps_whose_lengths_follow_from_the_parameters_end_a_tenth_earlier(kind: str) -> None:
    found = ratios(GAINS[kind], 100 if os.environ.get("SPE_LONG") else 40)
    assert statistics.median(found) <= 0.90
    assert max(found) <= 1.02


@pytest.mark.parametrize("kind", KEEPS)
def test_no_other_sweep_ends_later_for_it(kind: str) -> None:
    found = ratios(KEEPS[kind], 30)
    assert max(found) <= 1.02
    if kind in SAME:
        assert sum(one != 1.0 for one in found) <= 1, "the order stays as given"


def test_given_is_the_order_as_given() -> None:
    dispatch = with_lengths(60, longest_first=False)
    assert list(dispatch.board.waiting) == sorted(dispatch.board.waiting)
    assert not dispatch.handout.longest_first.orders


# -- what is ordered


def with_lengths(sets: int, ended: int = 20, unit: float = 1.0, **rules: object) -> Dispatch:
    """A dispatch of `sets` sets, of which `ended` have ended: they took n * `unit` seconds, a jumble of 1 to 10."""
    dispatch = make_dispatch(0, ping=0, **rules)
    dispatch.board.add(Task(number, {"n": str(1 + 7 * number % 10)}) for number in range(1, sets + 1))
    client = dispatch.register(1000.0, "h1", "linux-x86_64", 4, True)
    for second in range(ended):
        for ticket in dispatch.handout.take(1000.0 + second, client.id, 1):
            finish(dispatch, ticket.id, 1000.0 + second, unit)
    dispatch.tick(1100.0)
    return dispatch


def finish(dispatch: Dispatch, ticket: int, now: float, unit: float = 1.0) -> None:
    """Let a set end well, after as many seconds as its n."""
    task = dispatch.attempts.arrive(now, ticket)
    assert task
    assert dispatch.attempts.accept(ticket, OUT, Usage(wall=unit * float(task.values["n"])))


def lengths(dispatch: Dispatch) -> list[int]:
    """Of the waiting sets, in their order."""
    return [int(dispatch.board.tasks[number].values["n"]) for number in dispatch.board.waiting]


def test_the_longest_wait_first_and_equal_ones_keep_their_order() -> None:
    dispatch = with_lengths(120)
    assert dispatch.handout.longest_first.orders
    assert lengths(dispatch) == sorted(lengths(dispatch), reverse=True)
    tens = [number for number in dispatch.board.waiting if dispatch.board.tasks[number].values["n"] == "10"]
    assert tens == sorted(tens) and len(tens) > 1


def test_sets_that_come_in_later_are_put_in_order_too() -> None:
    dispatch = with_lengths(120)
    dispatch.board.add(Task(number, {"n": str(1 + 7 * number % 10)}) for number in range(121, 151))
    assert lengths(dispatch) != sorted(lengths(dispatch), reverse=True)
    dispatch.tick(1110.0)
    assert len(lengths(dispatch)) == 130
    assert lengths(dispatch) == sorted(lengths(dispatch), reverse=True)


def test_a_set_that_failed_stays_behind_those_that_were_never_tried() -> None:
    dispatch = with_lengths(120)
    (client,) = dispatch.clients.present()
    (ticket,) = dispatch.handout.take(1101.0, client.id, 1)
    assert dispatch.board.tasks[ticket.task].values["n"] == "10"
    dispatch.attempts.fail(1102.0, ticket.id, BROKEN, NO_USAGE)
    dispatch.board.add([Task(121, {"n": "9"})])
    dispatch.tick(1110.0)
    assert dispatch.board.waiting[-1] == ticket.task
    assert lengths(dispatch)[:-1] == sorted(lengths(dispatch)[:-1], reverse=True)


def test_a_set_that_was_given_back_unbegun_is_again_in_its_place() -> None:
    dispatch = with_lengths(120)
    (client,) = dispatch.clients.present()
    (ticket,) = dispatch.handout.take(1101.0, client.id, 1)
    assert dispatch.handout.give_back(ticket.id, client.id)
    assert dispatch.board.waiting[-1] == ticket.task
    dispatch.tick(1110.0)
    assert lengths(dispatch) == sorted(lengths(dispatch), reverse=True)


def test_short_sets_are_never_ordered_and_nothing_is_learned_of_them() -> None:
    dispatch = with_lengths(60, unit=0.01)
    assert dispatch.handout.longest_first.model is None
    assert list(dispatch.board.waiting) == sorted(dispatch.board.waiting)


def test_the_next_5000_are_ordered_and_those_behind_keep_their_order() -> None:
    dispatch = with_lengths(ORDERED + 520)
    waiting = list(dispatch.board.waiting)
    assert len(waiting) == ORDERED + 500
    assert lengths(dispatch)[:ORDERED] == sorted(lengths(dispatch)[:ORDERED], reverse=True)
    assert waiting[ORDERED:] == sorted(waiting[ORDERED:])
    assert len(dispatch.handout.longest_first._known) <= ORDERED + 10, "nothing is kept of others"


# -- what is learned


def samples(count: int, seconds: object, hosts: int = 1, seed: int = 1) -> list[Sample]:
    """Sets of which `seconds` tells the length, from their n, word and host."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        values = {"seed": str(number), "n": str(chance.randint(10, 1000)), "word": chance.choice(["a", "b", "c"])}
        host = f"h{chance.randrange(hosts)}"
        wall = seconds(int(values["n"]), values["word"], host) * math.exp(chance.gauss(0, 0.05))  # type: ignore[operator]
        found.append(Sample(values, host, wall, 0.0))
    return found


def test_numbers_words_and_hosts_are_told_apart() -> None:
    factor = {"a": 1.0, "b": 2.0, "c": 5.0, "h0": 1.0, "h1": 3.0}
    model = Model(samples(60, lambda n, word, host: 0.01 * n**1.5 * factor[word] * factor[host], hosts=2))
    assert model.is_useful and model.explained > 0.95
    steep = model.of_parameters({"n": "800", "word": "a"}) - model.of_parameters({"n": "100", "word": "a"})
    assert math.exp(steep) == pytest.approx(8**1.5, rel=0.15)
    words = model.of_parameters({"n": "100", "word": "c"}) - model.of_parameters({"n": "100", "word": "a"})
    assert math.exp(words) == pytest.approx(5, rel=0.15)
    assert math.exp(model.of_host("h1") - model.of_host("h0")) == pytest.approx(3, rel=0.15)


def test_where_chance_alone_rules_no_parameter_is_believed() -> None:
    chance = random.Random(5)
    believed = [
        Model(samples(count, lambda n, word, host: 10 * chance.expovariate(1.0), hosts=3, seed=seed)).is_useful
        for seed in range(40)
        for count in (7, 20, 80)
    ]
    assert sum(believed) <= 1


def test_a_value_that_was_never_seen_or_is_missing_changes_nothing() -> None:
    model = Model(samples(60, lambda n, word, host: 0.1 * n))
    known = model.of_parameters({"n": "100", "word": "a", "seed": "1"})
    assert model.of_parameters({"n": "100", "word": "zzz"}) == pytest.approx(known, abs=0.1)
    assert math.isfinite(model.of_parameters({})) and math.isfinite(model.of_parameters({"n": "-1"}))
    assert math.isfinite(model.of_parameters({"n": "1e300"})) and math.isfinite(model.of_parameters({"n": "nan"}))


def test_samples_are_few_and_spread_evenly_over_the_run() -> None:
    kept = Samples()
    for number in range(100_000):
        kept.note({"n": str(number)}, "h", 1.0, 0.0)
    numbers = [int(one.values["n"]) for one in kept.over_all]
    assert MOST / 2 <= len(numbers) <= MOST
    assert max(b - a for a, b in pairwise(numbers)) <= 1024
    assert numbers[0] < 1024 and numbers[-1] > 100_000 - 1024
    assert len(kept.latest) == LATEST and kept.count == 100_000 and kept.mean == 1.0


def test_a_queue_ends_with_its_last_set() -> None:
    assert played([(0.0, 1.0), (0.0, 1.0)], [3.0, 1.0, 1.0]) == 3.0
    assert played([(0.0, 1.0), (0.0, 1.0)], [1.0, 1.0, 3.0]) == 4.0
    assert played([(5.0, 1.0), (0.0, 1.0)], []) == 5.0
    assert played([(0.0, 1.0), (0.0, 3.0)], [1.0, 1.0, 1.0]) == 3.0


def test_a_sweep_with_few_sets_a_slot_is_ordered_by_its_first_fifth() -> None:
    sweep = foretold(random.Random(1), slots=32)
    assert makespan(sweep, longest_first=True) < 0.95 * makespan(sweep, longest_first=False)

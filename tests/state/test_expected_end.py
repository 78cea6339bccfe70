"""The expected end as a range: how often it holds, and how narrow it is, over whole simulated sweeps."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial

import pytest
from dispatch import simulated_sweeps as sweeps
from dispatch.kit import BROKEN, NO_USAGE, OUT, make_dispatch
from dispatch.simulated_sweeps import START, Sweep, makespan
from spe.dispatch.dispatch import Dispatch
from spe.model import Client, ClientState, Task, Ticket, TicketState, Usage
from spe.state import forecast
from spe.state.document import Picture
from spe.state.forecast import Outlook

KINDS: dict[str, Callable[[random.Random], Sweep]] = {
    "equal": partial(sweeps.equal, slots=8, sets=15),
    "exponential": partial(sweeps.exponential, slots=8, sets=15),
    "log-normal": partial(sweeps.log_normal, slots=8, sets=15),
    "two lengths": partial(sweeps.bimodal, slots=8, sets=15),
    "foretold": partial(sweeps.foretold, slots=24),
    "foretold by a word and a number": partial(sweeps.foretold_by_words, slots=24),
    "noisy": partial(sweeps.noisy, slots=24),
    "hosts of different speed": partial(sweeps.uneven_hosts(partial(sweeps.uniform, sets=8)), slots=16),
    "exponential, uneven hosts": partial(sweeps.uneven_hosts(partial(sweeps.exponential, sets=8)), slots=16),
    "foretold, hosts of different speed": partial(sweeps.uneven_hosts(sweeps.foretold), slots=24),
}  # fmt: skip


def foretold(sweep: Sweep, marks: set[int]) -> list[tuple[float, float, float]]:
    """(least, most, what came) at each mark, a number of sets that have ended, at which an end was expected."""
    seen: list[tuple[float, float, float]] = []

    def look(now: float, dispatch: Dispatch, ended: int) -> None:
        if ended in marks:
            left = Picture("s", dispatch, 0.0, 0.0).draw(START + now)["sweep"].get("left")
            if left:
                seen.append((*left, now))

    end = makespan(sweep, longest_first=True, look=look)
    return [(least, most, end - now) for least, most, now in seen]


def marks_of(sweep: Sweep) -> set[int]:
    """After a quarter, half and three quarters of the sets, and when four are left."""
    count = len(sweep.values)
    return {count // 4, count // 2, 3 * count // 4, count - 4}


def test_over_200_sweeps_of_all_kinds_the_range_holds_in_85_to_95_percent() -> None:
    every, shares = shares_of(KINDS)
    assert len(every) > 600, "it is nearly always known after a quarter"
    assert 0.85 <= sum(every) / len(every) <= 0.95
    assert min(shares.values()) >= 0.75, shares


def test_over_100_grids_with_values_that_no_ended_set_had_it_holds_in_85_to_95_percent() -> None:
    every, shares = shares_of(sweeps.GRIDS)
    assert len(every) > 300, "it is nearly always known from the middle on"
    assert 0.85 <= sum(every) / len(every) <= 0.95
    assert min(shares.values()) >= 0.75, shares


def shares_of(kinds: dict[str, Callable[[random.Random], Sweep]]) -> tuple[list[bool], dict[str, float]]:
    """Whether each range held, and the share of each kind, over 20 sweeps of each."""
    held: dict[str, list[bool]] = {kind: [] for kind in kinds}
    for number in range(20):
        for kind, make in kinds.items():
            sweep = make(random.Random(f"{kind} {number}"))
            held[kind] += [least <= came <= most for least, most, came in foretold(sweep, marks_of(sweep))]
    every = [one for found in held.values() for one in found]
    return every, {kind: round(sum(found) / len(found), 2) for kind, found in held.items()}


def test_the_range_of_equal_sets_lies_within_a_tenth_of_what_comes_after_ten_of_them() -> None:
    for number in range(20):
        for slots in (1, 4, 8, 16):
            sweep = sweeps.equal(random.Random(number), slots, sets=15)
            ((least, most, came),) = foretold(sweep, {10 if slots < 16 else 20})
            assert 0.9 * came <= least <= came <= most <= 1.1 * came, (slots, least, most, came)


def test_a_grid_in_rising_order_has_a_wide_range_or_none_until_each_value_was_seen() -> None:
    values = [{"mesh": str(mesh), "rep": str(rep)} for mesh in (8, 16, 32, 64) for rep in range(1, 9)]
    lengths = [int(one["mesh"]) / 20 * (1 + 0.1 * (int(one["rep"]) - 1)) for one in values]
    seen = foretold(Sweep(values, lengths, [(2, 1.0)]), set(range(1, 32)))
    assert all(most > 1.5 * least for least, most, _ in seen[:5])
    assert len(seen) < 25, "nothing is told while only one mesh is known"
    held = sum(least <= came <= most for least, most, came in seen)
    assert held >= 0.85 * len(seen)


def test_sets_that_get_longer_and_longer_are_no_sign_of_idle_slots() -> None:
    sweep = sweeps.mixed_grid(random.Random(1))
    late = foretold(sweep, {27, 33})
    assert len(late) == 2 and all(least <= came <= most for least, most, came in late)


def test_nothing_is_foretold_while_only_short_sets_can_have_ended() -> None:
    outlook = Outlook(errors=[2.0, 2.5, 3.0], running=[(30.0, 0.0, 0.0)] * 20, waiting=100)
    assert forecast.left(outlook) is None
    outlook.running = [(1.0, 0.0, 0.0)] * 2
    assert forecast.left(outlook) is not None


def test_a_set_that_runs_far_longer_than_all_that_ended_makes_the_range_wide() -> None:
    equal = [0.01 * (number % 5) for number in range(40)]
    usual = forecast.left(Outlook(errors=equal, running=[(0.5, 0.0, 0.0)] * 4, waiting=4))
    overdue = forecast.left(Outlook(errors=equal, running=[(0.5, 0.0, 0.0)] * 3 + [(5.0, 0.0, 0.0)], waiting=4))
    assert usual and overdue
    assert usual[1] < 3 and overdue[1] > 6, "it has run five times as long, and may run as long again"


def test_the_range_knows_that_slow_hosts_take_short_sets() -> None:
    logs = [math.log(length) for length in (10.0, 9.0, 4.0, 3.0, 2.0)]
    slots = [0.0, math.log(4.0)]
    plain = forecast.left(Outlook(errors=[0.0] * 50, idle=slots, waiting=5, queue=logs))
    fitting = forecast.left(Outlook(errors=[0.0] * 50, idle=slots, waiting=5, queue=logs, until=25.0, fast=0.05))
    assert plain and plain[0] <= 36 <= plain[1]
    assert fitting and fitting[1] < 27


def test_a_sweep_ends_no_earlier_than_the_last_pause_and_than_the_delay_between_starts_allows() -> None:
    free = forecast.left(Outlook(errors=[0.0] * 50, idle=[0.0] * 8, waiting=8))
    paused = forecast.left(Outlook(errors=[0.0] * 50, idle=[0.0] * 8, waiting=8, pause=90.0))
    slow = forecast.left(Outlook(errors=[0.0] * 50, idle=[0.0] * 8, waiting=8, start_pause=10.0))
    assert free and free[1] < 2
    assert paused and paused[0] == 90.0 < paused[1]
    assert slow and slow[0] == 80.0 < slow[1]


def test_very_many_sets_take_as_long_as_their_sum_over_the_slots() -> None:
    left = forecast.left(Outlook(errors=[0.0, 1.0] * 50, idle=[0.0] * 10, waiting=100_000))
    assert left and left[0] < 10_000 * (1 + 2.718) / 2 < left[1] < 1.4 * left[0]


def test_failed_attempts_count_for_the_time_that_is_left() -> None:
    outlook = Outlook(errors=[0.0] * 50, idle=[0.0], waiting=100)
    outlook.waste = 2.0
    left = forecast.left(outlook)
    assert left and left[0] < 200 < left[1] and left[0] > 180


def test_where_every_attempt_fails_the_end_is_foretold_from_the_rate_alone() -> None:
    dispatch = make_dispatch(100, attempts=1, stop_alike=0)
    client = dispatch.register(START, "h1", "linux-x86_64", 1, True)
    for second in range(20):
        for ticket in dispatch.handout.take(START + second, client.id, 1):
            dispatch.attempts.fail(START + second + 1.0, ticket.id, BROKEN, NO_USAGE)
    dispatch.board.total = 100
    least, most = Picture("s", dispatch, 0.0, 0.0).draw(START + 20)["sweep"]["left"]
    assert least < 80 < most


def test_the_time_between_the_programs_of_short_sets_counts() -> None:
    dispatch = make_dispatch(1000)
    client = dispatch.register(START, "h1", "linux-x86_64", 1, True)
    for number in range(200):
        now = START + 0.1 * number
        (ticket,) = dispatch.handout.take(now, client.id, 1)
        dispatch.attempts.arrive(now + 0.1, ticket.id)
        dispatch.attempts.accept(ticket.id, OUT, Usage(wall=0.001))
    dispatch.board.total = 1000
    least, most = Picture("s", dispatch, 0.0, 0.0).draw(START + 20)["sweep"]["left"]
    assert 60 < least <= 80 <= most < 100, "800 sets at ten a second, whatever their programs take"


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_limit_counts_as_so_many_slots(at_once: int) -> None:
    dispatch = make_dispatch(40, at_once=at_once)
    client = dispatch.register(START, "h1", "linux-x86_64", 8, True)
    now = START
    for _ in range(12):
        tickets = dispatch.handout.take(now, client.id, 8)
        now += 10.0
        for ticket in tickets:
            dispatch.attempts.arrive(now, ticket.id)
            dispatch.attempts.accept(ticket.id, OUT, Usage(wall=10.0))
    dispatch.board.total = 40
    left = 40 - 12 * at_once
    least, most = Picture("s", dispatch, 0.0, 0.0).draw(now)["sweep"]["left"]
    came = 10.0 * -(-left // at_once)
    assert 0.9 * came <= least <= came <= most <= 1.1 * came


def test_sets_that_an_earlier_master_handed_out_do_not_make_the_rest_last_as_long_as_the_machine_is_up() -> None:
    dispatch = make_dispatch(0)
    dispatch.board.enter_client(Client("1", "h1", "linux-x86_64", 4, 4, START, START, True, state=ClientState.AT_WORK))
    for number in range(1, 5):
        ticket = Ticket(number, number, "1", "h1", 0.0, TicketState.ISSUED, word=START, leased=True)
        dispatch.board.restore(Task(number, {}), ticket)
    dispatch.board.total = 4
    for number in range(1, 4):
        dispatch.attempts.arrive(START + 2.0, number)
        dispatch.attempts.accept(number, OUT, Usage(wall=8.0))
    least, most = Picture("s", dispatch, 0.0, 0.0).draw(START + 4.0)["sweep"]["left"]
    assert least <= 8 and most <= 10, "it is one set of 8 s, which has run for 4 s at least"


def test_nothing_is_foretold_while_sets_wait_and_no_host_takes_them() -> None:
    drained = Outlook(errors=[0.0] * 50, running=[(0.5, 0.0, None)], waiting=8)
    assert forecast.left(drained) is None
    drained.waiting = 0
    assert forecast.left(drained) is not None, "what runs there ends"

"""The oracle notices what must not be: each kind of wrong table, count, exit code and start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from .model import FRESH, KEEP, MISSING, RETRY, Attempt, Broken, Oracle, Run, Seen, cells
from .plan import Plan, Program, Result, Set

PLAN = Plan(
    rows=(("1", "x"), ("2", "y"), ("3", "x")), cases=(("x", "cx1"), ("y", "cy1"), ("z", "cz1")),
    results={"told": Result(regex="told=(.*)"), "side": Result("side.txt")},
)  # fmt: skip
OTHER = replace(PLAN, words=("stay",))
NEWER = replace(PLAN, program=Program(2))


def row(oracle_number: int, one: Set, plan: Plan, program: Program) -> dict[str, str]:
    made = cells(one, Attempt(program, plan.sources), plan.results)
    about = {"number": str(oracle_number), **{name: dict(one.values)[name] for name in plan.columns}}
    rest = {"host": "localhost", "seconds": "0", "attempts": "1"}
    return {**about, **{name: cell or "" for name, cell in made.items()}, **rest}


def good(plan: Plan = PLAN, first: int = 1, ran: bool = True) -> Seen:
    """A run that did all sets of a plan, whose numbers begin here."""
    sets = plan.sets()
    rows = [row(first + at, one, plan, plan.program) for at, one in enumerate(sets)]
    starts = [(first + at, one.told(plan.program)) for at, one in enumerate(sets)] if ran else []
    counts = {"total": len(sets), "done": len(sets), "failed": 0, "cancelled": 0, "waiting": 0, "running": 0}
    return Seen(0, "", counts, rows, [], starts)


def after(*plans: Plan) -> Oracle:
    """An oracle that saw these plans being run well."""
    oracle = Oracle()
    for plan in plans:
        oracle.check(Run(plan), good(plan, len(oracle.numbers) + 1))
    return oracle


def test_what_is_right_is_right_and_going_back_finds_it() -> None:
    oracle = after(PLAN, OTHER)
    oracle.check(Run(PLAN), good(PLAN, ran=False))
    assert list(oracle.numbers.values()) == [1, 2, 3, 4, 5, 6]


def of_another_command(seen: Seen) -> None:
    seen.rows[1]["told"] = seen.rows[1]["told"].replace("go", "stay")  # type: ignore[index]


def of_an_older_program(seen: Seen) -> None:
    seen.rows[1]["told"] = seen.rows[1]["told"].replace("1.1", "0.1", 1)  # type: ignore[index]


def one_is_gone(seen: Seen) -> None:
    seen.rows = seen.rows[:-1]


def one_is_doubled(seen: Seen) -> None:
    seen.rows = [*seen.rows, seen.rows[-1]]


def in_another_order(seen: Seen) -> None:
    seen.rows = seen.rows[::-1]


def another_number(seen: Seen) -> None:
    seen.rows[0]["number"], seen.rows[1]["number"] = seen.rows[1]["number"], seen.rows[0]["number"]  # type: ignore[index]


def counted_wrong(seen: Seen) -> None:
    seen.counts = {**seen.counts, "done": 2, "waiting": 1}


def another_code(seen: Seen) -> None:
    seen.code = 1


def started_with_others_inputs(seen: Seen) -> None:
    seen.starts = [(1, "1.1|1|go a=x|e1|t1|d1|cx7"), *seen.starts[1:]]


def started_twice(seen: Seen) -> None:
    seen.starts = [*seen.starts, seen.starts[0]]


def never_started(seen: Seen) -> None:
    seen.starts = seen.starts[1:]


def also_failed(seen: Seen) -> None:
    seen.failed = [{"number": "1", "n": "1", "a": "x", "reason": "exit code 3"}]


def another_column(seen: Seen) -> None:
    seen.rows = [{**one, "more": ""} for one in seen.rows]


@pytest.mark.parametrize(
    "spoil",
    [of_another_command, of_an_older_program, one_is_gone, one_is_doubled, in_another_order, another_number,
     counted_wrong, another_code, started_with_others_inputs, started_twice, never_started, also_failed,
     another_column],
    ids=lambda spoil: spoil.__name__,
)  # fmt: skip
def test_a_wrong_table_is_noticed(spoil: Callable[[Seen], None]) -> None:
    seen = good()
    spoil(seen)
    with pytest.raises(Broken):
        Oracle().check(Run(PLAN), seen)


def test_what_is_finished_must_not_run_again() -> None:
    with pytest.raises(Broken):
        after(PLAN, OTHER).check(Run(PLAN), good(PLAN))


def test_a_changed_program_must_be_asked_about_and_nothing_else() -> None:
    with pytest.raises(Broken, match="nobody was asked"):
        after(PLAN).check(Run(NEWER), good(NEWER))
    asked = Seen(2, "--keep --fresh")
    after(PLAN).check_asked(Run(NEWER), asked)
    with pytest.raises(Broken, match="nothing is to be asked"):
        after(PLAN).check_asked(Run(OTHER), asked)
    with pytest.raises(Broken):
        after(PLAN).check_asked(Run(NEWER), Seen(2, "--keep --fresh", starts=good(NEWER).starts))


def test_rows_that_are_kept_are_by_the_older_program_and_going_back_asks_again() -> None:
    oracle = after(PLAN)
    oracle.check(Run(NEWER, KEEP), good(PLAN, ran=False))
    assert oracle.asks(NEWER) == {False} and oracle.asks(PLAN) == {True}
    with pytest.raises(Broken):
        oracle.check(Run(NEWER), good(NEWER, ran=False))


def test_fresh_runs_all_again_and_rows_stay_until_they_are_replaced() -> None:
    after(PLAN).check(Run(NEWER, FRESH), good(NEWER))
    with pytest.raises(Broken):
        after(PLAN).check(Run(NEWER, FRESH), good(PLAN, ran=False))
    half = good(PLAN)
    half.rows = [row(1, NEWER.sets()[0], NEWER, NEWER.program), *half.rows[1:]]
    half.code, half.starts = 130, good(NEWER).starts[:1]
    half.counts = {**half.counts, "done": 1, "waiting": 2}
    oracle = after(PLAN)
    oracle.check(Run(NEWER, FRESH, complete=False), half)
    lost = replace(half, rows=half.rows[:1])
    with pytest.raises(Broken):
        after(PLAN).check(Run(NEWER, FRESH, complete=False), lost)
    rest = good(NEWER)
    rest.starts = rest.starts[1:]
    oracle.check(Run(NEWER), rest)


def test_a_result_that_was_not_kept_is_a_gap_until_it_is_run_for() -> None:
    more = replace(PLAN, results={**PLAN.results, "v": Result("out.json", "float", path="a.v")})
    gaps = good(more, ran=False)
    gaps.rows = [{**one, "v": ""} for one in gaps.rows]
    gaps.code = 1
    oracle = after(PLAN)
    oracle.check(Run(more), gaps)
    assert oracle.has_gaps(more)
    oracle.check(Run(more, MISSING), good(more))
    assert not oracle.has_gaps(more)
    with pytest.raises(Broken):
        after(PLAN).check(Run(more), good(more, ran=False))  # where should they come from?


def test_a_value_that_is_refused_makes_a_set_fail_until_it_is_taken_again() -> None:
    limited = replace(PLAN, results={"value": Result(regex=r"value=(\d+)", kind="int", least=20)})
    free = replace(PLAN, results={"value": Result(regex=r"value=(\d+)", kind="int")})
    oracle = after(PLAN)
    seen = good(free, ran=False)
    seen.failed = [{"number": "1", "n": "1", "a": "x", "reason": "value: 11 is less than 20"}]
    seen.rows, seen.code = seen.rows[1:], 1
    seen.counts = {**seen.counts, "done": 2, "failed": 1}
    oracle.check(Run(limited), seen)
    assert oracle.failed_numbers(limited) == [1]
    oracle.check(Run(free), good(free, ran=False))


def test_failed_sets_run_again_on_retry_alone() -> None:
    faulty = replace(PLAN, program=Program(1, 1, frozenset({"2"})))
    seen = good(faulty)
    seen.failed = [{"number": "2", "n": "2", "a": "y", "reason": "exit code 3"}]
    seen.rows, seen.code = [seen.rows[0], seen.rows[2]], 1
    seen.counts = {**seen.counts, "done": 2, "failed": 1}
    oracle = Oracle()
    oracle.check(Run(faulty), seen)
    seen.starts = []
    oracle.check(Run(faulty), seen)
    mended = replace(PLAN, program=Program(2))
    rows = [row(1, PLAN.sets()[0], faulty, faulty.program), row(2, PLAN.sets()[1], mended, mended.program),
            row(3, PLAN.sets()[2], faulty, faulty.program)]  # fmt: skip
    told = PLAN.sets()[1].told(mended.program)
    oracle.check(Run(mended, RETRY), replace(good(), rows=rows, starts=[(2, told)]))


def test_after_a_kill_late_results_are_those_of_their_own_set() -> None:
    oracle = Oracle()
    seen = good()
    seen.code, seen.rows, seen.starts = None, seen.rows[:1], seen.starts[:2]
    seen.counts = {**seen.counts, "done": 1, "waiting": 2}
    oracle.check(Run(PLAN, complete=False), seen)
    late = good()
    late.starts = late.starts[2:]  # the second one is by the client of before
    oracle.check(Run(PLAN), late)
    with pytest.raises(Broken):
        oracle.check(Run(PLAN), replace(late, starts=late.starts[:1]))  # now all have ended

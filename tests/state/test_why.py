"""Why sets wait when a run ends: each set is explained once, and what nobody explains is a fault of ours."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from spe.dispatch import shortfall
from spe.dispatch.shortfall import FAULT, META, Reason, Shortfall
from spe.store.reader import Reader
from spe.store.store import NewSet, Store

SENTENCES = st.sampled_from(["one", "two", "three"])


@given(st.lists(st.tuples(SENTENCES, st.none() | st.integers(0, 5))), st.integers(0, 12))
def test_the_reasons_explain_all_sets_that_wait_and_no_more(notes: list[tuple[str, int | None]], waiting: int) -> None:
    told = Shortfall()
    for sentence, sets in notes:
        told.note(sentence, sets)
    reasons = told.explain(waiting)
    assert sum(one.sets for one in reasons) == waiting
    assert all(one.sets > 0 for one in reasons)
    if any(sets is None for _, sets in notes):
        assert FAULT not in [one.sentence for one in reasons]
    assert shortfall.read(shortfall.written(reasons)) == reasons


def test_what_is_counted_is_told_first_and_the_rest_by_what_ended_the_run() -> None:
    told = Shortfall()
    told.note("their input has changed", 2)
    told.note("the run was interrupted")
    told.note("the run broke off")
    told.note("their input has changed", 1)
    assert told.explain(10) == (Reason(3, "their input has changed"), Reason(7, "the run was interrupted"))
    assert told.explain(2) == (Reason(2, "their input has changed"),)
    assert [one.line for one in told.explain(4)] == [
        "3 sets wait: their input has changed", "1 set waits: the run was interrupted",
    ]  # fmt: skip
    assert Shortfall().explain(0) == ()


def test_what_nobody_explains_is_said_to_be_a_fault_of_ours() -> None:
    told = Shortfall()
    told.note("their input has changed", 2)
    (_, rest) = told.explain(5)
    assert rest == Reason(3, FAULT) and "fault of spe" in rest.line


def test_a_reason_is_told_as_long_as_its_sets_wait_and_until_the_next_run_begins(tmp_path: Path) -> None:
    store = Store(tmp_path / "sweep.db")

    def told() -> tuple[Reason, ...]:
        with Reader(tmp_path) as reader:
            return reader.waiting_because()

    async def story() -> None:
        await store.begin_run()
        await store.begin_plan(["x"], ["y"])
        await store.add_sets([NewSet(bytes([n]) * 16, n, {"x": str(n)}) for n in range(3)])
        assert told() == ()
        await store.set_meta(META, shortfall.written([Reason(2, "a"), Reason(1, "b")]))
        assert told() == (Reason(2, "a"), Reason(1, "b"))
        await store.cancel([1], "by hand")
        assert told() == (), "it is not true of today's sets any more"
        await store.set_meta(META, shortfall.written([Reason(2, "a")]))
        await store.begin_run(resumed=True)
        assert told() == ()

    try:
        asyncio.run(story())
    finally:
        store.close()

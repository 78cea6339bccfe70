"""Why sets wait at the end of a run: every one of them is explained, and none twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from spe.dispatch.shortfall import FAULT, META, Reason, Shortfall, read, records, written

SENTENCES = st.sampled_from(["the run was interrupted", "the disk is full", "they were cancelled"])


def test_sets_that_wait_for_no_known_reason_are_told_as_a_fault_of_spe() -> None:
    assert Shortfall().explain(2) == (Reason(2, FAULT),)
    assert Shortfall().explain(0) == ()


def test_reasons_for_some_sets_come_first_and_the_first_reason_for_all_explains_the_rest() -> None:
    shortfall = Shortfall()
    shortfall.note("the run was interrupted")
    shortfall.note("no host is up")
    shortfall.note("their input is missing", 2)
    shortfall.note("their input is too large", 1)
    shortfall.note("their input is missing", 1)
    assert shortfall.explain(9) == (
        Reason(3, "their input is missing"),
        Reason(1, "their input is too large"),
        Reason(5, "the run was interrupted"),
    )


def test_no_more_sets_are_explained_than_wait() -> None:
    shortfall = Shortfall()
    shortfall.note("their input is missing", 2)
    shortfall.note("their input is too large", 1)
    shortfall.note("the run was interrupted")
    assert shortfall.explain(1) == (Reason(1, "their input is missing"),)


@given(st.lists(st.tuples(SENTENCES, st.none() | st.integers(0, 5)), max_size=8), st.integers(0, 20))
def test_the_numbers_of_the_reasons_add_up_to_the_sets_that_wait(
    notes: list[tuple[str, int | None]], waiting: int
) -> None:
    shortfall = Shortfall()
    for sentence, sets in notes:
        shortfall.note(sentence, sets)
    reasons = shortfall.explain(waiting)
    assert sum(reason.sets for reason in reasons) == waiting
    assert all(reason.sets > 0 for reason in reasons)


def test_a_reason_is_told_as_a_sentence_with_its_number() -> None:
    assert Reason(1, "the disk is full").line == "1 set waits: the disk is full"
    assert Reason(2, "the disk is full").line == "2 sets wait: the disk is full"


def test_what_is_written_for_the_store_and_for_programs_is_read_back() -> None:
    reasons = (Reason(3, "the disk is full"), Reason(1, FAULT))
    assert records(reasons) == [{"sets": 3, "reason": "the disk is full"}, {"sets": 1, "reason": FAULT}]
    assert read(written(reasons)) == reasons
    assert read("") == read(written(())) == ()


def test_the_reasons_of_earlier_runs_are_found_under_the_name_that_they_have_in_the_store() -> None:
    assert META == "waiting_because"

"""The processor time of accounts: each tick counts once, whichever process had it and whoever ended meanwhile."""

from __future__ import annotations

from spe.client.watch.accounts import Process, Processes, used

ADA, ROOT = 1000, 0
SHELL, SIM, NEXT = (10, "1"), (11, "2"), (11, "9")  # NEXT has the number of SIM, which has ended


def process(own: int, ended: int = 0, *, parent: int = 1, user: int = ADA) -> Process:
    return Process(user, parent, own, ended, 0, 0)


def total(before: Processes, after: Processes) -> int:
    return sum(used(before, after).values())


def test_what_a_process_had_used_before_the_first_look_does_not_count() -> None:
    assert used({SHELL: process(500)}, {SHELL: process(530)}) == {SHELL: 30}


def test_a_process_that_has_begun_since_counts_in_full() -> None:
    assert used({}, {SHELL: process(30)}) == {SHELL: 30}


def test_one_that_began_and_ended_between_two_looks_counts_for_its_parent() -> None:
    assert used({SHELL: process(5)}, {SHELL: process(5, 100)}) == {SHELL: 100}


def test_what_an_ended_child_had_used_before_does_not_count_twice() -> None:
    before = {SHELL: process(5), SIM: process(400, 50, parent=10)}
    assert used(before, {SHELL: process(5, 480)}) == {SHELL: 30}


def test_a_child_for_which_nobody_waited_takes_nothing_from_its_parent() -> None:
    before = {SHELL: process(5), SIM: process(400, parent=10)}
    assert used(before, {SHELL: process(25)}) == {SHELL: 20}


def test_a_session_that_ends_as_a_whole_makes_no_work_of_who_waited_for_it() -> None:
    """A login shell and what ran in it for hours end at once: sshd gets all of their time in one go."""
    sshd = (9, "0")
    before = {sshd: process(1, user=ROOT), SHELL: process(5, parent=9), SIM: process(90_000, parent=10)}
    assert used(before, {sshd: process(1, 90_015, user=ROOT)}) == {sshd: 10}


def test_an_orphan_that_ends_makes_no_work_of_the_first_process() -> None:
    init = (1, "0")
    before = {init: process(0, user=ROOT), SHELL: process(5), SIM: process(90_000, parent=10)}
    after = {init: process(0, 90_003, user=ROOT), SHELL: process(5)}
    assert used(before, after) == {init: 3, SHELL: 0}


def test_a_number_that_is_given_again_is_another_process() -> None:
    before = {SHELL: process(5), SIM: process(400, parent=10)}
    after = {SHELL: process(5, 410), NEXT: process(7, parent=10)}
    assert used(before, after) == {SHELL: 10, NEXT: 7}
    assert total(after, after) == 0

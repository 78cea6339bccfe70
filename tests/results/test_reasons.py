"""Reasons of failures: which are the same, and how they are counted and shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.results.reasons import error_first, grouped, normal_form

SAME = [
    ("exit code 1: line 3: bad value 0.5", "exit code 1: line 17: bad value -2e-05"),
    ("exit code 1: cannot open /tmp/spe-1/run_3/mesh.dat", "exit code 1: cannot open /scratch/a b"[:-2]),
    ("exit code 2: No such file: 'data/x.csv'", "exit code 2: No such file: '/home/u/y.csv'"),
    ("killed by signal 9 (SIGKILL)", "killed by signal 9 (SIGKILL)"),
    ("timeout after 10 s", "timeout after 0.25 s"),
    ("exit code 1: object at 0x7f3a0c", "exit code 1: object at 0xdead"),
    ("energy: '1.5e' is not a float", "energy: '2.25e' is not a float"),
    ("exit code 1: C:\\runs\\a1\\x.txt is locked", "exit code 1: D:\\b is locked"),
    ("exit code 1:  two   blanks", "exit code 1: two blanks"),
]
OTHERS = [
    ("exit code 1: no licence", "exit code 75: no licence"),
    ("killed by signal 9 (SIGKILL)", "killed by signal 11 (SIGSEGV)"),
    ("killed by signal 9 (SIGKILL)", "killed by signal 9 (SIGKILL), out of memory"),
    ("exit code 1: KeyError: 'x'", "exit code 1: KeyError: 'y'"),
    ("exit code 1", "exit code 1: ZeroDivisionError: division by zero"),
    ("energy: the result is empty", "trace: the result is empty"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_reasons_that_differ_in_digits_and_paths_are_the_same(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_reasons_that_differ_in_kind_or_words_are_two(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("exit code 1: ZeroDivisionError: division by zero", "ZeroDivisionError: division by zero (exit code 1)"),
        ("killed by signal 11 (SIGSEGV): at step 3", "at step 3 (killed by signal 11 (SIGSEGV))"),
        ("exit code 75", "exit code 75"),
        ("timeout after 10 s", "timeout after 10 s"),
        ("the hook raised\nTraceback", "the hook raised"),
        ("", ""),
    ],
)
def test_the_error_stands_before_the_way_in_which_the_program_ended(reason: str, shown: str) -> None:
    assert error_first(reason) == shown


def test_failures_are_counted_by_reason_the_most_frequent_first() -> None:
    found = grouped(
        [("exit code 2", 1, 7), ("exit code 1: x 1", 2, 3), ("exit code 1: x 2", 1, 4), ("exit code 3: y", 3, 9)]
    )
    assert [(one.count, one.first, one.line) for one in found] == [
        (3, 3, "3 × x 1 (exit code 1), and alike"), (3, 9, "3 × y (exit code 3)"), (1, 7, "1 × exit code 2"),
    ]  # fmt: skip


def test_the_example_of_the_issue_reads_as_it_is_written_there() -> None:
    (group,) = grouped([("exit code 1: ZeroDivisionError: division by zero", 114, None)])
    assert group.line.startswith("114 × ZeroDivisionError: division by zero")


@given(st.text(), st.integers(0, 10**9), st.integers(0, 10**9))
def test_no_number_at_the_end_makes_a_reason_another_one(text: str, one: int, other: int) -> None:
    assert normal_form(f"{text} {one}") == normal_form(f"{text} {other}")
    assert normal_form(text) == normal_form(text)


@given(st.lists(st.tuples(st.text(max_size=5), st.integers(1, 9), st.none())))
def test_each_failure_is_in_one_group(failures: list[tuple[str, int, None]]) -> None:
    assert sum(group.count for group in grouped(failures)) == sum(count for _, count, _ in failures)

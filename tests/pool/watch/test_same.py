"""Two names of one machine share its slots; one name of two machines is said."""

from __future__ import annotations

import pytest
from spe.pool.watch.same import other_machine, set_aside


def test_the_later_of_two_names_with_one_boot_id_is_set_aside_and_both_are_named() -> None:
    boots = {"lab03": "a", "lab04": "b", "lab03.uni.edu": "a", "old": "a"}
    assert set_aside(boots) == {
        "lab03.uni.edu": "lab03.uni.edu is the same machine as lab03, which has its slots",
        "old": "old is the same machine as lab03, which has its slots",
    }


def test_the_order_of_the_hosts_file_says_which_one_is_later() -> None:
    assert set(set_aside({"b": "x", "a": "x"})) == {"a"}


def test_hosts_whose_boot_id_is_unknown_are_not_one_machine() -> None:
    assert set_aside({"lab01": "", "lab02": ""}) == {}


@pytest.mark.parametrize(
    ("watched", "client", "why"),
    [
        ("a", "b", "lab03 is another machine for ada"),
        ("a", "a", ""),
        ("", "b", ""),
        ("a", "", ""),
    ],
)
def test_a_client_on_another_machine_than_the_watcher_gets_no_work(watched: str, client: str, why: str) -> None:
    assert other_machine("lab03", "ada", watched, client) == why

"""Orders of a user: stored, ended, found again by the job's number, and forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from spe.delegate import orders
from spe.delegate.orders import Order

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


def order(job: int, farm: str = "f1", place: str = "lab07", name: str = "pi") -> Order:
    return Order(farm, job, [], "/home/ada/pi", f"/home/ada/pi/runs/{name}", place)


def test_the_delegate_of_a_host_gets_the_orders_of_its_own_farm_and_host() -> None:
    for one in (order(1), order(2, place="lab08"), order(3, farm="f1-x"), order(4, farm="f2")):
        orders.save(one)
    assert orders.load("f1", "lab07") == [order(1)]
    assert orders.load("f1-x", "lab07") == [order(3, farm="f1-x")]


def test_a_job_that_is_over_is_not_run_again_and_is_still_found_by_its_number() -> None:
    orders.save(order(17))
    orders.end(order(17))
    assert orders.load("f1", "lab07") == []
    assert orders.with_number(17) == [order(17)]
    orders.end(order(17))  # by another delegate, too
    assert orders.with_number(17) == [order(17)]


def test_the_standard_input_of_a_job_that_is_over_is_not_kept() -> None:
    with_list = replace(order(17), given="1\n2\n")
    orders.save(with_list)
    assert orders.with_number(17) == [with_list]
    orders.end(with_list)
    assert orders.with_number(17) == [order(17)]


def test_a_number_stands_for_one_job_of_each_farm_and_for_the_later_one_of_a_restored_farm() -> None:
    orders.save(order(17))
    orders.end(order(17))
    orders.save(order(17, name="later"))
    orders.save(order(17, farm="f2"))
    orders.save(order(117))
    assert sorted((one.farm, Path(one.runs).name) for one in orders.with_number(17)) == [("f1", "later"), ("f2", "pi")]
    assert orders.with_number(7) == []


def test_with_a_runs_folder_the_orders_of_its_ended_jobs_are_forgotten() -> None:
    for one in (order(1), order(2), order(3, name="other"), order(4)):
        orders.save(one)
    for job, name in ((1, "pi"), (2, "pi"), (3, "other")):
        orders.end(order(job, name=name))
    orders.forget(Path("/home/ada/pi/runs/pi"))
    assert [orders.with_number(job) == [] for job in (1, 2, 3, 4)] == [True, True, False, False]


def test_a_damaged_order_is_left_out() -> None:
    orders.save(order(1))
    (orders.folder() / "f1-2.json").write_text('{"farm": "f1"')
    assert orders.load("f1", "lab07") == [order(1)] and orders.with_number(2) == []

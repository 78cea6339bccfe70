"""Where a job's folder is: by the user's own orders, else by what a farm says, whoever runs that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from spe.delegate import orders
from spe.delegate.finding import JobPlace, find_job
from spe.delegate.orders import Order
from spe.errors import UsageError
from spe.pool.joining.cards import save_card
from spe.pool.joining.knocking import own_name

from .ada import JOB, Ada
from .evil_gate import NO_ANSWERS, OTHER_NAMES, WRONG_NAMES, EvilGate, answer


@pytest.fixture(autouse=True)
def _account(ada: Ada) -> None:
    """Each test has an account of its own."""


def refused(job: str) -> str:
    with pytest.raises(UsageError) as caught:
        find_job(job)
    return str(caught.value)


def farm_says(gate: EvilGate, **what: Any) -> None:
    gate.answers["/jobs"] = answer({"jobs": [{"id": 1}, {"id": JOB, "owner": "ada", **what}]})


@pytest.mark.parametrize("job", ["", "x", "-1", "0", "1.5", "1 2", "srv:", ":7", "a:b:7", "1" * 40, "srv:٧"])
def test_what_is_no_number_of_a_job_is_refused(job: str) -> None:
    assert "no number of a job" in refused(job)


@pytest.mark.parametrize("job", ["7", "srv:7", "f00d:7"])
def test_an_order_says_where_the_folder_is_and_no_farm_is_asked(ada: Ada, gate: EvilGate, job: str) -> None:
    ada.submit()
    assert "has not begun" in refused_folder(find_job(job))
    ada.runs.mkdir(parents=True)
    assert find_job(job).folder() == ada.runs
    orders.end(orders.with_number(JOB)[0])
    assert find_job(job).folder() == ada.runs, "also once the job is over"
    ada.runs.rmdir()
    assert "not there any more" in refused_folder(find_job(job))
    assert not gate.asked


def refused_folder(found: JobPlace) -> str:
    assert found.is_here
    with pytest.raises(UsageError) as caught:
        found.folder()
    return str(caught.value)


def test_of_two_jobs_with_a_number_the_farm_says_which_one_is_meant(ada: Ada) -> None:
    ada.submit()
    orders.save(Order("other", JOB, [], "/x", "/x/runs/x", own_name()))
    assert "on several farms: other, srv" in refused("7") and "--job other:7" in refused("7")
    assert find_job("srv:7").order == orders.with_number(JOB)[0]
    assert find_job("other:7").order == orders.with_number(JOB)[1], "also one that was left meanwhile"


def test_a_folder_of_another_place_is_here_where_it_is_visible(ada: Ada) -> None:
    orders.save(Order(EvilGate.farm, JOB, [], str(ada.sweep), str(ada.runs), "lab07"))
    found = find_job("7")
    assert (found.is_here, found.place) == (False, "lab07")
    ada.runs.mkdir(parents=True)
    assert found.is_here


def test_a_job_that_was_submitted_elsewhere_is_at_the_place_that_the_farm_says(gate: EvilGate) -> None:
    farm_says(gate, place="lab07")
    assert find_job("7") == JobPlace(JOB, "lab07") and not find_job("7").is_here
    assert "you have no such job" in refused("8")
    assert "you have no such job" in refused("elsewhere:7"), "that farm was not joined"
    farm_says(gate, place=own_name())
    assert "there is no order of it any more" in refused("7")


def test_a_job_of_another_user_is_named_as_his(gate: EvilGate) -> None:
    farm_says(gate, owner="ben")
    assert "job 7: it belongs to ben" in refused("7")
    farm_says(gate, owner="\x1b[2Jben")
    assert "job 7: it belongs to another user" in refused("7")


def test_without_a_farm_nobody_is_asked(ada: Ada) -> None:
    from spe.pool.joining.cards import remove_card

    remove_card(ada.card)
    assert "you have no such job" in refused("7")


@pytest.mark.parametrize("name", [*OTHER_NAMES, *WRONG_NAMES, 5, None, ["lab07"]])
def test_a_farm_sends_ssh_only_to_hosts_that_the_user_has_accepted(gate: EvilGate, name: Any) -> None:
    farm_says(gate, place=name)
    said = refused("7")
    expected = "a host that you have not accepted" if name in OTHER_NAMES else "does not say where its folder is"
    assert expected in said and all(one.isprintable() or one == "\n" for one in said)


@pytest.mark.parametrize("jobs", [{}, None, 5, [5, None, [], {"id": True}, {"id": "7"}, {"owner": "ada"}]])
def test_a_list_of_jobs_that_is_none_has_no_job(gate: EvilGate, jobs: Any) -> None:
    gate.answers["/jobs"] = answer({"jobs": jobs})
    assert "you have no such job" in refused("1")


@pytest.mark.parametrize("what", ["silence", "500", "deep", "list"])
def test_a_farm_that_gives_no_answer_is_said_in_a_sentence(gate: EvilGate, what: str) -> None:
    gate.answers["/jobs"] = NO_ANSWERS[what]
    assert refused("7")


def test_a_farm_that_is_silent_leaves_those_that_answer(gate: EvilGate, ada: Ada) -> None:
    from dataclasses import replace

    save_card(replace(ada.card, farm="beef", srv="away", urls=["https://127.0.0.1:1"]))
    farm_says(gate, place="lab07")
    assert find_job("7").place == "lab07"
    assert "no order of it is here, and the farm does not answer" in refused("8")
    assert Path(orders.folder()).exists() is False

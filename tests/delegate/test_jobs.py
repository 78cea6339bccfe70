"""`spe jobs`: what is listed, what a job waits for, and what is done to jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pool.service.people import ADA, BEN, Town, town
from spe.cli.jobs_why import reason
from spe.delegate.jobs import state_of
from spe.pool.deal.asks import Job, User
from spe.pool.deal.rule import claims
from waiting import wait_until

JOB: dict[str, Any] = {
    "id": 17, "owner": "ada", "name": "pi", "state": "waiting", "slots": 0, "cores": 1, "sets": 9, "done": 0,
    "failed": 0, "heard": 0.0, "silence": 1.0, "place": "lab07",
}  # fmt: skip
FREE: dict[str, Any] = {"free": 2, "why": ""}


def found(state: str = "waiting", **more: Any) -> dict[str, Any]:
    whole = {"has": 0, "wants": 5, "enabled": True, "turn": [{"user": "ada"}], "own_jobs": {"17": 1.0}}
    return {**whole, "job": {**JOB, "state": state}, "hosts": {"h1": FREE}, **more}


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (found("finished", job={**JOB, "state": "finished", "outcome": "its run has ended"}), "finished: its run"),
        (found("paused"), "it is paused: spe jobs resume 17"),
        (found(enabled=False), "ada is disabled in this farm"),
        (found(job={**JOB, "silence": 61.0}), "waiting: nobody is there for ada (lab07 was last heard "),
        (found(has=5), "it has all slots that it can use now"),
        (found(hosts={"h1": {"free": 0, "why": "full"}}), "none of the 1 host takes another task"),
        (found(turn=[{"user": "ben"}, {"user": "ada"}]), "the next slot that is free is ben's"),
        (found(own_jobs={"12": 0.5, "17": 1.0}), "the next slot of ada is job 12's"),
        (found(), "the next slot that is free is ada's, for this job"),
    ],
)
def test_one_reason_is_named_the_first_that_keeps_a_job_from_its_slot(what: dict[str, Any], said: str) -> None:
    assert said in reason(what)


def test_a_place_is_named_only_to_those_who_may_see_it() -> None:
    others = {name: value for name, value in JOB.items() if name != "place"} | {"silence": 3600.0}
    assert state_of(others) == "nobody is there for ada"
    assert re.fullmatch(
        r"nobody is there for ada \(lab07 was last heard \d\d:\d\d\)", state_of({**others, **JOB, "silence": 61.0})
    )
    assert state_of({**JOB, "failed": 2}) == "2 failed"


def test_claims_are_those_of_the_rule_with_what_is_held_now() -> None:
    users = [User("ada"), User("ben", share=2.0), User("cyd")]
    jobs = [Job(1, "ada", wants=9), Job(2, "ada", boost=4.0, wants=9), Job(3, "ben", wants=9), Job(4, "cyd", wants=2)]
    ada, ben = claims(users, jobs, {1: 3, 3: 4, 4: 2})
    assert (ben.user.name, ben.claim, ben.cores) == ("ben", 5 / 2, 4)
    # (n + cores) / (share * fair * the mean boost with the next job): 3 slots at 1, and one at 4.
    assert (ada.user.name, ada.boost, ada.claim) == ("ada", 7 / 4, 4 / (7 / 4))
    assert ada.jobs == {1: 4.0, 2: 0.25}


@pytest.fixture(scope="module")
def place() -> Iterator[Town]:
    with town() as made:
        made.farm()
        made.join(BEN)
        yield made


def listed(place: Town, who: str, *words: str) -> list[dict[str, Any]]:
    done = place.spe(who, place.root, "jobs", *words, "--json")
    assert done.returncode == 0, done
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_jobs_are_listed_explained_and_steered_by_their_owner(place: Town) -> None:
    first = place.submit(ADA, place.sweep(ADA, "first", "sleep 300", 40))
    wait_until(lambda: listed(place, ADA)[0]["slots"] == 4, "it has all slots", seconds=60, story=place.logs)
    second = place.submit(ADA, place.sweep(ADA, "second", "sleep 300", 2), "--cores", "4")
    table = place.spe(BEN, place.root, "jobs").stdout.splitlines()
    assert table[0].split() == ["job", "owner", "name", "state", "done", "slots"]
    assert table[1].split() == [str(first), ADA, "first", "running", "0/40", "4"]
    assert table[2].split()[:4] == [str(second), ADA, "second", "waiting"]
    assert place.spe(BEN, place.root, "jobs", "--mine").stderr.startswith("no jobs now")
    assert [one["id"] for one in listed(place, BEN, "--state", "waiting")] == [second]

    why = place.spe(ADA, place.root, "jobs", "why", str(second))
    assert f"job {second}: it waits: none of the 1 host takes another task of it now" in why.stdout
    assert "full: jobs hold 4" in why.stdout
    refused = place.spe(BEN, place.root, "jobs", "why", str(second))
    assert refused.returncode == 2 and "may not ask why a job waits" in refused.stderr

    assert place.spe(ADA, place.root, "jobs", "priority", str(second), "96").stdout == f"job {second}: priority 96\n"
    assert {one["id"]: one["priority"] for one in listed(place, ADA)} == {first: 64, second: 96}
    paused = place.spe(ADA, place.root, "jobs", "pause", "--mine")
    assert paused.stdout.count("paused; running tasks may finish") == 2
    assert {one["state"] for one in listed(place, BEN)} == {"paused"}
    assert "job 99" in place.spe(ADA, place.root, "jobs", "resume", str(first), "99").stderr
    assert {one["id"]: one["state"] for one in listed(place, BEN)} == {first: "running", second: "paused"}

    mine = place.spe(BEN, place.root, "jobs", "cancel", str(first))
    assert mine.returncode == 1 and f"job {first}: {BEN} may not act what belongs to {ADA}" in mine.stderr
    both = place.spe(ADA, place.root, "jobs", "cancel", "--mine")
    assert both.returncode == 0 and both.stdout.count("cancelled") == 2
    assert listed(place, ADA) == []
    assert [one["state"] for one in listed(place, ADA, "--all")] == ["cancelled", "cancelled"]
    wait_until(lambda: place.delegate(ADA) == 0, "its delegate ends with its jobs", seconds=90, story=place.logs)


@pytest.mark.parametrize("words", [[], ["17", "--mine"]])
def test_numbers_or_mine_are_wanted_and_not_both(place: Town, words: list[str]) -> None:
    done = place.spe(BEN, place.root, "jobs", "cancel", *words)
    assert done.returncode == 2 and "name jobs by their numbers, or give --mine" in done.stderr


def test_a_command_starts_the_delegate_of_jobs_that_nobody_looks_after(place: Town) -> None:
    job = place.submit(BEN, place.sweep(BEN, "left", "true", 2))
    place.kill_delegate(BEN)
    assert place.spe(BEN, place.root, "jobs").returncode == 0
    wait_until(lambda: place.jobs(BEN)[job]["state"] == "finished", "the job ends", seconds=90, story=place.logs)

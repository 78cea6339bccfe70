"""Two users share a host through a farm of a third account: each task runs as its owner."""

from __future__ import annotations

import csv
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_until

from .people import ADA, BEN, FARM, Town, town

PROGRAM = "sleep 0.3; id -un"


@pytest.fixture
def place() -> Iterator[Town]:
    with town() as made:
        yield made


def programs(place: Town) -> Counter[str]:
    """Return how many programs of each account run now."""
    return Counter(who for who in (ADA, BEN) for line in place.processes(who).values() if line == "sleep 0.3 ")


def owners(folder: Path) -> set[str]:
    with (folder / "runs" / folder.name / "results.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 40
    return {row["who"].strip() for row in rows}


def finished(place: Town, *jobs: int) -> bool:
    found = place.jobs()
    return all(found[job]["state"] == "finished" for job in jobs)


@pytest.mark.slow
def test_each_task_runs_as_its_owner_and_both_get_slots(place: Town) -> None:
    place.farm()
    ada, ben = place.sweep(ADA, "ada", PROGRAM, 40), place.sweep(BEN, "ben", PROGRAM, 40)
    first = place.submit(ADA, ada)
    assert place.jobs()[first]["state"] in ("waiting", "pending")
    wait_until(lambda: programs(place)[ADA] == 4, "she alone has all slots", seconds=60, story=place.logs)
    second = place.submit(BEN, ben)
    seen: Counter[str] = Counter()

    def both_finished() -> bool:
        now = programs(place)
        assert now.total() <= 4, now
        seen.update(now)
        return finished(place, first, second)

    wait_until(both_finished, "both jobs end", seconds=120, story=place.logs)
    assert set(seen) == {ADA, BEN}
    assert owners(ada) == {ADA} and owners(ben) == {BEN}
    assert place.jobs()[first]["done"] == 40
    info = place.jobs(BEN)[first]
    assert "info" not in info and "place" not in info, "of another user's job only the counts are seen"
    assert place.ask(ADA, "GET", "/hosts")["hosts"][0]["granted"] == 0
    wait_until(lambda: all(until for _, until in charged(place)), "all intervals are closed", story=place.logs)
    assert {who for who, _ in charged(place)} == {ADA, BEN}, "each has paid for what he had"


def charged(place: Town) -> list[tuple[str, float]]:
    """The owner of each interval of the ledger, and when it ended; 0 while it lasts."""
    database = next((place.root / f"home-{FARM}").rglob("*.db"))
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute("SELECT owner, until FROM ledger JOIN jobs ON jobs.id = ledger.job").fetchall()


@pytest.mark.slow
def test_a_farm_that_is_killed_loses_no_job_and_jobs_go_on_without_it(place: Town) -> None:
    farm = place.farm()
    ada = place.sweep(ADA, "ada", PROGRAM, 40)
    job = place.submit(ADA, ada)
    wait_until(lambda: programs(place)[ADA] == 4, "it runs", seconds=60, story=place.logs)
    farm.send_signal(signal.SIGKILL)
    farm.wait()
    folder = ada / "runs" / "ada"
    wait_until(lambda: (folder / "results.csv").exists(), "the job ends without the farm", seconds=90, story=place.logs)
    place.farm()
    wait_until(lambda: finished(place, job), "the farm hears of its end", seconds=60, story=place.logs)
    assert owners(ada) == {ADA}


@pytest.mark.slow
def test_a_master_and_a_delegate_that_are_killed_are_started_again(place: Town) -> None:
    place.farm()
    ada = place.sweep(ADA, "ada", PROGRAM, 40)
    job = place.submit(ADA, ada)
    wait_until(lambda: programs(place)[ADA] == 4, "it runs", seconds=60, story=place.logs)
    place.kill_delegate(ADA)
    import json

    master = json.loads((ada / "runs" / "ada" / "master.json").read_text())["pid"]
    os.kill(master, signal.SIGKILL)
    other = place.sweep(ADA, "other", "true", 1)
    place.submit(ADA, other)  # any command that needs a delegate starts it
    wait_until(lambda: finished(place, job), "the job ends", seconds=120, story=place.logs)
    assert owners(ada) == {ADA}


def test_a_cancelled_job_ends_and_its_slots_are_free(place: Town) -> None:
    place.farm()
    job = place.submit(ADA, place.sweep(ADA, "ada", "sleep 300", 40))
    wait_until(lambda: sum(place.jobs()[job]["hosts"].values()) == 4, "it has slots", seconds=60, story=place.logs)
    assert place.ask(ADA, "POST", f"/jobs/{job}/cancel", {})["state"] == "cancelled"
    wait_until(
        lambda: place.ask(ADA, "GET", "/hosts")["hosts"][0]["granted"] == 0, "nothing is held", story=place.logs
    )


def test_the_farms_own_account_sees_nothing_of_a_users_folder(place: Town) -> None:
    folder = place.sweep(ADA, "ada", PROGRAM, 1)
    assert folder.stat().st_mode & 0o777 == 0o700 and folder.owner() == ADA != FARM

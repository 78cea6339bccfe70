"""Silent jobs: they get nothing new, keep what they held, and lose it only where nothing of them is left."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import pytest
from spe.pool.farm import Farm, News
from spe.pool.holding import Holding, Report
from spe.pool.rows import HistoryRow, HostRow, JobRow, UserRow
from spe.pool.silence import APART, FINAL, MOST_CLIENTS, NO_START, SILENT, Silence
from spe.pool.watch.seen import Client, Seen

SCHEDULES = 20_000 if os.environ.get("SPE_LONG") else 2_000
EMPTY = Seen("boot", "linux-x86_64", 8)
BUSY = replace(EMPTY, clients=[Client("ada", 4, "f00d/7")])
HELD = {7: ["h"]}


def left(silence: Silence, at: float, look: Seen) -> list[tuple[int, str]]:
    return silence.left(at, HELD, {"h": (at, look)})


def test_two_looks_that_find_no_client_free_what_a_silent_job_held() -> None:
    silence = Silence(0.0)
    silence.hear(100.0, 7)
    assert left(silence, 100.0 + FINAL - 1, EMPTY) == [], "a client may still be started behind the watcher"
    assert left(silence, 100.0 + FINAL, EMPTY) == [], "one look may have come between two clients"
    assert left(silence, 100.0 + FINAL + APART - 1, EMPTY) == []
    assert left(silence, 100.0 + FINAL + APART, EMPTY) == [(7, "h")]


def test_an_old_look_says_nothing_however_often_it_is_asked() -> None:
    silence = Silence(0.0)
    seen = {"h": (FINAL - 1, EMPTY)}
    assert [silence.left(at, HELD, seen) for at in (FINAL, FINAL + 60, FINAL + 600)] == [[], [], []]
    seen = {"h": (FINAL + 1, EMPTY)}
    assert silence.left(FINAL + 60, HELD, seen) == silence.left(FINAL + 600, HELD, seen) == [], "it is one look"


@pytest.mark.parametrize(
    "look",
    [
        BUSY,
        replace(EMPTY, clients=[Client("ada", 4, "0ld/7")]),  # the farm's ID before --new-id
        replace(EMPTY, sees_others=False),
        replace(EMPTY, clients=[Client("ben", 1, "f00d/8")] * MOST_CLIENTS),
    ],
    ids=["a client", "a client of the farm's earlier ID", "hidden processes", "more clients than are told"],
)
def test_what_is_no_proof_frees_nothing(look: Seen) -> None:
    silence = Silence(0.0)
    for at in range(0, 10_000, 10):
        assert left(silence, float(at), look) == []


def test_a_client_that_is_seen_between_makes_the_count_begin_anew() -> None:
    silence = Silence(0.0)
    assert left(silence, FINAL, EMPTY) == left(silence, FINAL + 5, BUSY) == left(silence, FINAL + 11, EMPTY) == []
    assert left(silence, FINAL + 21, EMPTY) == [(7, "h")]


def test_clients_of_others_are_none_of_the_job() -> None:
    silence = Silence(0.0)
    others = replace(EMPTY, clients=[Client("ada", 4, "f00d/77"), Client("ada", 4, "")])
    assert left(silence, FINAL, others) == []
    assert left(silence, FINAL + APART, others) == [(7, "h")]


def test_a_host_that_was_started_anew_has_nothing_of_a_silent_job_also_where_processes_are_hidden() -> None:
    silence = Silence(0.0)
    hidden = replace(EMPTY, sees_others=False)
    assert left(silence, NO_START, replace(hidden, boot="before")) == []
    assert left(silence, FINAL - 1, hidden) == []
    assert left(silence, FINAL, hidden) == [(7, "h")]


def test_a_restart_while_the_master_could_still_start_a_client_is_no_word() -> None:
    silence = Silence(0.0)
    assert left(silence, 10.0, replace(BUSY, boot="before")) == []
    for at in range(40, 1000, 10):  # the client was started again by a master that was heard 40 s ago
        assert left(silence, float(at), BUSY) == []


def test_a_job_that_is_heard_keeps_all() -> None:
    silence = Silence(0.0)
    for at in range(0, 10_000, 50):
        silence.hear(float(at), 7)
        assert left(silence, at + 49.0, EMPTY) == []
        assert silence.of(at + 49.0, 7) == 49.0 < SILENT


# -- in the farm


def make_farm() -> Farm:
    farm = Farm(1, 0.0)
    farm.load([HostRow("g", 4, 4), HostRow("h", 4, 4), UserRow("ada"), UserRow("ben")], 0.0)
    farm.vacant = {"g": 4, "h": 4}
    return farm


def news(
    serial: int, number: int, slots: dict[str, int], wants: int = 100, boots: dict[str, str] | None = None
) -> News:
    report = Report((1, serial), 1, number, slots, slots)
    return News(report, 100, up=frozenset(slots), boots=boots or {})


def granted(farm: Farm, job: int) -> dict[str, int]:
    return dict(farm.jobs[job].holding.granted)


def test_a_silent_job_gets_nothing_new_and_keeps_what_it_has() -> None:
    farm = make_farm()
    job = farm.submit(0.0, JobRow(0, "ada", "x", place="p", hosts="h")).id
    farm.tick(0.0)
    farm.hear(1.0, job, news(1, 1, granted(farm, job)))
    before = granted(farm, job)
    assert sum(before.values()) < 4, "a new host gets one slot until its client is there"
    farm.unheard = {job}
    for second in range(2, 8):
        farm.tick(float(second))
    assert granted(farm, job) == before
    farm.unheard = set()
    farm.tick(20.0)
    assert sum(granted(farm, job).values()) == 4


def test_a_silent_job_without_a_grant_gets_none() -> None:
    farm = make_farm()
    job = farm.submit(0.0, JobRow(0, "ada", "x", place="p")).id
    farm.unheard = {job}
    farm.tick(0.0)
    farm.tick(70.0)
    assert granted(farm, job) == {} and farm.jobs[job].without is None, "nor does it become older"


def test_what_is_freed_goes_to_another_job_and_is_in_the_history() -> None:
    farm = make_farm()
    first = farm.submit(0.0, JobRow(0, "ada", "x", place="p", hosts="h")).id
    farm.tick(0.0)
    farm.hear(1.0, first, news(1, 1, granted(farm, first)))
    farm.tick(10.0)
    second = farm.submit(11.0, JobRow(0, "ben", "y", place="p", hosts="h")).id
    farm.unheard = {first}
    farm.tick(12.0)
    assert granted(farm, second) == {}
    farm.take_changes()
    farm.free(13.0, first, "h", "nothing is left")
    farm.tick(13.0)
    assert granted(farm, first) == {} and granted(farm, second) == {"h": 1}
    rows = [row for row in farm.take_changes()[0] if isinstance(row, HistoryRow) and row.job == first]
    assert [(row.host, row.text) for row in rows] == [("h", "nothing is left")]


def test_a_name_that_leads_a_user_to_another_machine_is_a_fault_of_his_there_and_of_nobody_else() -> None:
    farm = make_farm()
    farm.boots = {"h": "farm's"}
    ada = farm.submit(0.0, JobRow(0, "ada", "x", place="p", hosts="h")).id
    farm.tick(0.0)
    farm.hear(1.0, ada, news(1, 1, {"h": 1}, boots={"h": "another"}))
    ben = farm.submit(1.0, JobRow(0, "ben", "y", place="p", hosts="h")).id
    for second in range(2, 30):
        farm.tick(float(second))
        farm.hear(float(second), ada, news(second, farm.jobs[ada].holding._number, {}, boots={"h": "another"}))
    assert granted(farm, ada) == {} and sum(granted(farm, ben).values()) >= 1
    farm.hear(31.0, ada, news(99, farm.jobs[ada].holding._number, {"h": 0}, boots={"h": "farm's"}))
    assert farm.jobs[ada].faults == {}, "its user has mended the way there"


# -- any order of what happens


class Truth:
    """A job on one host as it really is, beside what the farm has heard of it."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.now = 0.0
        self.silence, self.holding = Silence(0.0), Holding(1)
        self.clients = 0  # that run: 0 or 1
        self.applied, self.slots = 0, 0  # number and slots of the grant that the master has
        self.master_is_there = True
        self.heard_back = 0.0  # when the report was made that the master knows to be taken in
        self.serial = 0
        self.is_freed = False

    def step(self) -> None:
        self.now += self.dice.choice((1.0, 5.0, 20.0))
        what = self.dice.random()
        if what < 0.2 and not self.is_freed:
            self.report()
        elif what < 0.3:
            self.holding.grant({"h": self.dice.randint(0, 4)}) if not self.is_freed else None
        elif what < 0.4:
            self.clients = 0  # it was killed
        elif what < 0.45:
            self.master_is_there = not self.master_is_there
        elif what < 0.75 and self.may_start():
            self.clients = 1
        self.look()

    def may_start(self) -> bool:
        """A master starts a client where it has none only while it knows that it was heard lately."""
        return self.master_is_there and self.slots > 0 and self.now - self.heard_back < 60.0

    def report(self) -> None:
        if not self.master_is_there:
            return
        made = self.now
        if self.holding._grants:
            newest = self.holding._grants[-1]
            self.applied, self.slots = newest.number, newest.slots.get("h", 0)
        self.serial += 1
        out = {"h": self.slots} if self.clients else {}
        self.holding.hear(Report((1, self.serial), 1, self.applied, {"h": self.slots} if self.slots else {}, out))
        self.silence.hear(self.now, 7)
        if self.dice.random() < 0.8:  # else the answer is lost
            self.heard_back = made

    def look(self) -> None:
        look = replace(EMPTY, clients=[Client("ada", 4, "f/7")] * self.clients)
        held = {7: list(self.holding.held)}
        if self.silence.left(self.now, held, {"h": (self.now, look)}):
            self.holding.free("h")
            self.is_freed = True
        if self.is_freed:
            assert not self.clients and not self.may_start(), "somebody else gets these slots"


def test_in_no_order_of_events_a_client_works_on_slots_that_were_freed() -> None:
    freed = 0
    for seed in range(SCHEDULES):
        truth = Truth(random.Random(seed))
        for _ in range(60):
            truth.step()
        freed += truth.is_freed
    assert freed > SCHEDULES / 50, "it comes to that at all"

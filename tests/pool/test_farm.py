"""The farm's heart: what happens to jobs, and a simulated lab of some hours.

The masters of the simulation are plain: they apply grants and report a second later, start clients in three seconds,
and run tasks of known lengths.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from spe.errors import UsageError
from spe.pool.farm import Farm, News
from spe.pool.holding import Report
from spe.pool.rows import GrantRow, HistoryRow, HostRow, JobRow, JobState, UserRow

START = 3.0  # seconds until a client has registered


@dataclass
class Master:
    """The master of one job in the simulation."""

    number: int
    sets: int
    seconds: float
    serial: int = 0
    grant: tuple[int, int] = (0, 0)
    allowed: dict[str, int] = field(default_factory=dict)
    ends: dict[str, list[float]] = field(default_factory=dict)
    up_at: dict[str, float] = field(default_factory=dict)
    starts: int = 0
    done: int = 0
    first: float | None = None

    @property
    def out(self) -> dict[str, int]:
        return {host: len(ends) for host, ends in self.ends.items() if ends}

    def step(self, now: float) -> None:
        for host, ends in self.ends.items():
            self.done += sum(end <= now for end in ends)
            self.ends[host] = [end for end in ends if end > now]
        for host, tasks in self.allowed.items():
            if tasks and host not in self.up_at:
                self.up_at[host] = now + START
                self.starts += 1
        for host, tasks in self.allowed.items():
            if self.up_at.get(host, now + 1) > now:
                continue
            ends = self.ends.setdefault(host, [])
            while len(ends) < tasks and self.left > 0:
                ends.append(now + self.seconds)
                self.first = self.first or now

    @property
    def left(self) -> int:
        return self.sets - self.done - sum(map(len, self.ends.values()))

    def news(self, now: float) -> News:
        self.serial += 1
        out = self.out
        may = {host: max(out.get(host, 0), self.allowed.get(host, 0)) for host in {*out, *self.allowed}}
        up = frozenset(host for host, at in self.up_at.items() if at <= now)
        wants = self.left + sum(out.values())
        report = Report((1, self.serial), *self.grant, self.allowed, may)
        return News(report, wants, up=up, sets=self.sets, done=self.done)


class Lab:
    """A farm with hosts and users, and the masters of its jobs."""

    def __init__(self, hosts: dict[str, int], users: str = "ada ben cyd", epoch: int = 1) -> None:
        self.now = 0.0
        self.farm = Farm(epoch, 0.0)
        self.farm.load([HostRow(name, slots, slots) for name, slots in hosts.items()], 0.0)
        self.farm.load([UserRow(name) for name in users.split()], 0.0)
        self.farm.vacant = dict(hosts)
        self.masters: dict[int, Master] = {}
        self.changes = Counter[int]()

    def submit(self, owner: str, sets: int = 10_000, seconds: float = 5.0, **more: object) -> Master:
        row = self.farm.submit(self.now, JobRow(0, owner, "pi", "lab01", **more))  # type: ignore[arg-type]
        self.masters[row.id] = Master(row.id, sets, seconds)
        return self.masters[row.id]

    def second(self) -> None:
        """One second passes: masters work, report, and are granted."""
        self.now += 1.0
        for number in self.farm.tick(self.now):
            self.changes[number] += 1
        for number, master in self.masters.items():
            job = self.farm.jobs[number]
            grant = job.holding.stored[-1] if job.holding.stored else None
            if grant and grant.rank >= master.grant and grant.epoch:
                master.grant, master.allowed = grant.rank, dict(job.holding.granted)
            master.step(self.now)
            if master.grant != (0, 0):
                self.farm.hear(self.now, number, master.news(self.now))
            if master.done == master.sets:
                self.farm.set_state(self.now, number, JobState.FINISHED)
        self.check()

    def check(self) -> None:
        """Never more programs than slots."""
        for name, host in self.farm.hosts.items():
            running = sum(len(master.ends.get(name, ())) for master in self.masters.values())
            held = sum(job.holding.held.get(name, 0) * job.row.cores for job in self.farm.jobs.values())
            assert running <= held <= host.most, (self.now, name, running, held)

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.second()

    def slots(self) -> list[int]:
        return [sum(master.out.values()) for master in self.masters.values()]


def test_a_job_waits_is_pending_runs_and_ends() -> None:
    lab = Lab({"h1": 4})
    master = lab.submit("ada", sets=6, seconds=5.0)
    row = lab.farm.jobs[1].row
    assert row.state is JobState.WAITING and row.id == 1
    lab.run(2)
    assert lab.farm.jobs[1].row.state is JobState.PENDING
    lab.run(5)
    assert lab.farm.jobs[1].row.state is JobState.RUNNING and master.out == {"h1": 4}
    lab.run(12)
    assert lab.farm.jobs[1].row.state is JobState.FINISHED and lab.farm.jobs[1].row.done == 6


def test_the_slots_of_a_job_that_has_ended_go_to_others() -> None:
    lab = Lab({"h1": 4})
    lab.submit("ada", sets=8, seconds=2.0)
    lab.submit("ben")
    lab.run(40)
    assert lab.slots() == [0, 4]


def test_a_newcomer_has_his_first_task_within_a_task_and_the_start_of_a_client() -> None:
    lab = Lab({f"h{n}": 8 for n in range(5)})
    lab.submit("ada", seconds=10.0)
    lab.run(60)
    assert lab.slots() == [40]
    came = lab.now
    master = lab.submit("ben", seconds=10.0)
    lab.run(20)
    assert master.first is not None and master.first - came <= 10 + 2 + START


def test_after_minutes_slots_are_within_a_tenth_of_the_worked_table() -> None:
    lab = Lab({f"h{n}": 8 for n in range(5)})
    lab.submit("ada", seconds=1.0)
    lab.submit("ben", seconds=1.0, priority=80)
    lab.submit("cyd", seconds=1.0)
    lab.run(120)
    total = Counter[int]()
    for _ in range(60):
        lab.second()
        for number, slots in enumerate(lab.slots()):
            total[number] += slots
    assert [round(total[n] / 60) for n in range(3)] == pytest.approx([10, 20, 10], abs=1.5)


def test_a_disabled_user_waits_and_what_runs_of_his_ends_by_itself() -> None:
    lab = Lab({"h1": 4}, "ada")
    master = lab.submit("ada", seconds=5.0)
    lab.run(10)
    lab.farm.load([UserRow("ada", enabled=False)], lab.now)
    lab.run(30)
    assert master.out == {} and not master.allowed.get("h1")
    assert lab.farm.jobs[1].row.state is JobState.RUNNING


def test_a_host_that_is_not_vacant_or_not_active_gets_nothing_new() -> None:
    lab = Lab({"h1": 4, "h2": 4})
    lab.farm.vacant["h1"] = 0
    lab.submit("ada")
    lab.run(10)
    assert lab.masters[1].out == {"h2": 4}


def test_a_host_with_a_fault_is_tried_again_after_ever_longer_pauses() -> None:
    lab = Lab({"h1": 4})
    lab.submit("ada")
    lab.run(2)
    news = lab.masters[1].news(lab.now)
    for pause in (120, 240):
        lab.farm.hear(lab.now, 1, News(Report((2, int(lab.now)), 0, 0, {}, {}), 9, faults={"h1": "key refused"}))
        lab.farm.tick(lab.now)
        assert lab.farm.targets == {}
        lab.now += pause + 1
        lab.farm.tick(lab.now)
        assert lab.farm.targets == {1: {"h1": 4}}
    assert news


def test_a_job_that_is_paused_at_its_own_run_is_shown_as_paused_and_goes_on_as_it_was() -> None:
    lab = Lab({"h1": 4})
    lab.submit("ada")
    lab.run(5)
    job = lab.farm.jobs[1]
    assert job.row.state is JobState.RUNNING and not job.is_paused_by_itself
    lab.farm.take_changes()
    paused = replace(lab.masters[1].news(lab.now), is_paused=True)
    lab.farm.hear(lab.now, 1, paused)
    assert job.is_paused_by_itself
    said = [row.text for row in lab.farm.take_changes()[0] if isinstance(row, HistoryRow)]
    assert said == ["paused at its own run"]
    lab.farm.set_state(lab.now, 1, JobState.PAUSED)
    assert not job.is_paused_by_itself, "the farm has paused it, too: first that is ended"
    lab.farm.set_state(lab.now, 1, JobState.RUNNING)
    lab.farm.hear(lab.now, 1, lab.masters[1].news(lab.now))
    assert job.row.state is JobState.RUNNING and not job.is_paused_by_itself


def test_a_job_that_fits_no_host_is_refused_and_the_best_host_is_named() -> None:
    lab = Lab({"h1": 4, "h2": 16})
    with pytest.raises(UsageError, match="h2, with 16 slots"):
        lab.submit("ada", cores=17)


def test_what_a_job_may_have_out_is_stored_before_it_is_sent() -> None:
    lab = Lab({"h1": 4})
    lab.submit("ada")
    lab.farm.take_changes()
    lab.farm.tick(1.0)
    saved, _ = lab.farm.take_changes()
    assert GrantRow(1, 1, 1, "h1", 1) in saved, "one slot, until its client is up"


def test_a_farm_that_is_started_again_lets_nothing_grow_until_it_knows_what_is_out() -> None:
    farm = Farm(2, 0.0)
    running = JobRow(1, "ada", "pi", "lab01", state=JobState.RUNNING, started=5.0)
    farm.load([HostRow("h1", 4, 4), UserRow("ada"), UserRow("ben"), running, GrantRow(1, 1, 7, "h1", 4)], 0.0)
    farm.vacant = {"h1": 4}
    new = farm.submit(0.0, JobRow(0, "ben", "pi", "lab02"))
    assert new.id == 2
    farm.tick(1.0)
    assert farm.jobs[2].holding.granted == {}
    farm.hear(2.0, 1, News(Report((1, 1), 1, 7, {"h1": 4}, {"h1": 4}), 9, up=frozenset({"h1"})))
    farm.tick(2.0)
    assert farm.jobs[2].holding.granted == {} and farm.jobs[1].holding.held == {"h1": 4}
    for now in range(60, 70):
        farm.tick(float(now))
    assert farm.jobs[1].holding.granted == {"h1": 3}, "one slot is taken back for the newcomer"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_in_a_lab_of_random_users_nobody_starves_and_slots_do_not_wander(seed: int) -> None:
    """An hour: users come with jobs of random sizes, lengths and priorities, hosts leave and come back."""
    chance = random.Random(seed)
    lab = Lab({f"h{n}": chance.choice([4, 8, 16]) for n in range(8)}, " ".join(f"u{n}" for n in range(6)))
    came: dict[int, float] = {}
    for second in range(3600):
        if chance.random() < 1 / 120:
            length = chance.choice([2.0, 10.0, 60.0])
            master = lab.submit(
                f"u{chance.randrange(6)}",
                sets=chance.choice([5, 60, 600]),
                seconds=length,
                priority=chance.choice([32, 64, 64, 64, 96]),
            )
            came[master.number] = lab.now
        if second % 600 == 0:
            away = chance.choice(sorted(lab.farm.hosts))
            lab.farm.vacant = {name: 0 if name == away else row.slots for name, row in lab.farm.hosts.items()}
        lab.second()
    lab.run(600)
    assert len(lab.masters) > 20
    waited = [lab.masters[n].first - at for n, at in came.items() if lab.masters[n].first is not None and at < 3500]
    assert len(waited) >= len([at for at in came.values() if at < 3500]) - 1
    assert max(waited) < 300 and sorted(waited)[len(waited) // 2] < 40, "who comes is served soon"
    work = sum(master.done * master.seconds for master in lab.masters.values())
    starts = sum(master.starts for master in lab.masters.values())
    assert starts * START < work / 20, "clients are not started for less than they cost"
    tasks = sum(master.done for master in lab.masters.values())
    assert sum(lab.changes.values()) < tasks / 5, "grants change far more seldom than tasks end"

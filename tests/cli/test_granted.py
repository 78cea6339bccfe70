"""A farm's job, `spe run --granted`: nothing runs that was not granted, and what still may run is reported."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from spe.client.machine.neighbours import clients
from spe.errors import UsageError
from spe.session.calling import find
from waiting import wait_until

from .kit import Bench, Started

HERE = "localhost"
JOB = "0f1e2d/17"  # FARM/JOB
#: One process that waits for its gate: a shell would have a child now and then that looks like itself.
PROGRAM = f"""#!{sys.executable}
import os, time
while not os.path.exists(os.environ["GATE"]):
    time.sleep(0.02)
print("k")
"""
SHORT = "exec sleep 0.0$(($$ % 9))"


class Farm:
    """The farm of one job, which grants slots of this machine."""

    def __init__(self, bench: Bench, program: str = PROGRAM, sets: int = 12, slots: int = 4) -> None:
        self.bench, self.slots = bench, slots
        self.epoch, self.number, self.tasks = 1, 0, 0  # the latest grant
        self.taken: list[int] | None = None  # the latest report that it has taken in
        self.machines: dict[str, str] = {}
        bench.worker(program)
        bench.write("spe.yaml", f"command: ./work {{{{ x }}}}\nparameters: {{grid: {{x: {{range: [1, {sets}]}}}}}}\n")
        self.run: Started = self.start()

    def start(self) -> Started:
        started = self.bench.start("run", "--granted", JOB)
        wait_until(self.answers, "the master answers", seconds=60)
        return started

    def answers(self) -> bool:
        try:
            self.tell({"do": "no verb"})
        except (UsageError, OSError):
            return False
        return True

    def tell(self, order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        place = find(self.bench.runs())
        connection = place.connect()
        try:
            connection.request("POST", f"/act?token={place.acting_token()}", json.dumps(order))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def grant(self, tasks: int) -> dict[str, Any]:
        """Grant so many tasks here, and return the report."""
        self.number, self.tasks = self.number + 1, tasks
        self.report()
        return self.report()  # the master now knows that it is heard

    def report(self) -> dict[str, Any]:
        """Return what the master reports when it is told its latest grant, which may come several times."""
        order = {"do": "allow", "epoch": self.epoch, "number": self.number, "slots": {HERE: self.slots}}
        order |= {"taken": self.taken, "machines": self.machines}
        status, said = self.tell({**order, "tasks": {HERE: self.tasks}})
        assert status == 200, said
        found: dict[str, Any] = said["said"]
        self.taken = found["serial"]
        return found

    @property
    def programs(self) -> list[int]:
        """The programs that run now."""
        beginnings = (f"{sys.executable} ./work ", "/bin/sh ./work ", "sleep 0.0")
        return [pid for pid, words in self.bench.processes().items() if words.startswith(beginnings)]

    def wait_for(self, programs: int) -> None:
        wait_until(lambda: len(self.programs) == programs, f"{programs} programs run", seconds=60)


@pytest.fixture
def farm(bench: Bench) -> Farm:
    return Farm(bench)


def test_nothing_is_started_before_the_first_grant_and_then_as_many_programs_as_are_granted(farm: Farm) -> None:
    assert farm.programs == []
    assert farm.grant(2)["allowed"] == {HERE: 2}
    farm.wait_for(2)
    wait_until(lambda: farm.report()["sets"] == farm.report()["wants"] == 12, "all sets are counted")
    report = farm.report()
    assert report["out"] == report["running"] == {HERE: 2} and report["up"] == [HERE]
    farm.grant(4)
    farm.wait_for(4)
    farm.bench.open_gate()
    done = farm.run.end()
    assert done.code == 0 and len(farm.bench.rows()) == 12, done


def client_lines(bench: Bench) -> list[str]:
    return [words for words in bench.processes().values() if " --master " in words]


def test_the_clients_of_a_job_name_it_on_their_command_line_and_no_other_clients_do(farm: Farm, bench: Bench) -> None:
    farm.grant(1)
    farm.wait_for(1)
    lines = client_lines(bench)
    assert lines and all(f" --job {JOB} " in f"{line} " for line in lines), lines
    assert JOB in {job for _, _, job in clients()}, "a watcher finds it"
    farm.bench.open_gate()
    assert farm.run.end().code == 0


def test_a_run_without_a_farm_starts_its_clients_as_before(bench: Bench) -> None:
    bench.worker('while [ ! -e "$GATE" ]; do sleep 0.02; done; echo k')
    bench.write("spe.yaml", "command: ./work\n")
    running = bench.start("run")
    wait_until(lambda: client_lines(bench), "its client is here")
    assert not any("--job" in line for line in client_lines(bench))
    bench.open_gate()
    assert running.end().code == 0


def test_no_client_is_started_while_the_farm_has_taken_in_no_report(farm: Farm, bench: Bench) -> None:
    order = {"do": "allow", "epoch": 1, "number": 1, "slots": {HERE: 4}, "tasks": {HERE: 2}}
    for taken in (None, [1, 99], [9, 1]):  # none, one that was never made, one of another master
        status, said = farm.tell({**order, "taken": taken})
        assert status == 200 and said["said"]["allowed"] == {HERE: 2}
    wait_until(lambda: "localhost" in json.dumps(farm.tell({**order, "taken": None})[1]), "the host is taken in")
    assert client_lines(bench) == []
    farm.tell({**order, "taken": said["said"]["serial"]})
    farm.wait_for(2)
    farm.number = 1
    farm.bench.open_gate()
    assert farm.run.end().code == 0


def test_a_client_on_another_machine_than_the_farms_gets_no_work(farm: Farm) -> None:
    farm.machines = {HERE: "11111111-2222-4333-8444-555555555555"}
    farm.grant(2)
    wait_until(lambda: farm.report()["up"] == [HERE], "its client is up", seconds=60)
    own = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert farm.report()["boots"] == {HERE: own}
    assert farm.programs == [] and farm.report()["out"] == {}
    farm.machines = {HERE: own}
    farm.grant(2)
    farm.wait_for(2)
    farm.bench.open_gate()
    assert farm.run.end().code == 0


def test_programs_beyond_a_lower_grant_go_on_and_are_reported_until_they_have_ended(farm: Farm) -> None:
    farm.grant(4)
    farm.wait_for(4)
    begun = farm.programs
    farm.grant(1)
    wait_until(lambda: farm.report()["number"] == 2, "it is applied")
    wait_until(lambda: farm.report()["out"] == {HERE: 4}, "all four are still out")
    for left, pid in enumerate(begun[:3]):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda left=left: farm.report()["out"] == {HERE: 3 - left}, "its end is reported")  # type: ignore[misc]
        assert len(farm.programs) == 3 - left, "nothing begins in its place"
    os.kill(begun[3], signal.SIGKILL)
    wait_until(lambda: farm.programs not in ([], begun[3:]), "the one slot that is granted is used again")
    assert len(farm.programs) == 1


def test_a_grant_of_nothing_lets_programs_end_and_begins_none(farm: Farm) -> None:
    farm.grant(2)
    farm.wait_for(2)
    farm.grant(0)
    farm.bench.open_gate()
    wait_until(lambda: farm.report()["out"] == {}, "nothing is out any more", seconds=60)
    report = farm.report()
    assert report["done"] <= 4 and report["wants"] == 12 - report["done"] and not report["over"]
    farm.grant(4)
    assert farm.run.end().code == 0


def test_a_grant_that_a_newer_one_has_overtaken_is_refused(farm: Farm) -> None:
    farm.grant(2)
    farm.grant(1)
    status, said = farm.tell({"do": "allow", "epoch": 1, "number": 1, "tasks": {HERE: 4}, "slots": {}})
    assert status == 400 and "older than 1.2" in said["error"]
    farm.epoch, farm.number = 2, 0
    assert farm.grant(3)["allowed"] == {HERE: 3}, "a farm that was started again counts from 1"
    farm.bench.open_gate()
    assert farm.run.end().code == 0


@pytest.mark.parametrize("order", [
    {"epoch": "1", "number": 1, "tasks": {}, "slots": {}}, {"epoch": 1, "tasks": {}, "slots": {}},
    {"epoch": 1, "number": -1, "tasks": {}, "slots": {}}, {"epoch": 1, "number": 1, "tasks": [], "slots": {}},
    {"epoch": 1, "number": 1, "tasks": {HERE: True}, "slots": {}},
    {"epoch": 1, "number": 1, "tasks": {HERE: 1.5}, "slots": {}},
])  # fmt: skip
def test_an_order_that_is_no_grant_changes_nothing(bench: Bench, order: dict[str, Any]) -> None:
    farm = Farm(bench)
    status, said = farm.tell({"do": "allow", **order})
    assert status == 400 and "is to be" in said["error"]
    farm.bench.open_gate()
    farm.grant(4)
    assert farm.run.end().code == 0


def test_a_run_that_is_no_job_of_a_farm_takes_no_grants(bench: Bench) -> None:
    bench.worker('while [ ! -e "$GATE" ]; do sleep 0.02; done; echo k')
    bench.write("spe.yaml", "command: ./work\n")
    running = bench.start("run")
    wait_until(lambda: (bench.runs() / "master.json").exists(), "it runs")
    place = find(bench.runs())
    connection = place.connect()
    order = {"do": "allow", "epoch": 1, "number": 1, "tasks": {}, "slots": {}}
    connection.request("POST", f"/act?token={place.acting_token()}", json.dumps(order))
    answer = connection.getresponse()
    assert answer.status == 409 and "no job of a farm" in json.loads(answer.read())["error"]
    connection.close()
    bench.open_gate()
    assert running.end().code == 0


def test_a_master_that_was_killed_begins_nothing_until_it_is_granted_and_reports_what_its_clients_may_have(
    farm: Farm,
) -> None:
    farm.grant(3)
    farm.wait_for(3)
    before = farm.programs
    os.kill(farm.run.pid, signal.SIGKILL)
    farm.run.process.wait()
    farm.run = farm.start()
    report = farm.tell({"do": "allow", "epoch": 1, "number": 1, "tasks": {}, "slots": {}})
    assert report[0] == 200, "the same number may come again"
    status, _ = farm.tell({"do": "allow", "epoch": 0, "number": 9, "tasks": {HERE: 4}, "slots": {}})
    assert status == 400, "the place of the latest grant is stored"
    report_now = report[1]["said"]
    assert report_now["serial"][0] == 2 and report_now["out"][HERE] >= 3
    assert farm.programs == before
    farm.grant(3)
    farm.bench.open_gate()
    done = farm.run.end(120)
    assert done.code == 0 and len(farm.bench.rows()) == 12, done


@pytest.mark.slow
def test_in_a_thousand_looks_there_are_never_more_programs_than_were_ever_reported(bench: Bench) -> None:
    """Grants change all the time, tasks are short and prefetched; the farm counts by the reports alone."""
    farm = Farm(bench, SHORT, sets=100_000, slots=6)
    sizes = (6, 1, 4, 0, 2, 5, 0, 3)
    looks = full = held = 0
    while looks < 1000:
        size = sizes[farm.number % len(sizes)]
        held = max(held, size)  # a larger grant counts from the moment at which it is made
        farm.grant(size)
        until = time.monotonic() + 0.6
        while time.monotonic() < until:
            # What is there in two looks was there at one moment between them.
            programs = len(set(farm.programs).intersection(farm.programs))
            assert programs <= held, (programs, held, size)
            full += programs == held
            held = max(farm.report()["out"].get(HERE, 0), size)
            looks += 1
    assert full > 100, "the slots are used"
    bench.spe("stop", "--now")
    farm.run.end()

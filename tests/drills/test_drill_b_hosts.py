"""Hosts that are slow, broken or loaded by others: the sweep goes round them."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from drill_b_kit import WORK, Drill, report, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    made = Drill(tmp_path / "d")
    yield made
    made.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Drill]:
    """A second sweep, to compare with."""
    made = Drill(tmp_path / "o")
    yield made
    made.close()


def lost_on(drill: Drill) -> Counter[str]:
    """Attempts that failed, by host."""
    found = drill.query("SELECT host, count(*) FROM tickets WHERE state IN ('failed', 'rejected') GROUP BY host")
    return Counter(dict(found))


def test_a_host_ten_times_slower_than_the_others_makes_the_sweep_at_most_1_3_times_longer(
    drill: Drill, other: Drill
) -> None:
    for one in (drill, other):
        one.sweep(56).start()
    for number in range(1, 8):
        for one in (drill, other):  # side by side, so that what else this machine does burdens both
            one.host(f"h{number}", SLEEP="1.2")
    drill.host("slow", SLEEP="12")
    assert other.end() == drill.end() == 0
    assert any(host == "slow" for _, host in drill.started())
    ratio = drill.seconds / other.seconds
    copies = len(drill.started()) - drill.sets
    report("a host ten times slower", drill, f"{ratio:.2f} times as long as without it", f"{copies} copies")
    assert ratio <= 1.3
    drill.checked()
    other.checked()


def test_a_host_that_fails_everything_at_once_costs_at_most_ten_attempts_of_1000_tasks(drill: Drill) -> None:
    drill.sweep(1000).start()
    for number in range(1, 9):
        drill.host(f"h{number}", slots=2, SLEEP="0.05")
    drill.host("bad", slots=2, BAD="yes")
    assert drill.end(170) == 0
    lost = lost_on(drill)
    report("a black hole", drill, f"{lost['bad']} attempts lost")
    assert 1 <= lost["bad"] <= 10
    assert set(lost) == {"bad"}
    assert drill.states() == {"done": 1000}
    assert drill.said.count("is benched") <= 1
    assert drill.said.count("bad is benched") == 1
    drill.checked()


def test_a_host_that_turns_bad_after_100_good_tasks_costs_at_most_ten_attempts_beside_those_it_had_begun(
    drill: Drill,
) -> None:
    slots, good = 2, 100
    drill.sweep(1000).start()
    for number in range(1, 7):
        drill.host(f"h{number}", slots=2, SLEEP="0.1")
    drill.host("turns", slots=slots, SLEEP="0.05", TURNS=str(good))
    assert drill.end(170) == 0
    lost = lost_on(drill)
    accepted = drill.query("SELECT count(*) FROM tickets WHERE host = 'turns' AND state = 'accepted'")[0][0]
    report("a host turns bad", drill, f"{accepted} good ones, then {lost['turns']} attempts lost")
    assert good - 10 <= accepted <= good, "it was trusted, and had work ahead"
    assert drill.states() == {"done": 1000}
    assert set(lost) == {"turns"}
    assert drill.said.count("is benched") == drill.said.count("turns is benched") <= 1
    assert 1 <= lost["turns"] <= 10 + slots
    drill.checked()


def test_a_region_of_parameters_that_fails_on_every_host_benches_nobody(drill: Drill) -> None:
    bad = range(101, 141)
    fails = 'if [ "$1" -ge 101 ] && [ "$1" -le 140 ]; then echo "no solution for $1" >&2; exit 3; fi\n'
    drill.sweep(200, work=WORK.replace("#!/bin/sh\n", f"#!/bin/sh\n{fails}")).start()
    for number in range(1, 5):
        drill.host(f"h{number}", slots=2)
    assert drill.end() == 1
    assert "benched" not in drill.said
    report("a bad region", drill, f"{drill.states().get('failed')} failed as they should")
    assert {row["reason"] for row in drill.rows("failed.csv")} == {f"exit code 3: no solution for {x}" for x in bad}
    for _, attempts in drill.query("SELECT number, attempts FROM tasks WHERE state = 'failed'"):
        assert attempts == 3
    assert len({host for _, host in drill.started()}) == 4
    drill.checked(failed=bad)


def test_with_once_no_task_is_ever_out_twice_and_without_it_idle_hosts_run_copies(drill: Drill, other: Drill) -> None:
    long = WORK.replace('echo "$1"\n', '[ "$1" -lt 20 ] || sleep 5\necho "$1"\n')
    drill.sweep(20, "once: true\n", work=long).start()
    other.sweep(20, work=long).start()
    for one in (drill, other):
        for name in ("h1", "h2", "h3"):
            one.host(name)
    assert drill.end() == other.end() == 0
    report("once: true", drill, f"{len(drill.started())} starts", f"without it {len(other.started())}")
    assert sorted(x for x, _ in drill.started()) == list(range(1, 21))
    assert len(other.started()) == 21
    assert "once: true" in other.said
    drill.checked()
    other.checked()


def test_a_host_loaded_by_others_gets_no_task_and_is_named_and_another_host_does_them(drill: Drill) -> None:
    """Its load is real. The other one's Python tells that of an idle host: a machine has one load for all in it."""
    cores = len(os.sched_getaffinity(0))
    calm = drill.root / "calm"
    calm.mkdir()
    (calm / "sitecustomize.py").write_text("import os\nos.getloadavg = lambda: (0.0, 0.0, 0.0)\n")
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2)]
    try:
        wait_until(lambda: os.getloadavg()[0] >= 0.5, "this machine is loaded", 60)
        drill.sweep(10, f"max_load: {1.2 / cores:.4f}\n").start()  # one task of ours beside a load of 0.2
        drill.host("loaded")
        wait_until(lambda: "loaded: loaded by others" in drill.said, "the user is told")
        drill.host("calm", PYTHONPATH=str(calm))
        assert drill.end() == 0
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    report("max_load", drill, f"tasks by host: {dict(Counter(host for _, host in drill.started()))}")
    assert {host for _, host in drill.started()} == {"calm"}
    drill.checked()

"""Hosts that are slow, broken or loaded by others: the sweep goes round them."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import wait_until

from .by_hand_kit import WORK, Drill, report, undisturbed
from .figures import Figures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def lost_on(drill: Drill) -> Counter[str]:
    """Attempts that failed, by host."""
    found = drill.query("SELECT host, count(*) FROM tickets WHERE state IN ('failed', 'rejected') GROUP BY host")
    return Counter(dict(found))


def test_a_host_ten_times_slower_than_the_others_makes_the_sweep_at_most_1_3_times_longer(
    drill: Drill, other: Drill, figures: Figures
) -> None:
    for one in (drill, other):
        one.sweep(56).start()
    drill.began = other.began = time.monotonic()  # both masters are up
    for number in range(1, 8):
        for one in (drill, other):  # side by side, so that what else this machine does burdens both
            one.host(f"h{number}", SLEEP="1.2")
    drill.host("slow", SLEEP="12")
    with ThreadPoolExecutor() as both:  # each is timed when it ends, not when the other one has ended too
        assert list(both.map(Drill.end, (drill, other))) == [0, 0]
    assert any(host == "slow" for _, host in drill.started())
    ratio = drill.seconds / other.seconds
    copies = len(drill.started()) - drill.sets
    assert ratio <= 1.3
    drill.checked()
    other.checked()
    what = f"one host ten times slower than seven others, compared with these alone ({copies} copies)"
    report(figures, what, drill, plain=other.seconds)


def hosts(drill: Drill, count: int, **more: str) -> None:
    """So many good ones."""
    for number in range(1, count + 1):
        drill.host(f"h{number}", slots=2, **more)


def test_a_host_that_fails_everything_at_once_costs_at_most_ten_attempts_of_1000_tasks(
    drill: Drill, figures: Figures
) -> None:
    drill.sweep(1000).start()
    hosts(drill, 8, SLEEP="0.05", GATE=str(drill.gate))
    drill.host("bad", slots=2, BAD="yes", GATE=str(drill.gate))
    drill.open_gate()
    assert drill.end(300) == 0
    lost = lost_on(drill)
    assert 1 <= lost["bad"] <= 10
    assert set(lost) == {"bad"}
    assert drill.states() == {"done": 1000}
    assert drill.said.count("is benched") <= 1
    assert drill.said.count("bad is benched") == 1
    drill.checked()
    plain = undisturbed(drill, lambda one: hosts(one, 8, SLEEP="0.05"))
    what = f"a host that fails everything at once beside 8 good ones ({lost['bad']} attempts lost)"
    report(figures, what, drill, plain=plain)


def test_a_host_that_turns_bad_after_100_good_tasks_costs_at_most_ten_attempts_beside_those_it_had_begun(
    drill: Drill, figures: Figures
) -> None:
    slots, good = 2, 100
    drill.sweep(1000).start()
    hosts(drill, 6, SLEEP="0.1", GATE=str(drill.gate))
    drill.host("turns", slots=slots, SLEEP="0.05", TURNS=str(good), GATE=str(drill.gate))
    drill.open_gate()
    assert drill.end(300) == 0
    lost = lost_on(drill)
    accepted = drill.query("SELECT count(*) FROM tickets WHERE host = 'turns' AND state = 'accepted'")[0][0]
    assert good - 10 <= accepted <= good, "it was trusted, and had work ahead"
    assert drill.states() == {"done": 1000}
    assert set(lost) == {"turns"}
    assert drill.said.count("is benched") == drill.said.count("turns is benched") <= 1
    assert 1 <= lost["turns"] <= 10 + slots
    drill.checked()

    def good_ones(one: Drill) -> None:
        hosts(one, 6, SLEEP="0.1")
        one.host("turns", slots=slots, SLEEP="0.05")

    what = f"a host that fails everything after {good} good tasks beside 6 good ones ({lost['turns']} attempts lost)"
    report(figures, what, drill, plain=undisturbed(drill, good_ones))


def test_a_region_of_parameters_that_fails_on_every_host_benches_nobody(drill: Drill, figures: Figures) -> None:
    bad = range(101, 141)
    fails = 'if [ "$1" -ge 101 ] && [ "$1" -le 140 ]; then echo "no solution for $1" >&2; exit 3; fi\n'
    drill.sweep(200, work=WORK.replace("#!/bin/sh\n", f"#!/bin/sh\n{fails}")).start()
    hosts(drill, 4, GATE=str(drill.gate))
    drill.open_gate()
    assert drill.end() == 1
    assert "benched" not in drill.said
    assert {row["reason"] for row in drill.rows("failed.csv")} == {f"exit code 3: no solution for {x}" for x in bad}
    for _, attempts in drill.query("SELECT number, attempts FROM tasks WHERE state = 'failed'"):
        assert attempts == 3
    assert len({host for _, host in drill.started()}) == 4
    drill.checked(failed=bad)
    report(
        figures, f"a region of the parameters that fails everywhere, 4 hosts ({len(bad)} fail as they should)", drill
    )


def test_with_once_no_task_is_ever_out_twice_and_without_it_idle_hosts_run_copies(
    drill: Drill, other: Drill, figures: Figures
) -> None:
    long = WORK.replace('echo "$1"\n', '[ "$1" -lt 20 ] || sleep 5\necho "$1"\n')
    drill.sweep(20, "once: true\n", work=long).start()
    other.sweep(20, work=long).start()
    for one in (drill, other):
        for name in ("h1", "h2", "h3"):
            one.host(name, GATE=str(one.gate))
    drill.open_gate()
    other.open_gate()
    assert drill.end() == other.end() == 0
    assert sorted(x for x, _ in drill.started()) == list(range(1, 21))
    # On a slow machine other sets may have a copy, too.
    assert Counter(x for x, _ in other.started())[20] == 2
    assert "once: true" in other.said
    drill.checked()
    other.checked()
    what = f"`once: true` and a long last task ({len(drill.started())} starts; {len(other.started())} without)"
    report(figures, what, drill, plain=other.seconds)


def test_a_host_loaded_by_others_gets_no_task_and_is_named_and_another_host_does_them(
    drill: Drill, figures: Figures
) -> None:
    """Its load is real. The other one's Python tells that of an idle host: a machine has one load for all in it."""
    cores = len(os.sched_getaffinity(0))
    calm = drill.root / "calm"
    calm.mkdir()
    (calm / "sitecustomize.py").write_text("import os\nos.getloadavg = lambda: (0.0, 0.0, 0.0)\n")
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2)]
    try:
        wait_until(lambda: os.getloadavg()[0] >= 0.5, "this machine is loaded")
        drill.sweep(10, f"max_load: {1.2 / cores:.4f}\n").start()  # one task of ours beside a load of 0.2
        drill.host("loaded")
        wait_until(lambda: "loaded: loaded by others" in drill.said, "the user is told")
        drill.host("calm", PYTHONPATH=str(calm))
        assert drill.end() == 0
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    assert {host for _, host in drill.started()} == {"calm"}
    drill.checked()
    report(figures, "`max_load` with a loaded host (all sets on the calm one)", drill)

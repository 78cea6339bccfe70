"""Vacancy: slots may be granted beside what others do there, and what our own tasks leave in the load is ours."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.pool.deal.vacancy import HostLoad, HostLoads, Look, vacant

QUIET = Look(40, 40, silence=1.0, cores=40, others=0.0)


@pytest.mark.parametrize(
    ("change", "cores", "free", "why"),
    [
        ({}, 40, 40, ""),
        ({"busy": 39}, 40, 1, ""),
        ({"busy": 40}, 40, 0, "full: jobs hold 40 of 40 slots"),
        ({"most": 30}, 30, 30, ""),
        ({"most": 30, "busy": 30}, 30, 0, "full: jobs hold 30 of 30 slots"),
        ({"most": 30, "busy": 35}, 30, 0, "full: jobs hold 35 of 30 slots"),
        ({"others": 10.0}, 30, 30, "others have a load of 10.0 there, on 40 cores"),
        ({"others": 10.0, "most": 30}, 30, 30, ""),
        ({"others": 10.0, "busy": 30}, 30, 0, "others have a load of 10.0 there, on 40 cores"),
        ({"others": 10.0, "busy": 40}, 30, 0, "others have a load of 10.0 there, on 40 cores"),
        ({"others": 0.4, "busy": 39}, 40, 1, ""),
        ({"others": 0.6}, 39, 39, "others have a load of 0.6 there, on 40 cores"),
        ({"others": 99.0}, 0, 0, "others have a load of 99.0 there, on 40 cores"),
        ({"slots": 48, "most": 48}, 40, 40, "it has 40 cores for 48 slots"),
        ({"active": False}, 0, 0, "it is drained: no new tasks"),
        ({"aside": "lab03 is the same machine"}, 0, 0, "lab03 is the same machine"),
        ({"silence": None}, 0, 0, "its watcher was not heard yet"),
        ({"silence": None, "unheard": "login failed: no key"}, 0, 0, "login failed: no key"),
        ({"silence": 30.0}, 40, 40, ""),
        ({"silence": 30.1}, 0, 0, "its watcher was not heard for 30 s"),
        ({"silence": 90.1, "unheard": "connection lost"}, 0, 0, "connection lost"),
        ({"silence": 5.0, "unheard": "connection lost"}, 40, 40, ""),
        ({"silence": 30.1, "interval": 11.0}, 40, 40, ""),
        ({"others": None}, 0, 0, "its load is unknown"),
    ],
)
def test_what_may_be_granted_and_why_not_more(change: dict[str, object], cores: int, free: int, why: str) -> None:
    found = vacant(replace(QUIET, **change))  # type: ignore[arg-type]
    assert (found.cores, found.free, found.why) == (cores, free, why)
    assert found.is_vacant == (free > 0)


@given(
    st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(1, 99), st.floats(0, 200)
)
def test_no_bound_is_ever_passed(slots: int, most: int, busy: int, cores: int, others: float) -> None:
    found = vacant(Look(slots, most, busy, silence=0.0, cores=cores, others=others))
    assert 0 <= found.free <= found.cores <= min(slots, most, cores)
    assert found.free == 0 or found.free + busy + others <= cores + 0.5
    assert found.why or found.free == min(slots, most) - busy


class Kernel:
    """A host whose kernel counts its load every five seconds, and a farm that hears of it every second."""

    def __init__(self, phase: int) -> None:
        self.phase = phase  # of the watcher, which reads the load every ten seconds
        self.now, self.load, self.host = 0, 0.0, HostLoad(0.0)
        self.ours, self.foreign, self.reported = 0, 0, 0

    def seconds(self, count: int) -> list[int]:
        """Let time pass. Return the cores that may be granted, second by second."""
        found = []
        for _ in range(count):
            self.now += 1
            if self.now % 5 == 0:
                kept = math.exp(-5 / 60)
                self.load = self.load * kept + (self.ours + self.foreign) * (1 - kept)
            self.host.note(float(self.now), self.reported)
            self.reported = self.ours  # a report comes a second late
            if self.now % 10 == self.phase:
                self.host.hear(float(self.now), round(self.load, 2))
            others = self.host.others(float(self.now))
            if others is not None:
                found.append(vacant(replace(QUIET, others=others)).cores)
        return found


@pytest.mark.parametrize("phase", range(10))
@pytest.mark.parametrize("length", [1, 7, 63, 600])
def test_forty_tasks_that_end_at_once_do_not_make_a_host_look_loaded_by_others(phase: int, length: int) -> None:
    kernel = Kernel(phase)
    kernel.seconds(100 + phase // 2)
    kernel.ours = 40
    seen = kernel.seconds(length)
    kernel.ours = 0
    seen += kernel.seconds(300)
    assert min(seen) == 40


@pytest.mark.parametrize("phase", range(10))
def test_a_foreign_process_of_ten_cores_is_seen_while_ours_come_and_go(phase: int) -> None:
    kernel = Kernel(phase)
    kernel.ours = 20
    kernel.seconds(300 + phase // 2)
    kernel.foreign = 10
    kernel.seconds(300)
    kernel.ours = 0
    later = kernel.seconds(300)
    assert max(later[60:]) <= 31, "ten cores, less the doubt of some seconds about twenty tasks of ours"
    assert later[-1] == 30
    kernel.foreign = 0
    assert kernel.seconds(400)[-1] == 40


def test_tasks_of_the_last_minute_count_in_full_although_the_load_does_not_show_them() -> None:
    look = replace(QUIET, others=10.0, busy=25)
    assert vacant(look).free == 5


def farm_with(tasks: dict[int, float], until: int) -> HostLoad:
    """The load of a host with these cores in use from these seconds on, noted each second."""
    host, cores = HostLoad(0.0), 0.0
    for second in range(until + 1):
        cores = tasks.get(second, cores)
        host.note(float(second), cores)
    return host


def test_what_ended_is_forgotten_by_the_farm_as_by_the_kernel() -> None:
    host = farm_with({0: 40.0, 600: 0.0}, 720)
    host.hear(720.0, 40 * math.exp(-2) + 3)
    found = host.others(723.0)
    assert found is not None
    assert 3 - 40 * math.exp(-2) * 0.1 < found <= 3.01, "the load may be five seconds old"


def test_a_load_is_compared_with_our_tasks_of_the_time_when_it_was_read() -> None:
    host = farm_with({0: 0.0, 60: 40.0}, 50)
    host.hear(50.0, 10.0)
    for second in range(51, 120):
        host.note(float(second), 40.0 if second >= 60 else 0.0)
    assert host.others(120.0) == pytest.approx(10.0), "no line came since"
    host.hear(120.0, 10.0)
    assert host.others(121.0) == pytest.approx(10.0), "not all jobs may have reported what ran at 120"
    assert host.others(123.0) == 0.0


def test_a_host_that_no_report_names_any_more_has_no_tasks() -> None:
    loads = HostLoads()
    for second in range(900):
        loads.note(float(second), {"lab01": 10} if second < 300 else {})
    loads.hear(900.0, "lab01", 10.0)
    assert loads.others(903.0, "lab01") == pytest.approx(10.0, abs=0.01)
    assert loads.others(903.0, "lab02") is None

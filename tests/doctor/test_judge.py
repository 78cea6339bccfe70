"""What `spe doctor` makes of what it saw; and that every name of a fault is explained."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from spe.doctor.diagnosis import judge
from spe.doctor.script import read_answers
from spe.doctor.sighting import FolderState, Needs, Sighting
from spe.errors import Fault, SilentStart
from spe.launch.faults import at_work, from_outcome
from spe.launch.neighbours import Neighbour
from spe.launch.outcome import Code, CommandOutcome
from spe.model import Host

ROOT = Path(__file__).resolve().parents[2]
GB = 10**9


def sighting(name: str = "lab1", **seen: object) -> Sighting:
    """A host with which all is well, but for what is given."""
    well = {"seconds": 0.2, "clock_off": 0.5, "platform": "linux-x86_64", "user": "anna", "cores": 8, "load": 0.1,
            "home": FolderState("/home/anna", 9 * GB, 5 * GB, 1000, 500),
            "workdir": FolderState("/tmp", 9 * GB, 5 * GB, 1000, 500),
            "runs_programs": True, "address": "10.0.0.1", "reached": True, "nonce": f".{name}"}  # fmt: skip
    return Sighting(Host(name), **{**well, **seen})  # type: ignore[arg-type]


def faults(*sightings: Sighting, needs: Needs | None = None) -> list[list[Fault]]:
    return [[f.fault for f in report.findings] for report in judge(sightings, needs or Needs()).reports]


def test_a_host_with_which_all_is_well_has_no_finding() -> None:
    assert faults(sighting()) == [[]]


@pytest.mark.parametrize(("off", "found"), [(59.0, []), (-59.0, []), (61.0, [Fault.CLOCK]), (-90000.0, [Fault.CLOCK])])
def test_a_clock_may_be_a_minute_off(off: float, found: list[Fault]) -> None:
    assert faults(sighting(clock_off=off)) == [found]


@pytest.mark.parametrize(("load", "cores", "found"), [(7.0, 1, []), (7.1, 1, [Fault.LOADED]), (5.0, 4, [Fault.LOADED])])
def test_a_host_is_loaded_when_a_task_finds_no_room(load: float, cores: int, found: list[Fault]) -> None:
    assert faults(sighting(load=load), needs=Needs(cores=cores)) == [found]


def test_a_host_that_alone_is_slow_is_told_and_a_slow_machine_here_blames_nobody() -> None:
    quick = [sighting(f"lab{n}", seconds=0.5) for n in range(4)]
    assert faults(*quick, sighting("last", seconds=2.5))[-1] == [Fault.SLOW]
    assert faults(*(sighting(f"lab{n}", seconds=4.0) for n in range(5))) == [[]] * 5
    assert faults(sighting(seconds=2.5)) == [[Fault.SLOW]]


def test_room_that_does_not_hold_the_client_is_a_full_disk() -> None:
    assert faults(sighting(home=FolderState("/home/anna", 9 * GB, 1000, 1000, 500)), needs=Needs(client=100_000)) == [
        [Fault.DISK_FULL]
    ]


def test_a_quota_is_a_full_disk_though_there_is_room() -> None:
    [report] = judge([sighting(home=FolderState("/h", GB, GB, 9, 9, "dd: /h/x: Disk quota exceeded"))], Needs()).reports
    assert [f.fault for f in report.findings] == [Fault.DISK_FULL]
    assert "quota" in report.findings[0].what


def test_a_home_and_a_workdir_on_the_same_full_disk_are_one_finding() -> None:
    full = FolderState("/", GB, 0, 10, 10, "No space left on device")
    assert faults(sighting(home=full, workdir=full)) == [[Fault.DISK_FULL]]


def test_a_file_system_without_inodes_is_not_full_of_them() -> None:
    assert faults(sighting(home=FolderState("/h", GB, 0, None, None, "No space left on device"))) == [[Fault.DISK_FULL]]


def test_what_stops_a_host_is_told_before_what_does_not() -> None:
    [report] = judge([sighting(clock_off=1e6, runs_programs=False)], Needs()).reports
    assert [f.fault for f in report.findings] == [Fault.NO_EXEC, Fault.CLOCK]
    assert not report.works


def test_a_master_behind_a_firewall_stops_only_where_forwarding_is_forbidden() -> None:
    through, cut_off = sighting(reached=False, forwards=True), sighting(reached=False, forwards=False)
    examined = judge([through, cut_off], Needs())
    assert [r.works for r in examined.reports] == [True, False]
    assert [r.master for r in examined.reports] == ["ssh", "no"]
    assert faults(through, cut_off) == [[], [Fault.UNREACHABLE]], "a way through SSH is no fault"


def test_hosts_share_a_home_when_one_of_them_saw_the_other() -> None:
    early, late = sighting("a", seen=frozenset({".a"})), sighting("b", seen=frozenset({".a", ".b"}))
    alone, blind = sighting("c", seen=frozenset({".c"})), sighting("d", seen=frozenset())
    between = sighting("e", seen=frozenset({".e", ".b"}))
    other = [sighting("x", seen=frozenset({".x", ".y"})), sighting("y", seen=frozenset({".y"}))]
    examined = judge([alone, early, *other, late, blind, between], Needs())
    assert examined.homes == [["a", "b", "e"], ["x", "y"]]
    assert [report.home for report in examined.reports] == [None, 1, 2, 2, 1, None, 1]


def test_other_people_with_clients_are_a_remark_with_their_slots_and_what_leaves_room() -> None:
    seen = sighting(neighbours=(Neighbour("alice", 8), Neighbour("bob", 1)))
    [report] = judge([seen], Needs()).reports
    [finding] = report.findings
    assert (finding.fault, report.works) == (Fault.SHARED, True)
    assert finding.what == "alice (8 slots) and bob (1 slot) run spe there, too"
    assert "max_load" in finding.todo
    assert "slots=" in finding.todo


def test_the_answers_of_a_host_about_neighbours_are_read_with_doubt() -> None:
    seen = sighting()
    read_answers(seen, ["spe: neighbour 8 alice", "spe: neighbour x y", "spe: neighbour 2 B\x1bb", "neighbour 3 c"], "")
    assert seen.neighbours == (Neighbour("alice", 8), Neighbour("B·b", 2))


def test_a_workdir_that_everybody_may_write_stops_a_host_and_a_group_is_a_remark() -> None:
    group = sighting(writers=("the group staff", "/scratch"))
    [[fault], [remark]] = faults(sighting(everybody="/scratch"), group)
    assert fault is remark is Fault.OTHERS
    [open_, named] = judge([sighting(everybody="/scratch"), group], Needs()).reports
    assert (open_.works, named.works) == (False, True)
    assert "/scratch" in open_.findings[0].what
    assert "the group staff may write into /scratch" in named.findings[0].what
    for seen in (open_.sighting, named.sighting):
        assert faults(replace(seen, host=Host("lab1", trust_workdir=True))) == [[]]


def test_every_fault_has_an_entry_in_the_page_about_failures() -> None:
    page = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
    told = re.findall(r"^\*\*`([^`]+)`", page, re.M)
    assert [str(f) for f in Fault if not any(entry == f or entry.startswith(f"{f}:") for entry in told)] == []


@pytest.mark.parametrize(
    ("code", "words", "fault"),
    [
        (6, "the workdir /x cannot be used: Permission denied", Fault.WORKDIR),
        (6, "the workdir /x cannot be used: No space left on device", Fault.DISK_FULL),
        (10, "all users may write into /x (mode 777), so …", Fault.OTHERS),
        (9, "the worker pi could not be fetched: 415", Fault.NO_WORKER),
        (44, "mkdir: cannot create directory '/home/a/.cache': Read-only file system", Fault.HOME),
        (44, "mkdir: cannot create directory '/home/a/.cache': Disk quota exceeded", Fault.DISK_FULL),
        (7, "/usr/bin/python is Python 2.7.5", Fault.OLD_PYTHON),
        (3, "refused", Fault.UNREACHABLE),
        (99, "whatever", Fault.START),
    ],
)
def test_a_run_gives_a_fault_the_name_that_doctor_has_for_it(code: int, words: str, fault: Fault) -> None:
    for name in ("lab1", "localhost"):
        error = from_outcome(CommandOutcome(code, (words,)), Host(name))
        assert error.fault is fault
        assert "ssh localhost" not in error.todo


@pytest.mark.parametrize("code", [*Code, 99, -9, 137])
def test_the_end_of_a_client_that_had_worked_is_no_failed_start(code: int) -> None:
    error = at_work(CommandOutcome(code, ("spe-client: its last words",)), Host("lab1"), 12.0)
    assert error.fault is not Fault.START


def test_a_client_that_is_killed_below_its_guard_is_told_as_killed_and_started_again() -> None:
    error = from_outcome(CommandOutcome(Code.KILLED, ("spe-client: the client was killed by signal 9",)), Host("lab1"))
    assert error.fault is Fault.KILLED and isinstance(error, SilentStart)
    assert error.line.startswith("lab1: client killed: the client was killed by signal 9. Is memory short there?")

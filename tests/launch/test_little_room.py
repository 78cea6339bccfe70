"""Homes that are nearly full are told once, for all hosts together."""

from __future__ import annotations

from spe.launch.little_room import GATHERING, LittleRoom


def test_hosts_that_come_within_some_seconds_are_one_line_with_the_least_room() -> None:
    room = LittleRoom()
    room.note(100.0, "b", 2_000_000)
    room.note(101.0, "a", 1_000_000)
    assert room.take_due(100.0 + GATHERING - 0.1) == ""
    line = room.take_due(100.0 + GATHERING)
    assert line.startswith("a and b: their homes have only 1.0 MB free or little more. What does not fit there")
    assert room.take_all() == ""


def test_a_host_is_told_once_however_often_its_client_is_started() -> None:
    room = LittleRoom()
    room.note(0.0, "a", 1_000_000)
    assert room.take_all().startswith("a: its home has only 1.0 MB free. ")
    room.note(0.0, "a", 900_000)
    assert room.take_all() == ""

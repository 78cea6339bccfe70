"""The client dies, or is stopped for longer than its lease; on this machine and on hosts of the lab."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from lab import Lab
from waiting import wait_until

from .kit import LEASE, OPEN, Drill, signal_to

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(400)]
LAB_HOSTS = 2
Maker = Callable[..., Drill]


def victims(pair: list[int], who: str) -> list[int]:
    """Of the guard, its client and the client's hands."""
    return {"the guard": pair[:1], "the client": pair[1:2], "a hand": pair[2:3], "both": pair[:2], "all": pair}[who]


def kill(pids: list[int]) -> None:
    """All in one moment: nobody sees another one die first."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        signal_to(pids, number)


@pytest.mark.parametrize("who", ["the client", "the guard", "a hand", "both", "all"])
def test_killed_on_this_machine(make_drill: Maker, who: str) -> None:
    drill = make_drill()
    drill.open_gate(10)
    drill.start_run()
    drill.wait_done(10)
    at_work = drill.wait_at_gate()
    kill(victims(drill.local_client(), who))
    drill.open_gate()
    drill.end()
    again = {x for x, times in drill.times_begun().items() if times > 1}
    assert again == at_work, "what ran there, and nothing else"
    drill.five_checks(f"{who} on this machine killed with -9")


@pytest.mark.parametrize("who", ["the client", "the guard", "a hand", "both", "all"])
def test_killed_on_a_host(make_drill: Maker, lab: Lab, who: str) -> None:
    drill = make_drill(lab, 2)
    drill.open_gate(30)
    drill.start_run()
    drill.wait_done(10)
    wait_until(lambda: drill.at_work("h01"), "it works")
    pair = drill.client_of(drill.hosts[0])
    kill(victims(pair, who))
    # The last sets wait until the host has a client again, which clears what the dead one left.
    wait_until(lambda: not set(drill.client_of(drill.hosts[0]) or pair) & set(pair), "a new client")
    drill.open_gate()
    drill.end()
    drill.five_checks(f"{who} on a host killed with -9")


def test_stopped_past_the_lease_and_continued(make_drill: Maker, lab: Lab) -> None:
    drill = make_drill(lab, 2, yaml="ping: 0.3\ngrace: 20\nonce: true\n")  # no copies: only the lease brings a set back
    drill.open_gate(10)
    drill.start_run()
    drill.wait_done(10)
    held = drill.wait_at_gate("h01")  # the other host may have done all before this one came up
    stopped = drill.client_of(drill.hosts[0])  # with its guard, as a batch system suspends it
    signal_to(stopped, signal.SIGSTOP)
    drill.open_gate(OPEN)  # its programs come to their end, its results are ready
    wait_until(lambda: held <= drill.done_by("h02"), "another host has done what it worked on", LEASE + 20)
    signal_to(stopped, signal.SIGCONT)
    drill.end()
    assert drill.tickets("h01", held) == {"lost"}, "its lease had run out"
    again = {x for x, times in drill.times_begun().items() if times > 1}
    assert held <= again, "another host began them anew"
    drill.five_checks("client stopped past the lease, then continued")


def test_a_whole_host_frozen_past_the_lease_and_thawed(make_drill: Maker, lab: Lab) -> None:
    drill = make_drill(lab, 2)
    drill.open_gate(30)
    drill.start_run()
    drill.wait_done(10)
    wait_until(lambda: drill.at_work("h01"), "it works")
    drill.hosts[0].freeze()
    wait_until(lambda: drill.lost, "its tickets are lost", LEASE + 20)
    drill.hosts[0].thaw()
    wait_until(lambda: drill.held_by("h01"), "it works again")
    drill.open_gate()
    drill.assert_undone()
    drill.end()
    drill.five_checks("host frozen past the lease, then thawed")


def test_the_kit_finds_what_is_wrong(make_drill: Maker) -> None:
    """A drill that could not fail would prove nothing."""
    drill = make_drill(sets=4)
    drill.figures = None
    drill.start_run()
    drill.end()
    (drill.tmp / "left").touch()
    with pytest.raises(AssertionError, match="left"):
        drill.five_checks("nothing", compare=False)
    os.unlink(drill.tmp / "left")
    file = drill.runs("drill") / drill.rows("drill")[2]["data"]
    file.write_bytes(file.read_bytes()[:-1] + b"X")
    with pytest.raises(AssertionError):
        drill.five_checks("nothing", compare=False)

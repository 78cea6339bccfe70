"""The client's side of its hands: what each says is heard, also when another one is gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess

import pytest
from spe.client.hand.channel import Channel
from spe.client.loop.hands import HandProcess, Hands
from spe.client.task.settings import Settings
from spe.client.wire.lease import Lease

NOTHING_YET = Settings("", {}, "", True, 0, False)


def one(pid: int) -> tuple[HandProcess, Channel]:
    """A hand as its client sees it, and that hand's own end."""
    ours, theirs = socket.socketpair()
    return HandProcess(pid, Channel(ours), 1), Channel(theirs)


def test_a_hand_is_dead_once_it_was_stopped_for_five_seconds_though_nobody_has_asked_it() -> None:
    stopped = subprocess.Popen(["sleep", "60"])
    hand, its_end = one(stopped.pid)
    stopped.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
    seen = []
    for _ in range(5):
        hand.look(1.0)
        seen.append(hand.is_dead())
    assert seen == [False, False, False, False, True]
    stopped.send_signal(signal.SIGCONT)
    os.waitid(os.P_PID, stopped.pid, os.WCONTINUED)
    hand.look(1.0)
    assert not hand.is_dead()
    stopped.kill()
    stopped.wait()
    hand.channel.close()
    its_end.close()


@pytest.mark.parametrize("dead_first", [True, False])
def test_what_a_hand_has_said_is_not_lost_when_another_dies_in_the_same_moment(dead_first: bool) -> None:
    killed = subprocess.Popen(["sleep", "60"])
    alive, its_end = one(os.getpid())
    dead, gone_end = one(killed.pid)
    hands = Hands(0, NOTHING_YET, Lease(0))
    hands.processes = [dead, alive] if dead_first else [alive, dead]
    alive.tickets, alive.given = {1: None, 2: None}, 2
    dead.tickets = {3: None, 4: None}
    its_end.send("done", [(1, {"exit_code": 0}), (2, {"exit_code": 0})])
    killed.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
    gone_end.close()
    told = dict(hands.receive())
    killed.returncode = -signal.SIGKILL  # it was waited for
    assert [ticket for ticket, _ in told["done"]] == [1, 2]
    assert told["killed"] == ("a process of the client was killed by signal 9", [3]), "it has one slot"
    assert hands.pids == [os.getpid()] and alive.given == 0
    alive.channel.close()
    its_end.close()

"""Real hands, in a process of their own: run by test_forks.py. Prints what it sees as JSON."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

from spe.client.loop.hands import Hands
from spe.client.task.settings import Settings
from spe.client.wire.lease import Lease


def made(slots: int) -> Hands:
    return Hands(slots, Settings(os.getcwd(), {}, None, False, 0, False), Lease(0))


def hear(hands: Hands) -> list[tuple[str, object]]:
    select.select(hands.channels, [], [], 20)
    return [(name, argument) for name, argument in hands.receive()]


def main() -> None:
    sizes = [[one.slots for one in made(slots).processes] for slots in (1, 3, 6, 9)]
    hands = made(2)
    pids = hands.pids
    hands.tell("here")
    answers: list[object] = []
    while len(answers) < 2:
        answers += hear(hands)
    os.kill(pids[0], signal.SIGKILL)
    killed = hear(hands)
    # The other hand ends when this end of its channel closes, though a third one lives.
    one, other = made(2).processes
    one.channel.close()
    end = time.monotonic() + 20
    while not (ended := os.waitpid(one.pid, os.WNOHANG)[0]) and time.monotonic() < end:
        time.sleep(0.01)
    alive = os.waitpid(other.pid, os.WNOHANG)[0] == 0
    print(json.dumps([sizes, answers, killed, ended == one.pid, alive]))
    sys.stdout.flush()


main()

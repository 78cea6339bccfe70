"""Memory that runs out: for a task, and for the client itself."""

from __future__ import annotations

import re
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.memory import memory_group
from processes import is_alive
from spe.client.exits import KILLED, OTHER
from waiting import wait_until

from .kit import WORKER, Drill

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
MEGABYTE = 1 << 20
Maker = Callable[..., Drill]

# Two sets want all memory there is when they run for the first time; of one, the shell outlives its program.
GREEDY = """
if [ "$1" = 31 ] && mkdir "$LOG.31"; then exec tail /dev/zero; fi
if [ "$1" = 32 ] && mkdir "$LOG.32"; then sh -c 'exec tail /dev/zero'; exit $?; fi
"""


def client_of(drill: Drill, host: str) -> list[int]:
    """The guard, the client and the hands of one that was started by hand, once they are there."""

    def found() -> list[int]:
        there = drill.client_named(host)
        return there if len(there) > 2 else []

    return wait_until(found, "a client works")


def end_with_one_client_dead(drill: Drill, host: str, code: int) -> str:
    """The sweep ends well, though this client does not; what it said."""
    drill.end()
    dead = drill.by_hand.pop(0)
    assert dead.wait(60) == code
    drill.wait_for_clients()
    return (drill.root / host).read_text()


def test_a_task_that_eats_all_memory_fails_with_that_reason_and_harms_no_other(make_drill: Maker) -> None:
    drill = make_drill()
    drill.worker(WORKER.format(each=drill.each).replace("#!/bin/sh\n", f"#!/bin/sh\n{GREEDY}"))
    with memory_group(400 * MEGABYTE) as group:
        drill.start_run(before=group.before)
        drill.end()
    rows = drill.query("SELECT task, reason FROM tickets WHERE state = 'failed'", "drill")
    said = {int(task): str(reason) for task, reason in rows}
    assert said.keys() == {31, 32}
    assert said[31] == "killed by signal 9 (SIGKILL), out of memory"
    assert said[32].startswith("exit code 137, out of memory")
    drill.five_checks("a task eats all memory and is killed by the system", 2)


def test_a_client_that_the_system_ends_as_memory_runs_out_says_so_and_loses_nothing(make_drill: Maker) -> None:
    drill = make_drill(by_hand=True)
    drill.open_gate(20)
    drill.start_run("--hosts", "none")
    with memory_group(500 * MEGABYTE) as group, group.ballast(300 * MEGABYTE):
        drill.start_client("poor", before=group.before)
        drill.start_client("rich")
        drill.wait_done(10)
        client = client_of(drill, "poor")[1]
        while is_alive(client):
            group.squeeze()
            time.sleep(0.05)
        group.allow(500 * MEGABYTE)
        drill.open_gate()
        said = end_with_one_client_dead(drill, "poor", KILLED)
    assert re.search(r"(the|a process of the) client was killed by signal 9, out of memory", said)
    drill.five_checks("client killed by the system as memory ran out")


def test_a_client_that_gets_no_more_memory_ends_in_order_and_loses_nothing(make_drill: Maker) -> None:
    """Its later tasks are large, and no byte can be added to what it has."""
    large = "".join(f"  blob{i}: \"{{{{ 'x' * (60000 if x|int > 40 else 1) }}}}\"\n" for i in range(30))
    drill = make_drill(by_hand=True, sets=80, yaml=f"ping: 0.3\ngrace: 20\ninputs:\n{large}")
    drill.open_gate(10)
    drill.start_run("--hosts", "none")
    drill.start_client("poor", MALLOC_ARENA_MAX="1")
    drill.start_client("rich")
    drill.wait_done(10)
    client = client_of(drill, "poor")[1]
    drill.wait_at_gate("poor")
    assert max(drill.held_by("poor")) <= 40, "it has no large task yet"
    size = int(Path(f"/proc/{client}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(client, resource.RLIMIT_AS, (size, size))
    drill.open_gate()
    said = end_with_one_client_dead(drill, "poor", OTHER)
    assert "out of memory: this host has no room for the client any more" in said
    assert "Traceback" not in said
    drill.five_checks("client that gets no more memory")

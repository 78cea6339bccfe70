"""What is told of a client on this machine that ends while it works, and when it is not started any more."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from processes import is_alive
from waiting import wait_until

from .kit import Bench

SOON = """
from spe.fleet.starts import Starts

Starts.next_pause = lambda self: 0.05
"""


def soon(bench: Bench) -> dict[str, str]:
    """An environment in which hosts are started again at once."""
    (bench.root / "soon").mkdir()
    (bench.root / "soon" / "sitecustomize.py").write_text(SOON)
    return {"PYTHONPATH": str(bench.root / "soon")}


def above(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_set_that_tells_its_client_to_end_again_and_again_ends_the_run_and_is_named(
    bench: Bench, number: int
) -> None:
    """Such an end blames no set, so something else has to end it."""
    bench.worker(f"[ $1 = 2 ] || exec echo $1\nkill -{int(number)} $(ps -o ppid= -p $PPID); exec sleep 60")
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\nhosts: [localhost slots=1]\n")
    done = bench.spe("run", seconds=120, **soon(bench))
    assert done.code == 3, done
    assert "localhost: client does not stay: 10 starts in a row came to nothing, so it is benched" in done.err
    assert "; set 2 ran there each time" in done.err
    assert sorted(bench.column("stdout")) == ["1", "3"]


@pytest.mark.parametrize("who, number, words", [
    ("the client", signal.SIGTERM, r"client ended: its client was ended by signal 15 \(SIGTERM\) after \d+ s"),
    ("the client", signal.SIGINT, r"client ended: its client was ended by signal 2 \(SIGINT\) after \d+ s"),
    ("the client", signal.SIGKILL, r"client killed: after \d+ s: the client was killed by signal 9; cleared up after"),
    ("its guard", signal.SIGKILL, r"client killed: its client was killed by signal 9 \(SIGKILL\) after \d+ s"),
    ("a hand", signal.SIGKILL, r"client killed: after \d+ s: a process of the client was killed by signal 9"),
])  # fmt: skip
def test_the_end_of_a_client_that_worked_is_told_as_what_it_was(
    bench: Bench, who: str, number: int, words: str
) -> None:
    bench.worker('echo $PPID $$ > "$LOG"; while [ ! -e "$GATE" ]; do sleep 0.05; done; echo k')
    bench.write("spe.yaml", "command: ./work\nhosts: [localhost slots=1]\n")
    running = bench.start("run", **soon(bench))
    wait_until(lambda: bench.logged(), "a program runs")
    hand, program = map(int, bench.logged()[0].split())
    os.kill({"a hand": hand, "the client": above(hand), "its guard": above(above(hand))}[who], number)
    wait_until(lambda: not is_alive(program), "the end was noticed: a result of this program would end the run")
    bench.open_gate()
    done = running.end()
    assert done.code == 0, done
    assert re.search(f"^localhost: {words}", done.err, re.MULTILINE), done
    assert not re.search("does not stay|start failed|connection lost|KillUserProcesses", done.err), done

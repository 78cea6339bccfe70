"""A gigabyte of output, a million sets: neither is ever whole in memory."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from waiting import wait_until

from .kit import Bench, Started

MB = 1_000_000
GB = 1000 * MB


def peaks(bench: Bench, running: Started) -> dict[str, int]:
    """The peak memory of the master and of the largest other process of the test, by now, in bytes."""
    found = {"master": 0, "others": 0}
    for pid in bench.processes():
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        kilobytes = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
        key = "master" if pid == running.pid else "others"
        found[key] = max(found[key], kilobytes * 1024)
    return found


@pytest.mark.slow
def test_a_program_that_prints_a_gigabyte_is_kept_whole_and_takes_no_memory(bench: Bench) -> None:
    bench.write("spe.yaml", f"name: t\ncommand: yes 0123456 | head -c {GB}\nshell: true\n")
    running = bench.start("run")
    most = {"master": 0, "others": 0}

    def over() -> bool:
        for key, value in peaks(bench, running).items():
            most[key] = max(most[key], value)
        return running.process.poll() is not None

    file = bench.runs("t") / "files/1/stdout.txt"
    try:
        wait_until(over, "the run ends", 150)
        done = running.end()
        assert done.code == 0, done
        bench.assert_nothing_left(done)
        cell = bench.column("stdout", "t")[0]
        assert cell.startswith("0123456\n" * 8192)
        note = cell[65536:]
        assert "files/1/stdout.txt" in note
        assert "1.0 GB" in note
        assert len(note) < 200
        assert file.stat().st_size == GB
        line = b"0123456\n" * 125_000
        with file.open("rb") as stream:
            assert all(chunk == line for chunk in iter(lambda: stream.read(MB), b""))
        assert 0 < most["master"] < 250 * MB, most
        assert 0 < most["others"] < 150 * MB, most
    finally:
        file.unlink(missing_ok=True)  # pytest keeps the folders of the last runs


@pytest.mark.slow
def test_a_million_lines_are_checked_first_and_begun_before_the_last_is_stored(bench: Bench) -> None:
    lines = "".join(f"{number},{number % 7}\n" for number in range(1_000_000))
    bench.worker('echo "$1" >> "$LOG"; echo "$1"')
    bench.write("spe.yaml", "command: ./work {{ x }} {{ y }}\nparameters: params.csv\n")
    path = bench.write("params.csv", f"x,y\n{lines}1,2,3\n")
    assert "params.csv:1000002: this line has 3 cells" in bench.refused("run")

    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - len("1,2,3\n"))
    running = bench.start("run")
    wait_until(bench.logged, "the first program runs")
    stored = bench.query("SELECT count(*) FROM tasks")[0][0]
    assert 0 < stored < 1_000_000
    assert bench.query("SELECT task FROM tickets ORDER BY id LIMIT 1") == [(1,)], "it begins with the first"
    assert peaks(bench, running)["master"] < 400 * MB
    running.signal(signal.SIGINT)
    done = running.end()
    assert done.code == 130, done
    bench.assert_nothing_left(done)
    path.unlink()

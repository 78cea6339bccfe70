"""`--hosts`: what is wrong with it is told as for a hosts file."""

from __future__ import annotations

import pytest

from .kit import Bench

TWICE = "warning: --hosts localhost,localhost: localhost stands there twice; it is used once"


@pytest.fixture
def sweep(bench: Bench) -> Bench:
    bench.write("spe.yaml", "command: 'echo {{ x }}'\nparameters: {grid: {x: [1]}}\n")
    return bench


@pytest.mark.parametrize("command", ["run", "check", "doctor"])
def test_a_host_that_hosts_names_twice_is_told_once(sweep: Bench, command: str) -> None:
    told = sweep.ok(command, "--hosts", "localhost,localhost").err.splitlines()
    assert [line for line in told if "twice" in line] == [TWICE]


def test_a_one_liner_tells_it_once_too(bench: Bench) -> None:
    line = ("run", "--hosts", "localhost,localhost", "-p", "x=1", "--", "echo", "{{ x }}")
    told = [one for one in bench.ok(*line).err.splitlines() if "twice" in one]
    assert told == [TWICE]


def test_a_hosts_file_of_the_option_tells_its_lines(sweep: Bench) -> None:
    sweep.write("two.txt", "localhost\nlocalhost slots=2\n")
    told = sweep.ok("run", "--hosts", "two.txt").err
    assert "warning: two.txt:2: localhost stands in two.txt:1 already; it is used once, as said there\n" in told

"""`--job ID`: every command about a sweep's folder finds it by the number of the user's job on a farm."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from spe.cli import spe
from spe.delegate import orders
from spe.delegate.orders import Order
from spe.pool.joining.knocking import own_name
from waiting import wait_until

from .kit import Bench

JOB = 17
#: Commands about a sweep as it stands in its file: they begin a run, and need no folder of one.
WITHOUT = {"run", "check", "submit", "replay"}
SWEEP = "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\nask: [ls, pwd]\n"
WORK = "echo $1\n[ $1 -lt 3 ] || exit 1\n"
GATED = 'while [ ! -e "$GATE" ]; do sleep 0.05; done\necho $1\n'


def commands() -> Iterator[tuple[str, click.Command]]:
    """All commands, those of groups as `farm join`."""
    groups: list[tuple[str, click.Group]] = [("", spe)]
    while groups:
        before, group = groups.pop()
        context = click.Context(group)
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found is not None
            if isinstance(found, click.Group):
                groups.append((f"{before}{name} ", found))
            yield before + name, found


def test_each_command_about_a_sweeps_folder_takes_it_and_no_other_one_does() -> None:
    about_a_sweep = {"file", "at", "run"}
    with_sweep, with_job = set(), set()
    for name, command in commands():
        names = {param.name for param in command.params}
        if names & about_a_sweep:
            with_sweep.add(name)
        if "job" in names and any("--job" in param.opts for param in command.params):
            with_job.add(name)
    assert with_job == with_sweep - WITHOUT
    assert {"status", "log", "rm", "report", "export", "attach", "resume", "collect", "retry"} <= with_job


@pytest.fixture
def elsewhere(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A sweep with an order, and commands that are typed in another folder."""
    share = str(bench.root / "share")
    bench.environment["XDG_DATA_HOME"] = share
    monkeypatch.setenv("XDG_DATA_HOME", share)
    return bench


def ordered(bench: Bench, work: str, *words: str, file: str = "spe.yaml", place: str = "") -> Order:
    """The order of a sweep in a folder of its own."""
    folder = bench.root / "ordered"
    folder.mkdir()
    (folder / file).write_text(SWEEP)
    (folder / "work").write_text(f"#!/bin/sh\n{work}")
    (folder / "work").chmod(0o755)
    order = Order("f00d", JOB, list(words), str(folder), str(folder / "runs" / "ordered"), place or own_name())
    orders.save(order)
    return order


def test_reading_commands_find_results_also_of_a_job_that_is_over(elsewhere: Bench) -> None:
    order = ordered(elsewhere, WORK, "-f", "other.yaml", "--quiet", file="other.yaml")
    assert elsewhere.refused("results", "--job", "17").splitlines()[0] == (
        "spe: job 17: it has not begun, so there is nothing of it yet"
    )
    assert elsewhere.spe("run", "-f", f"{order.cwd}/other.yaml").code == 1
    orders.end(order)
    by_job = ("--job", str(JOB))
    table = elsewhere.ok("results", *by_job).out
    assert table == elsewhere.ok("results", "-f", f"{order.cwd}/other.yaml").out and len(table.splitlines()) == 3
    assert elsewhere.ok("log", "1", *by_job).out.endswith("\n1\n")
    assert "1 failed" in elsewhere.ok("status", *by_job).out
    assert elsewhere.ok("show", "3", "--json", *by_job).json["number"] == 3
    for words in (("why", "3"), ("files", "1"), ("hosts",), ("plot", "x"), ("collect",), ("notify",)):
        assert elsewhere.spe(*words, *by_job).code in (0, 2), words
    elsewhere.ok("report", "-o", str(elsewhere.root / "report.html"), *by_job)
    assert (elsewhere.root / "report.html").exists()


def test_what_cannot_be_said_together_is_refused(elsewhere: Bench) -> None:
    ordered(elsewhere, WORK)
    for words in (("-f", "spe.yaml"), ("-n", "x"), ("--at", "h:x")):
        said = elsewhere.refused("status", "--job", "17", *words)
        assert f"--job and {words[0]} both say which sweep is meant" in said
    assert "both say which sweep is meant" in elsewhere.refused("rm", "x", "--job", "17")
    assert "both say which sweep is meant" in elsewhere.refused("report", "x", "--job", "17")
    assert "you have no such job" in elsewhere.refused("status", "--job", "18")
    assert "no number of a job" in elsewhere.refused("status", "--job", "pi")
    assert "Missing argument 'NAME...'" in elsewhere.spe("rm").err


def test_a_sweep_is_removed_by_its_job_and_the_job_is_forgotten_with_it(elsewhere: Bench) -> None:
    order = ordered(elsewhere, WORK)
    elsewhere.spe("run", "-f", f"{order.cwd}/spe.yaml")
    orders.end(order)
    elsewhere.ok("rm", "-y", "--job", "17")
    assert not Path(order.runs).exists() and orders.with_number(JOB) == []
    assert "you have no such job" in elsewhere.refused("status", "--job", "17")


def test_a_running_job_is_steered_and_one_that_is_over_is_not_run_without_its_farm(elsewhere: Bench) -> None:
    order = ordered(elsewhere, GATED)
    by_job = ("--job", "17")
    run = elsewhere.start("run", "-f", f"{order.cwd}/spe.yaml")
    wait_until(lambda: elsewhere.spe("ps", *by_job).code == 0, "its programs run")
    assert "the sweep is paused" in elsewhere.ok("pause", *by_job).err
    assert "goes on" in elsewhere.ok("resume", *by_job).err
    assert elsewhere.ok("page", *by_job).out.startswith("http")
    assert "1 set cancelled" in elsewhere.ok("cancel", "3", *by_job).err
    assert "1 set waits again" in elsewhere.ok("retry", "3", *by_job).err
    elsewhere.open_gate()
    elsewhere.ok("attach", *by_job)
    assert run.end().code == 0
    said = elsewhere.refused("retry", *by_job)
    assert "job 17: its run does not go on" in said and f"cd {order.cwd}" in said


def test_a_folder_that_is_not_visible_here_is_said_to_be_where_it_is(elsewhere: Bench) -> None:
    programs = elsewhere.root / "programs"
    programs.mkdir()
    (programs / "ssh").write_text('#!/bin/sh\necho "$@" >&2\nexit 255\n')
    (programs / "ssh").chmod(0o755)
    path = f"{programs}{os.pathsep}{elsewhere.environment['PATH']}"
    ordered(elsewhere, WORK, place="lab07")
    done = elsewhere.spe("log", "--job", "17", "2", PATH=path)
    assert done.code == 2
    assert f"spe: job 17 is on lab07: this runs there, in {elsewhere.root}/ordered\n" in done.err
    assert "log --job 17 2" in done.err, "the command as it was typed"
    assert "job 17: its folder is on lab07, and ssh cannot connect" in done.err and "Try: ssh lab07" in done.err
    quiet = elsewhere.spe("log", "--job", "17", "2", "-q", PATH=path)
    assert "this runs there" not in quiet.err
    again = elsewhere.refused("report", "--job", "17", PATH=path, SPE_AT="lab07:~")
    assert again.startswith("spe: job 17: its folder is on lab07"), "a place is not asked from that place"


def test_json_of_a_job_is_that_of_its_sweep(elsewhere: Bench) -> None:
    order = ordered(elsewhere, WORK)
    elsewhere.spe("run", "-f", f"{order.cwd}/spe.yaml")
    found = json.loads(elsewhere.ok("status", "--json", "--job", "17").out)
    assert found["folder"] == order.runs


def test_who_runs_a_sweep_that_a_job_waits_for_is_told(elsewhere: Bench) -> None:
    order = ordered(elsewhere, WORK)
    done = elsewhere.spe("run", "-f", f"{order.cwd}/spe.yaml")
    assert "warning: job 17 of a farm is to run this sweep, too: spe jobs cancel 17 takes it back" in done.err
    orders.end(order)
    assert "job 17" not in elsewhere.spe("retry", "-f", f"{order.cwd}/spe.yaml").err
    orders.save(order)
    assert "job 17" not in elsewhere.spe("run", "-f", f"{order.cwd}/spe.yaml", "--hosts", "none", "--dry").err

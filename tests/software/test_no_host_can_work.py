"""Hosts that come up and lack the software of the sweep: what people and programs are told."""

from __future__ import annotations

import pytest

from .kit import SoftwareBench

pytestmark = pytest.mark.slow
REASON = "no host can work: software: there is no apptainer or singularity on this host"


@pytest.fixture
def lacking(bench: SoftwareBench) -> SoftwareBench:
    """A sweep of six sets for an image, on a machine without apptainer."""
    bench.write("image.sif", "the image")
    bench.write("spe.yaml", "command: echo {{ x }}\ncontainer: image.sif\nparameters: {grid: {x: {range: [1, 6]}}}\n")
    return bench


def test_the_run_and_status_and_why_say_what_the_hosts_lack(lacking: SoftwareBench) -> None:
    done = lacking.spe("run")
    assert done.code == 3
    assert f"spe: nothing could run: {REASON}" in done.err
    assert "no host came up" not in done.err
    assert f"6 sets wait: {REASON}" in lacking.spe("status").out
    assert REASON in lacking.spe("why", "3").out


def test_a_run_with_json_says_why_sets_wait(lacking: SoftwareBench) -> None:
    done = lacking.spe("run", "--json")
    assert done.code == 3
    assert (done.json["exit_code"], done.json["waiting"]) == (3, 6)
    assert done.json["waiting_because"] == [{"sets": 6, "reason": REASON}]
    assert [(one["host"], one["fault"]) for one in done.json["faults"]] == [("localhost", "software")]


def test_a_check_with_json_has_the_faults(lacking: SoftwareBench) -> None:
    done = lacking.spe("check", "--json")
    assert done.code == done.json["exit_code"] == 3
    assert [(one["host"], one["fault"]) for one in done.json["faults"]] == [("localhost", "software")]
    assert done.json["kinds"][0]["done"] is False


@pytest.mark.parametrize("hosts", ["nowhere.invalid", "nowhere.invalid,elsewhere.invalid"])
def test_json_is_there_too_where_no_host_comes_up(lacking: SoftwareBench, hosts: str) -> None:
    for command in ("run", "check"):
        done = lacking.spe(command, "--json", "--hosts", hosts)
        assert done.code == done.json["exit_code"] == 3
        assert {one["host"] for one in done.json["faults"]} == set(hosts.split(","))


def test_a_check_speaks_of_itself(lacking: SoftwareBench) -> None:
    done = lacking.spe("check")
    assert done.err.count("there is no apptainer") == 2, "once for its hosts, and in the last sentence"
    assert "`spe run`" not in done.err
    assert "then `spe check` again." in done.err


def test_a_fault_that_is_not_that_of_all_is_told_with_its_host(lacking: SoftwareBench) -> None:
    done = lacking.spe("run", "--hosts", "localhost,nowhere.invalid")
    assert done.code == 3
    assert "no host can work: localhost: software: there is no apptainer" in done.err
    assert "; nowhere.invalid: name not found" in done.err

"""`spe submit`: what is checked before a job exists, what the farm is told, and what the user is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.kit import Bench
from pool.service.people import ADA, BEN, Town, town
from spe.cli.farm_options import words_of_run
from spe.cli.submit import command, sentence
from spe.delegate import submitting
from spe.delegate.submitting import Farm
from spe.errors import UsageError
from spe.pool.joining.cards import Card


def card(user: str = "ada") -> Card:
    return Card("f00d", "srv", "farm", "", ["https://srv:1"], "0" * 64, user, "t" * 40, "here", ["h1"], [])


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", ""),
        ("--priority 80 --keep --group=g -q", "--keep"),
        ("-p x=1:3 --farm srv -- ./sim --priority 3", "-p x=1:3 -- ./sim --priority 3"),
        ("-p --info --info -p --time=1s --where x>1", "-p --info --where x>1"),
        ("--label a --label -- -- ./sim", "-- ./sim"),
        ("-f other.yaml -n name --cores 2 --memory 1GiB", "-f other.yaml -n name --cores 2"),
    ],
)
def test_the_run_gets_all_words_but_those_that_are_for_the_farm(typed: str, words: str) -> None:
    assert words_of_run(typed.split(), command) == words.split()


@pytest.mark.parametrize(
    ("others", "rest"),
    [
        ({}, "nobody else has any of the 48 slots"),
        ({"ben": 6}, "1 other user has 6 of 48 slots"),
        ({"ben": 10, "cyd": 30}, "2 other users have 40 of 48 slots"),
    ],
)
def test_what_is_said_of_a_new_job_counts_what_others_have(others: dict[str, int], rest: str) -> None:
    farm = Farm(card(), {"h1": 40, "h2": 8, "h3": 0}, others)
    assert sentence({"id": 17}, 200, 64, farm) == f"job 17: 200 sets, priority 64; {rest}"


HOSTS = [{"name": "h1", "most": 40, "active": True}, {"name": "h3", "most": 8, "active": False}]


def job(owner: str, slots: int, cores: int = 1) -> dict[str, Any]:
    return {"owner": owner, "slots": slots, "cores": cores}


@pytest.mark.parametrize(
    ("jobs", "others"),
    [
        ([], {}),
        ([job("ada", 9), job("ben", 0)], {}),
        ([job("ben", 3, cores=2), job("cyd", 1), job("ben", 1)], {"ben": 7, "cyd": 1}),
    ],
)
def test_a_look_at_the_farm_counts_the_cores_of_others(
    jobs: list[dict[str, Any]], others: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"/hosts": {"hosts": HOSTS}, "/jobs": {"jobs": jobs}}
    monkeypatch.setattr(submitting, "_ask", lambda _, method, path: answers[path])
    assert submitting.look_at_farm(card()) == Farm(card(), {"h1": 40, "h3": 0}, others)


@pytest.mark.parametrize("hosts", [[{"name": "h1"}], [7], [{"name": ["h1"], "most": 1, "active": True}], 7])
def test_lists_that_are_none_are_said_in_one_sentence(hosts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"/hosts": {"hosts": hosts}, "/jobs": {"jobs": []}}
    monkeypatch.setattr(submitting, "_ask", lambda _, method, path: answers[path])
    with pytest.raises(UsageError, match="the farm's lists cannot be read"):
        submitting.look_at_farm(card())


def test_without_a_farm_one_sentence_says_how_to_join_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("spe.yaml", "command: true\n")
    done = bench.spe("submit")
    assert done.code == 2
    assert done.err == "spe: you have not joined a farm on this machine\n  Join one: spe farm join SRV\n"


@pytest.fixture(scope="module")
def place() -> Iterator[Town]:
    with town() as made:
        made.farm()
        made.join(ADA)
        yield made


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--priority", "128"], "wanted a whole number from 0 to 127"),
        (["--memory", "much"], "--memory much: that is no size"),
        (["--time", "soon"], "--time soon: that is no time"),
        (["--info", "a\x1bb"], "--info has a control character"),
        (["--exclude", "a b"], "'a b' is no host name"),
        (["--exclude", "elsewhere"], "the farm has no such host"),
        (["--exclude", "localhost"], "--exclude leaves no host"),
        (["--hosts", "elsewhere"], "none of the hosts of this sweep is a host of the farm"),
        (["--hosts", "none"], "a farm starts the clients of its jobs"),
        (["-j", "3", "-p", "x=1", "--", "true", "{{ x }}"], "-j is for this machine"),
        (["--accept-new-host-keys"], "does not hold for hosts that a farm names"),
        (["--farm", "other"], "you have not joined this farm"),
        (["-p", "x=1:2:0", "--", "true", "{{ x }}"], "x=1:2:0"),
        (["-f", "nothing.yaml"], "nothing.yaml"),
        (["--cores", "5"], "fits no host of this farm"),
        (["--", "./not-here"], "not-here"),
    ],
)
def test_a_mistake_is_told_at_once_and_makes_no_job(place: Town, words: list[str], why: str) -> None:
    folder = place.root / "mistakes"
    if not folder.exists():
        place.sweep(ADA, "mistakes", "true", 2)
    before = len(place.jobs())
    done = place.spe(ADA, folder, "submit", *words)
    assert done.returncode == 2 and why in done.stderr, done
    assert len(done.stderr.strip().splitlines()) <= 3
    assert len(place.jobs()) == before and place.delegate(ADA) == 0


def test_a_user_who_has_accepted_no_host_is_told_so(place: Town) -> None:
    place.join(BEN)
    (path,) = (place.root / f"home-{BEN}" / ".config" / "spe" / "farms").glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"accepted": []}))
    done = place.spe(BEN, place.sweep(BEN, "refused", "true", 1), "submit")
    assert done.returncode == 2 and "you have accepted none of the hosts" in done.stderr


def test_a_job_has_what_its_options_say_and_no_second_one_is_made_of_its_sweep(place: Town) -> None:
    from waiting import wait_until

    folder = place.private("line", ADA)
    words = ["--priority", "80", "--group", "thesis", "--info", "Re 1e5", "--label", "a", "--label", "b"]
    line = ["-p", "x=1:3", "--cores", "2", "--time", "1min", "--", "sh", "-c", "echo {{ x }}"]
    done = place.spe(ADA, folder, "submit", *words, *line)
    assert done.returncode == 0, done
    number = int(done.stdout.split()[1].rstrip(":"))
    assert done.stdout == f"job {number}: 3 sets, priority 80; nobody else has any of the 4 slots\n"
    known = place.jobs()[number]
    assert {known[word] for word in ("name", "group", "info", "labels")} == {"sh", "thesis", "Re 1e5", "a b"}
    assert (known["priority"], known["cores"], known["sets"]) == (80, 2, 3)
    again = place.spe(ADA, folder, "submit", *line)
    assert again.returncode == 2 and f"job {number} is this sweep already" in again.stderr
    wait_until(lambda: place.jobs()[number]["state"] == "finished", "it ends", seconds=90, story=place.logs)
    assert (folder / "runs" / "sh" / "results.csv").read_text().count("\n") == 4
    third = place.spe(ADA, folder, "submit", *line)
    assert third.returncode == 0 and "nothing is new in the 3 sets of sh: no job was made" in third.stderr


def order_files(place: Town) -> list[Path]:
    return list((place.root / f"home-{ADA}" / ".local/share/spe/delegate").glob("*.json"))


def test_values_of_standard_input_are_kept_with_the_job(place: Town) -> None:
    import subprocess

    from waiting import wait_until

    folder = place.private("typed", ADA)
    words = [*place.account(ADA), "sh", "-c", 'printf "4\\n5\\n" | "$0" -P -m spe submit -p x=@- -- echo "{{ x }}"']
    import sys

    done = subprocess.run([*words, sys.executable], cwd=folder, env=place.environment(ADA), capture_output=True)
    assert done.returncode == 0, done
    (path,) = order_files(place)
    assert path.stat().st_mode & 0o777 == 0o600
    table = folder / "runs" / "echo" / "results.csv"
    wait_until(table.exists, "it ends", seconds=90, story=place.logs)
    assert [line.split(",")[1] for line in table.read_text().splitlines()] == ["x", "4", "5"]
    wait_until(lambda: not order_files(place), "an order ends with its job", seconds=60, story=place.logs)

"""The hosts file of a farm: host lines with more words, which no other hosts file takes."""

from __future__ import annotations

import pytest
from spe.errors import ConfigError
from spe.model import Host
from spe.pool.hosts_file import FarmHost, HostsFile, parse_hosts_file
from spe.sweep.hosts import parse_line


def parsed(*lines: str) -> HostsFile:
    return parse_hosts_file([(f"cluster.txt:{number}", line) for number, line in enumerate(lines, 1)], "srv")


def test_a_line_of_the_farm_says_what_jobs_may_use() -> None:
    line = 'lab[01-02] slots=48 most=40 gpus=2 memory=128GiB licences=abaqus only=ben,ada active=no info="room 4, left"'
    found = parsed("# ours", line, "licence abaqus=3 fluent=10")
    assert [host.name for host in found.hosts] == ["lab01", "lab02"]
    first = found.hosts[0]
    assert (first.slots, first.most, first.gpus, first.memory) == (48, 40, 2, 128 * 2**30)
    assert (first.licences, first.only, first.active) == (("abaqus",), ("ben", "ada"), False)
    assert first.info == "room 4, left"
    assert found.licences == {"abaqus": 3, "fluent": 10}


def test_a_plain_line_is_a_host_with_all_that_it_has() -> None:
    assert parsed("farm@lab01:2222 python=/opt/python3").hosts == (
        FarmHost("lab01", Host("lab01", "farm", 2222, python="/opt/python3", origin="cluster.txt:1")),
    )


def test_localhost_is_the_farms_host_by_its_name() -> None:
    (host,) = parsed("localhost slots=4").hosts
    assert host.name == "srv"
    assert host.way.is_here


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lab01 slots=4 most=5", "most=5 is more than slots=4"),
        ("lab01 most=-1", "most=-1: wanted a whole number"),
        ("lab01 gpus=1_0", "gpus=1_0: wanted a whole number"),
        ("lab01 memory=lots", "memory=lots: wanted a size"),
        ("lab01 active=maybe", "active=maybe: wanted yes or no"),
        ("lab01 only=ben;rm", "only=ben;rm: wanted names"),
        ("lab01 most=1 most=2", "most= is given twice"),
        ("lab01 mots=1", "unknown option 'mots'"),
        ("lab01 licences=abaqus", "licences=abaqus: there is no such licence"),
        ("lab01 setup=x", "setup= has no meaning in the hosts file of a farm"),
        ("lab01 workdir=/x", "workdir= has no meaning in the hosts file of a farm"),
        ("licence", "a licence without a name"),
        ("licence abaqus", "'abaqus' is not a licence and how many there are of it"),
        ("licence abaqus=1 abaqus=2", "the licence abaqus is given twice"),
        (f"lab01 info={'x' * 201}", "info= has more than 200 characters"),
        ("-oProxyCommand=x most=1", "is not a host name"),
        ("lab_[1-2] most=1", "lab_1 is no name that a farm can grant"),
    ],
)
def test_a_mistake_is_said_with_its_line(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed("lab99", line)
    assert words in caught.value.what
    assert caught.value.where == "cluster.txt:2"
    assert caught.value.todo


def test_a_host_stands_in_one_line_only() -> None:
    with pytest.raises(ConfigError, match=r"LAB01 stands in cluster.txt:1 already"):
        parsed("lab01", "LAB01 most=2")


def test_a_word_that_is_nearly_right_is_guessed() -> None:
    with pytest.raises(ConfigError, match="Did you mean active="):
        parsed("lab01 activ=no")


@pytest.mark.parametrize("word", ["most=4", "gpus=1", "memory=1GiB", "licences=a", "only=ben", "active=no", "info=x"])
def test_no_other_hosts_file_takes_these_words(word: str) -> None:
    with pytest.raises(ConfigError, match="unknown option"):
        parse_line(f"lab01 {word}")

"""The hosts file."""

from __future__ import annotations

from pathlib import Path

import pytest
from spe.errors import ConfigError
from spe.model import Host
from spe.sweep.hosts import parse_line, read_hosts


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("lab1", Host("lab1")),
        ("anna@lab1.example.org:2222", Host("lab1.example.org", user="anna", port=2222)),
        ("10.0.0.7", Host("10.0.0.7")),
        ("[::1]:22", Host("::1", port=22)),
        ("anna@[fe80::1]", Host("fe80::1", user="anna")),
        ("fe80::1", Host("fe80::1")),
        ("user@domain@lab1", Host("lab1", user="user@domain")),
        ("my_alias.x-1", Host("my_alias.x-1")),
        ("localhost slots=2", Host("localhost", slots=2)),
        (
            "lab1 slots=4 workdir=/scratch/a python=/opt/python3",
            Host("lab1", None, None, 4, "/scratch/a", "/opt/python3"),
        ),
        ("lab1 trust_workdir=yes", Host("lab1", trust_workdir=True)),
        ("lab1 trust_workdir=no", Host("lab1")),
        ('lab1 setup="module load gcc" # fast', Host("lab1", setup="module load gcc")),
        ("lab1 setup='a # b' # c", Host("lab1", setup="a # b")),
        ("\tlab1\t#don't", Host("lab1")),
    ],
)
def test_a_line_is_a_host(line: str, host: Host) -> None:
    assert parse_line(line) == [host]


@pytest.mark.parametrize("line", ["", "   ", "# nothing", "  #don't"])
def test_comments_and_empty_lines_are_no_hosts(line: str) -> None:
    assert parse_line(line) == []


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("lab[01-03]", "lab01 lab02 lab03"),
        ("lab[1,3-4]", "lab1 lab3 lab4"),
        ("u@lab[9-11].cs:22 slots=1", "lab9.cs lab10.cs lab11.cs"),
        ("10.0.0.[1-2]", "10.0.0.1 10.0.0.2"),
        ("r[1-2]n[1-2]", "r1n1 r1n2 r2n1 r2n2"),
        ("lab[0-8/4]", "lab0 lab4 lab8"),
    ],
)
def test_a_range_is_many_hosts(line: str, names: str) -> None:
    hosts = parse_line(line)
    assert [host.name for host in hosts] == names.split()
    assert len({(host.user, host.port, host.slots) for host in hosts}) == 1


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("lab1 lab2", "'lab2' after the host 'lab1' is not an option"),
        ("lab1, lab2", "'lab2' after the host"),
        ("lab1,lab2", "'lab1,lab2' is not a host name"),
        ("lab;rm", "'lab;rm' is not a host name"),
        ("-oProxyCommand=x", "'-oProxyCommand=x' is not a host name"),
        ("-l@lab", "'-l' in '-l@lab' is not a user name"),
        ("@lab", "'' in '@lab' is not a user name"),
        ("lab:0", "'0' in 'lab:0' is not a port"),
        ("lab:", "'' in 'lab:' is not a port"),
        ("lab:ssh", "'ssh' in 'lab:ssh' is not a port"),
        (":22", "'' is not a host name"),
        ("a:b:c", "'a:b:c' is not a host name"),
        ("lab[1-", "'lab[1-' is not a host range"),
        ("lab[1-999999999999]", "'lab[1-999999999999]' is 999999999999 hosts"),
        ("lab[1-9][0-99999999999]", "is 100000000000 hosts"),
        ("lab[]", "'lab[]' is not a host range"),
        ("lab[3-1]", "'lab[3-1]' is not a host range"),
        ("lab[1-999999]", "is 999999 hosts"),
        ("@group", "'' in '@group' is not a user name"),
        ("lab slots=", "slots= has no value"),
        ("lab slots=0", "slots=0: wanted a whole number from 1"),
        ("lab slots=two", "slots=two: wanted a whole number from 1"),
        ("lab slot=2", "unknown option 'slot'"),
        ("lab slots=1 slots=2", "slots= is given twice"),
        ('lab setup="x', "No closing quotation"),
        ("lab\x07", "control characters"),
        ("anna@localhost", "localhost is this machine"),
        ("localhost:2222", "localhost is this machine"),
        ("{{ x }}", "'x' after the host '{{' is not an option"),
    ],
)
def test_nonsense_is_told_file_and_line(tmp_path: Path, line: str, complaint: str) -> None:
    (tmp_path / "hosts.txt").write_text(f"# hosts\nlab0\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        read_hosts(tmp_path / "hosts.txt")
    assert caught.value.where == "hosts.txt:3"
    assert complaint in caught.value.what
    assert caught.value.todo


def test_an_unknown_option_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean slots=\?"):
        parse_line("lab slot=2")


def test_a_host_is_used_once_and_a_warning_names_both_places(tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_text("lab1 slots=2\nLAB1\nlab[1-2]\nlab1:2222\n")
    found = read_hosts(tmp_path / "hosts.txt")
    assert [(host.name, host.port, host.slots) for host in found.hosts] == [
        ("lab1", None, 2),
        ("lab2", None, None),
        ("lab1", 2222, None),
    ]
    assert found.warnings == (
        "hosts.txt:2: LAB1 stands in hosts.txt:1 already; it is used once, as said there",
        "hosts.txt:3: lab1 stands in hosts.txt:1 already; it is used once, as said there",
    )


def test_each_host_knows_its_line(tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_bytes(b"\xef\xbb\xbflab1\r\n\r\nlab2\r\n")
    assert [host.origin for host in read_hosts(tmp_path / "hosts.txt").hosts] == ["hosts.txt:1", "hosts.txt:3"]


def test_a_file_without_hosts_means_this_machine_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_text("# none yet\n")
    found = read_hosts(tmp_path / "hosts.txt")
    assert found.hosts == ()
    assert "hosts.txt: names no host" in found.warnings[0]


def test_a_file_that_is_not_there_or_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"hosts\.txt: can't be read: No such file"):
        read_hosts(tmp_path / "hosts.txt")
    (tmp_path / "hosts.txt").write_bytes(b"lab1\n\xff\n")
    with pytest.raises(ConfigError, match=r"hosts\.txt:2: this line is not UTF-8"):
        read_hosts(tmp_path / "hosts.txt")

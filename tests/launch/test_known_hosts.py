"""Lines of known_hosts, without any host: whose key each is, as OpenSSH reads it."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from needs import need_program
from spe.errors import Fault, LaunchError
from spe.launch.ssh.config.lookup import SshConfig
from spe.launch.ssh.config.target import Target
from spe.launch.ssh.known_hosts import entries, verify
from spe.model import Host

KEYS = [paramiko.ECDSAKey.generate() for _ in range(2)]
NAMES = ["a.lab", "b.lab", "lab", "x.y.lab", "192.0.2.7", "other.org", "[a.lab]:2222"]


def line(names: str, key: paramiko.PKey = KEYS[0]) -> str:
    return f"{names} {key.get_name()} {key.get_base64()}\n"


def target(tmp_path: Path, name: str, text: str) -> Target:
    """Where `name`, or `[name]:port`, is looked for in this text alone."""
    (tmp_path / "config").write_text("")
    (tmp_path / "known_hosts").write_text(text)
    host, _, port = name.removeprefix("[").partition("]:")
    made = SshConfig(tmp_path / "config").target(Host(host, port=int(port) if port else None))
    return replace(made, known_hosts=(tmp_path / "known_hosts",), system_known_hosts=())


@pytest.mark.parametrize(
    ("patterns", "matching"),
    [
        ("*.lab", {"a.lab", "b.lab", "x.y.lab", "[a.lab]:2222"}),
        ("*.lab,!b.lab", {"a.lab", "x.y.lab", "[a.lab]:2222"}),
        ("!b.lab,*.lab", {"a.lab", "x.y.lab", "[a.lab]:2222"}),
        ("!*.y.lab,!a.lab,*lab", {"b.lab", "lab"}),
        ("*,!*.lab", {"lab", "192.0.2.7", "other.org", "[a.lab]:2222"}),
        ("!b.lab", set()),
        ("a.lab,!a.lab", set()),
        ("A.LAB,!B.lab", {"a.lab", "[a.lab]:2222"}),
        ("?.lab", {"a.lab", "b.lab", "[a.lab]:2222"}),
        ("[a.lab]:2222", {"[a.lab]:2222"}),
        ("[*.lab]:2222,![b.lab]:2222", {"[a.lab]:2222"}),
        ("192.0.2.*,other.org", {"192.0.2.7", "other.org"}),
        ("[ab].lab", set()),
    ],
)
def test_a_line_is_for_the_hosts_of_its_patterns_but_for_those_that_are_negated(
    tmp_path: Path, patterns: str, matching: set[str]
) -> None:
    found = {name for name in NAMES if entries(target(tmp_path, name, line(patterns)))}
    assert found == matching
    keygen = need_program("ssh-keygen", "openssh-client")
    for name in NAMES:
        words = [keygen, "-F", name, "-f", str(tmp_path / "known_hosts")]
        told = subprocess.run(words, capture_output=True, text=True, check=False).returncode == 0
        # A key that is known without the port is good with it: there ssh asks twice, ssh-keygen once.
        assert told == (name in matching) or name == "[a.lab]:2222", f"ssh-keygen sees {name} differently"


def test_a_negated_host_is_unknown_and_not_taken_for_one_whose_key_has_changed(tmp_path: Path) -> None:
    text = line("*.lab,!b.lab")
    for name, key, fault in (("a.lab", KEYS[0], None), ("a.lab", KEYS[1], Fault.CHANGED_KEY),
                             ("b.lab", KEYS[0], Fault.UNKNOWN_KEY), ("b.lab", KEYS[1], Fault.UNKNOWN_KEY)):  # fmt: skip
        where = target(tmp_path, name, text)
        try:
            verify(where, key, entries(where), accept_new=False)
            told = None
        except LaunchError as error:
            told = error.fault
        assert told is fault, (name, fault)


def test_a_line_of_its_own_counts_beside_one_that_negates_it(tmp_path: Path) -> None:
    where = target(tmp_path, "b.lab", line("*.lab,!b.lab") + line("b.lab", KEYS[1]))
    (entry,) = entries(where)
    assert entry.line == 2 and entry.key == base64.b64decode(KEYS[1].get_base64())


def test_hashed_names_are_known_by_their_hash_alone(tmp_path: Path) -> None:
    text = line(paramiko.HostKeys.hash_host("a.lab")) + line("|1|no|hash") + line("|1|==")
    assert [entry.line for entry in entries(target(tmp_path, "a.lab", text))] == [1]
    assert entries(target(tmp_path, "b.lab", text)) == []


@pytest.mark.parametrize("marked", ["@cert-authority *.lab", "# a.lab", "a.lab", "@revoked"])
def test_what_is_no_key_of_a_host_is_skipped(tmp_path: Path, marked: str) -> None:
    text = "a.lab ssh-ed25519\n" if marked == "a.lab" else line(marked)
    assert entries(target(tmp_path, "a.lab", text)) == []

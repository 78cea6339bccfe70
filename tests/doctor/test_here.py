"""`spe doctor` on this machine alone, which needs no SSH and no lab."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from needs import need_root
from spe.errors import Fault

from .kit import free_port, spe, write_sweep


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a temporary folder of our own."""
    for name, variable in (("home", "HOME"), ("tmp", "TMPDIR")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path


def stopping(found: dict[str, object]) -> list[str]:
    findings = found["findings"]
    assert isinstance(findings, list)
    return [finding["fault"] for finding in findings if finding["stops"]]


def test_this_machine_is_looked_at_without_ssh_and_left_as_it_was(home: Path) -> None:
    write_sweep(home, free_port())
    before = sorted(home.rglob("*"))
    found = spe("doctor", "--json", cwd=home)
    here = found.hosts["localhost"]
    assert (found.code, here["works"], here["master"]) == (0, True, "direct"), here
    assert here["platform"] == f"{os.uname().sysname}-{os.uname().machine}".lower()
    assert here["cores"] == len(os.sched_getaffinity(0))
    assert here["home_free"] > 0
    assert sorted(home.rglob("*")) == before


def test_a_worker_for_other_platforms_alone_is_a_fault_of_this_machine_too(home: Path) -> None:
    write_sweep(home)
    text = (home / "spe.yaml").read_text().replace("linux-x86_64", "plan9-mips")
    (home / "spe.yaml").write_text(text)
    found = spe("doctor", "--json", cwd=home)
    assert found.code == 1
    assert stopping(found.hosts["localhost"]) == [Fault.NO_WORKER]


def test_doctor_says_that_it_does_not_try_the_setup(home: Path) -> None:
    write_sweep(home)
    assert "setup" not in spe("doctor", cwd=home).err
    with (home / "spe.yaml").open("a") as file:
        file.write("setup: 'exit 7'\n")
    said = spe("doctor", cwd=home)
    assert said.code == 0 and "`setup:` was not tried: `spe check` tries it" in said.err


def test_doctor_says_that_it_does_not_try_the_software_of_the_sweep(home: Path) -> None:
    write_sweep(home)
    (home / "requirements.txt").write_text("no_such_package\n")
    with (home / "spe.yaml").open("a") as file:
        file.write("venv: requirements.txt\nprepare: exit 7\n")
    said = spe("doctor", cwd=home)
    assert said.code == 0
    assert "`venv:`, `prepare:` were not tried: `spe check` tries them" in said.err


def test_a_port_that_is_in_use_is_replaced_with_a_word(home: Path) -> None:

    with socket.create_server(("", 0)) as taken:
        write_sweep(home, int(taken.getsockname()[1]))
        found = spe("doctor", "--json", cwd=home)
    assert "is in use now" in found.err
    assert found.hosts["localhost"]["master"] == "direct"


def test_no_host_at_all_is_a_wrong_usage(home: Path) -> None:
    assert spe("doctor", "--hosts", "none", cwd=home).code == 2


def test_without_a_sweep_and_without_hosts_there_is_nothing_to_look_at(home: Path) -> None:
    found = spe("doctor", cwd=home)
    assert found.code == 2
    assert "spe.yaml" in found.err


def test_who_may_write_into_the_workdir_is_found_as_the_client_finds_it(home: Path, tmp_path: Path) -> None:
    need_root()
    where = tmp_path / "shared place"
    where.mkdir()
    host = f"hosts: [\"localhost workdir='{where}/deep'\"]"
    (home / "spe.yaml").write_text(f"command: echo 1\n{host}\n")
    where.chmod(0o777)
    found = spe("doctor", "--json", cwd=home)
    assert stopping(found.hosts["localhost"]) == [Fault.OTHERS]
    assert f"all users may write into {where}," in str(found.hosts["localhost"]["findings"])
    os.chown(where, 0, 12399)
    where.chmod(0o775)
    found = spe("doctor", "--json", cwd=home)
    assert stopping(found.hosts["localhost"]) == []
    assert f"the group 12399 may write into {where}" in str(found.hosts["localhost"]["findings"])
    where.chmod(0o1777)
    assert "may write" not in str(spe("doctor", "--json", cwd=home).hosts["localhost"]["findings"])
    assert list(where.iterdir()) == []


def test_a_temporary_folder_below_the_runtime_folder_is_passed_over_as_the_client_does(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sweep(home, free_port())
    (home / "run").mkdir()
    (home / "run").chmod(0o777)  # no place to work in
    monkeypatch.setenv("TMPDIR", str(home / "run"))
    assert stopping(spe("doctor", "--json", cwd=home).hosts["localhost"]) == [Fault.OTHERS]
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    assert stopping(spe("doctor", "--json", cwd=home).hosts["localhost"]) == []

"""Each way in which a host does not come up has its own name, says what to do, and holds nobody else up."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import USER, Boot, Lab, LabHost
from lab.host import UID
from spe.errors import Fault
from spe.model import Host
from waiting import wait_until

from .starter import Starter

pytestmark = pytest.mark.lab
LAB_HOSTS = 8


def test_a_name_that_is_not_found(hosts: list[LabHost], starter: Starter) -> None:
    error = starter.fault("no-such-host.invalid")
    assert error.fault is Fault.NAME
    assert "no-such-host.invalid" in str(error)


def test_a_host_without_an_ssh_server_refuses(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].boot(Boot(no_sshd=True))
    error = starter.fault("h01")
    assert error.fault is Fault.REFUSED
    assert "port 22" in error.what


def test_a_host_that_is_off_times_out(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].cut()
    assert starter.fault("h01").fault is Fault.TIMEOUT


def test_a_host_that_hangs_times_out(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].freeze()
    error = starter.fault("h01")
    assert error.fault is Fault.TIMEOUT
    assert "hang" in error.todo


def test_a_refused_key_is_a_login_failure(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].boot(Boot(refuse_key=True))
    error = starter.fault("h01")
    assert error.fault is Fault.LOGIN
    assert f" -F {starter.ssh_config} h01" in error.todo
    assert f"{USER} is refused" in error.what


@pytest.fixture
def locked_key(lab: Lab, tmp_path: Path) -> Path:
    """The lab's key with a passphrase."""
    key = tmp_path / "locked"
    key.write_bytes(lab.key.read_bytes())
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(key)], check=True)
    Path(f"{key}.pub").write_bytes(Path(f"{lab.key}.pub").read_bytes())
    return key


def with_key(lab: Lab, key: Path, agent: str = "none") -> str:
    """An ssh_config whose only key is this one."""
    lines = (line for line in lab.ssh_config.read_text().splitlines() if "Identity" not in line)
    return "\n".join(lines) + f"\n  IdentityFile {key}\n  IdentitiesOnly yes\n  IdentityAgent {agent}\n"


def test_a_key_with_a_passphrase_asks_for_the_agent(
    lab: Lab, hosts: list[LabHost], starter: Starter, locked_key: Path, tmp_path: Path
) -> None:
    starter.ssh_config = tmp_path / "config"
    starter.ssh_config.write_text(with_key(lab, locked_key))
    error = starter.fault("h01")
    assert error.fault is Fault.LOGIN
    assert error.todo == f"Run: ssh-add {locked_key}"


@pytest.fixture
def agent(lab: Lab, tmp_path: Path) -> Iterator[Path]:
    """An ssh-agent that holds the lab's key."""
    place = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.DEVNULL)
    try:
        wait_until(place.exists, "the agent is there")
        subprocess.run(["ssh-add", "-q", str(lab.key)], env={**os.environ, "SSH_AUTH_SOCK": str(place)}, check=True)
        yield place
    finally:
        process.terminate()
        process.wait()


def test_the_agent_holds_the_key_with_the_passphrase(
    lab: Lab, hosts: list[LabHost], starter: Starter, locked_key: Path, agent: Path, tmp_path: Path
) -> None:
    starter.ssh_config = tmp_path / "config"
    starter.ssh_config.write_text(with_key(lab, locked_key, str(agent)))
    assert starter.start("h01") == [None]


def test_no_key_at_all_says_how_to_make_one(lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path) -> None:
    starter.ssh_config = tmp_path / "config"
    starter.ssh_config.write_text(with_key(lab, tmp_path / "absent"))
    error = starter.fault("h01")
    assert error.fault is Fault.LOGIN
    assert "ssh-keygen" in error.todo


# -- host keys ---------------------------------------------------------------------------------------------


def test_an_unknown_host_key_is_an_error_that_says_what_to_do(lab: Lab, hosts: list[LabHost], starter: Starter) -> None:
    lab.known_hosts.write_text("")
    error = starter.fault("h01")
    assert error.fault is Fault.UNKNOWN_KEY
    assert f"ssh -o StrictHostKeyChecking=ask -F {starter.ssh_config} h01" in error.todo
    assert "--accept-new-host-keys" in error.todo
    assert lab.known_hosts.read_text() == ""


def test_unknown_host_keys_are_accepted_when_asked_and_then_known(
    lab: Lab, hosts: list[LabHost], starter: Starter
) -> None:
    lab.known_hosts.write_text("# mine, without a line end")
    starter.accept_new_host_keys = True
    assert starter.start("h01", "h02") == [None, None]
    assert lab.known_hosts.read_text().startswith("# mine, without a line end\n")
    starter.accept_new_host_keys = False
    assert starter.start("h01", "h02") == [None, None]
    done = subprocess.run(["ssh", "-F", str(lab.ssh_config), "h01", "true"])
    assert done.returncode == 0  # ssh itself reads what was written


@pytest.mark.parametrize("accept", [False, True])
def test_a_changed_host_key_is_never_accepted(lab: Lab, hosts: list[LabHost], starter: Starter, accept: bool) -> None:
    hosts[0].boot(Boot(new_host_key=True))
    starter.accept_new_host_keys = accept
    before = lab.known_hosts.read_text()
    error = starter.fault("h01")
    assert error.fault is Fault.CHANGED_KEY
    assert f"{lab.known_hosts}:1" in error.what
    assert f"ssh-keygen -R '{hosts[0].address}'" in error.todo
    assert lab.known_hosts.read_text() == before


def test_hashed_names_and_other_ports_are_understood(lab: Lab, hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].boot(Boot(sshd=("Port 22", "Port 2222")))
    key = Path(f"{hosts[0].folder}/hostkey.pub").read_text()
    lab.known_hosts.write_text(f"[{hosts[0].address}]:2222 {key}")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(lab.known_hosts)], check=True, capture_output=True)
    assert hosts[0].address not in lab.known_hosts.read_text()
    assert starter.start(Host("h01", port=2222)) == [None]
    assert starter.fault("h01").fault is Fault.UNKNOWN_KEY  # the same key, but known for that port only


def test_a_key_of_another_kind_is_asked_for_when_only_that_one_is_known(
    lab: Lab, hosts: list[LabHost], starter: Starter
) -> None:
    other = hosts[0].folder / "etc" / "rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(other)], check=True)
    hosts[0].boot(Boot(sshd=("HostKey /mnt/rsa",)))
    lab.known_hosts.write_text(f"{hosts[0].address} {Path(f'{other}.pub').read_text()}")
    assert starter.start("h01") == [None]
    for file in (other, Path(f"{other}.pub")):
        file.unlink()


def test_a_revoked_key_is_refused(lab: Lab, hosts: list[LabHost], starter: Starter) -> None:
    line = lab.known_hosts.read_text().splitlines()[0]
    lab.known_hosts.write_text(f"{line}\n@revoked {line}\n")
    starter.accept_new_host_keys = True
    error = starter.fault("h01")
    assert error.fault is Fault.HOST_KEY
    assert "revoked" in error.what


# -- Python ------------------------------------------------------------------------------------------------


def test_a_host_without_python(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].boot(Boot(no_python=True))
    before = hosts[0].files()
    error = starter.fault("h01")
    assert error.fault is Fault.NO_PYTHON
    assert "python=PATH" in error.todo
    assert hosts[0].files() == before


def test_a_python_that_is_too_old_is_named(hosts: list[LabHost], starter: Starter) -> None:
    old = Path.home() / ".pyenv/versions/2.7.18"
    if old.exists():
        hosts[0].boot(Boot(binds=((old, str(old)),)))
    else:  # a stand-in that ends the probe as an old Python does
        script = '#!/bin/sh\n[ "$1" = -V ] && echo Python 2.7.18 && exit 0\nexit 7\n'
        hosts[0].root(
            "sh", "-c", f"mkdir -p /tmp/old/bin; echo '{script}' >/tmp/old/bin/python; chmod 755 /tmp/old/bin/python"
        )
    place = f"{old}/bin/python" if old.exists() else "/tmp/old/bin/python"
    error = starter.fault(Host("h01", python=place))
    assert error.fault is Fault.OLD_PYTHON
    assert "Python 2.7.18" in error.what


def test_a_python_without_its_library_is_named(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].shell("mkdir bad; echo 'raise ImportError(\"No module named _ssl\")' >bad/ssl.py")
    script = '#!/bin/sh\nPYTHONPATH=$HOME/bad exec /usr/bin/python3 "$@"\n'
    hosts[0].shell(f"echo '{script}' >bad/python3; chmod +x bad/python3")
    error = starter.fault(Host("h01", python="~/bad/python3"))
    assert error.fault is Fault.NO_PYTHON
    assert "No module named _ssl" in error.what


def test_a_named_python_that_is_not_there(hosts: list[LabHost], starter: Starter) -> None:
    error = starter.fault(Host("h01", python="/opt/python9"))
    assert error.fault is Fault.NO_PYTHON
    assert "/opt/python9 is not there" in error.what
    assert "Correct python=/opt/python9 in the line of h01" in error.todo and "Install" not in error.todo


@pytest.mark.parametrize("path", ["/etc/passwd", "/usr/bin"])
def test_a_named_python_that_is_no_program(hosts: list[LabHost], starter: Starter, path: str) -> None:
    error = starter.fault(Host("h01", python=path))
    assert error.fault is Fault.NO_PYTHON
    assert f"{path} is no program that can be executed" in error.what
    assert f"Correct python={path} in the line of h01" in error.todo


# -- copy and start ----------------------------------------------------------------------------------------


def test_a_full_disk_is_named(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].boot(Boot(home_size="64k"))
    before = hosts[0].files()
    error = starter.fault(Host("h01", workdir="~/work"))
    assert error.fault is Fault.DISK_FULL
    assert "No space left" in error.what
    assert "df -h" in error.todo
    assert hosts[0].files() == before


def test_a_disk_that_takes_no_more_files_is_told_from_a_full_one(hosts: list[LabHost], starter: Starter) -> None:
    home = f"/home/{USER}"
    hosts[0].root("mount", "-t", "tmpfs", "-o", f"nr_inodes=1,uid={UID},mode=755", "none", home)
    error = starter.fault(Host("h01", workdir="~"))
    hosts[0].root("umount", home)
    assert error.fault is Fault.INODES_FULL
    assert "df -i" in error.todo


def test_a_host_where_neither_the_home_nor_tmp_can_be_written_is_named(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].root("sh", "-c", f"chown root:root /home/{USER}; chmod 755 /tmp")
    error = starter.fault("h01")
    assert error.fault is Fault.HOME
    assert "Permission denied" in error.what
    hosts[0].root("sh", "-c", f"chown {USER}:{USER} /home/{USER}; chmod 1777 /tmp")


def test_a_working_folder_that_cannot_be_written_is_named(hosts: list[LabHost], starter: Starter) -> None:
    before = hosts[0].files()
    error = starter.fault(Host("h01", workdir="/proc/nowhere"))
    assert error.fault is Fault.WORKDIR
    assert "/proc/nowhere" in error.what
    assert "workdir=" in error.todo
    assert hosts[0].files() == before


def test_a_working_folder_that_runs_no_programs_is_named_as_by_doctor_unless_the_worker_is_only_read(
    hosts: list[LabHost], starter: Starter
) -> None:
    hosts[0].root("sh", "-c", "mkdir -p /mnt2; mount -t tmpfs -o noexec,mode=1777 none /mnt2")
    hosts[0]._dirty = True
    there = Host("h01", workdir="/mnt2")
    starter.master.more = "Worker=work\nRunsWorker=Yes\n"
    before = hosts[0].files()
    error = starter.fault(there)
    assert error.fault is Fault.NO_EXEC
    assert "/mnt2 is mounted noexec" in error.what
    assert error.todo == "Name another folder in the hosts file: h01 workdir=PATH"
    assert hosts[0].files() == before
    starter.master.more = ""
    assert starter.start(there) == [None]


@pytest.mark.parametrize("workdir", ["/tmp/open", "/tmp/open/deep", "~/link"])
def test_a_working_folder_that_everybody_may_write_is_refused_by_its_name_unless_it_is_trusted(
    hosts: list[LabHost], starter: Starter, workdir: str
) -> None:
    hosts[0].shell("mkdir -m 777 /tmp/open; chmod 777 /tmp/open; ln -s /tmp/open link")
    before = hosts[0].files()
    error = starter.fault(Host("h01", workdir=workdir))
    assert error.fault is Fault.OTHERS
    assert "all users may write into /tmp/open" in error.what
    assert "h01 workdir=PATH" in error.todo
    assert "h01 trust_workdir=yes" in error.todo
    assert hosts[0].files() == before
    assert starter.start(Host("h01", workdir=workdir, trust_workdir=True)) == [None]


def test_a_client_that_ends_and_takes_its_file_along_is_a_failed_start_in_its_own_words(
    hosts: list[LabHost], starter: Starter
) -> None:
    starter.master.more = "Nice=very\n"
    error = starter.fault("h01")
    assert error.fault is Fault.START
    assert "the master's Nice=very is not a number" in error.what
    assert starter.master.hosts == ["h01"], "tried once"


SETUPS = {"exec": "exec true", "exit": "exit 0", "a shell": "exec bash", "in a loop": "for i in 1 2; do exit 0; done"}


@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS)
def test_a_setup_that_does_not_return_is_told_so(hosts: list[LabHost], starter: Starter, setup: str) -> None:
    starter.master.more = f"Setup={json.dumps(setup)}\n"
    before = hosts[0].files()
    error = starter.fault("h01")
    assert error.fault is Fault.START
    assert "the setup did not return" in error.what
    assert starter.master.hosts == ["h01"], "tried once"
    assert hosts[0].files() == before


def test_a_master_of_another_certificate_is_a_failed_start(hosts: list[LabHost], starter: Starter) -> None:
    starter.master.fingerprint = "0" * 64
    error = starter.fault("h01")
    assert error.fault is Fault.START
    assert "in the master's place" in error.what
    assert starter.master.hosts == []


def test_an_account_that_may_not_log_in_runs_nothing_and_its_words_are_told(
    hosts: list[LabHost], starter: Starter
) -> None:
    hosts[0].boot(Boot(shell="/usr/sbin/nologin"))
    error = starter.fault("h01")
    assert error.fault is Fault.NO_COMMANDS
    assert "not available" in error.what


def test_eight_hosts_each_with_its_own_fault_do_not_hold_up_the_good_ones(
    lab: Lab, hosts: list[LabHost], starter: Starter
) -> None:
    ways = {"h01": Boot(no_sshd=True), "h02": Boot(refuse_key=True), "h03": Boot(new_host_key=True),
            "h04": Boot(no_python=True), "h05": Boot(home_size="64k")}  # fmt: skip
    for name, how in ways.items():
        lab[name].boot(how)
    hosts[5].freeze()
    begun = time.monotonic()
    chosen = [Host(host.name, workdir="~/work" if host.name == "h05" else None) for host in hosts]
    found = starter.start(*chosen, "no-such-host.invalid")
    faults = [error.fault if error else None for error in found]
    assert faults == [
        Fault.REFUSED,
        Fault.LOGIN,
        Fault.CHANGED_KEY,
        Fault.NO_PYTHON,
        Fault.DISK_FULL,
        Fault.TIMEOUT,
        None,
        None,
        Fault.NAME,
    ]
    assert sorted(starter.master.hosts) == ["h07", "h08"]
    assert time.monotonic() - begun < starter.limits["start_limit"]
    for name, error in zip([host.name for host in hosts], found, strict=False):
        assert error is None or str(error).startswith(f"{name}: {error.fault}: ")

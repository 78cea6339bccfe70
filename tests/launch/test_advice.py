"""Commands in messages are pasted into a shell: they reach the host that the message is about.

A plain `ssh h01` would not: the file of -F alone knows the host, the hosts file names user and port, and the file's
path has a space.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import USER, Boot, Lab, LabHost
from spe.cli.elsewhere import run_there
from spe.errors import Fault, LaunchError, UsageError
from spe.launch import faults
from spe.launch.outcome import Code, CommandOutcome
from spe.launch.pasteable import remember_host, ssh_words, words_for
from spe.model import Host

from .minimal import MinimalMaster
from .starter import Starter

pytestmark = pytest.mark.lab
LAB_HOSTS = 3
HOST = Host("far", user=USER, port=2222)
NAMES = ("far", "mid", "near")
PORTS = ("Port 22", "Port 2222")
COMMAND = re.compile(r"(?:^|(?<=[:;] )|(?<=then ))(ssh(?:-copy-id|-keygen)? .*?)(?=$|; |    | once\.)")


@pytest.fixture
def file(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> Path:
    """The file of -F. Its user and port are wrong, and those of the hosts file right."""
    for host in hosts:
        host.boot(Boot(sshd=PORTS))
    path = tmp_path / "a folder" / "config"
    path.parent.mkdir()
    named = "".join(f"Host {name}\n  HostName {host.address}\n" for name, host in zip(NAMES, hosts, strict=True))
    text = f"{named}Host far\n  User nobody\n  Port 99\n" + lab.ssh_config.read_text()
    path.write_text(text.replace("StrictHostKeyChecking yes", "StrictHostKeyChecking accept-new"))
    known = "".join(
        line.replace(f"{host.name},{host.address}", f"{host.address},[{host.address}]:2222") + "\n"
        for host, line in zip(hosts, lab.known_hosts.read_text().splitlines(), strict=True)
    )
    lab.known_hosts.write_text(known)
    return path


@pytest.fixture
def starter(master: MinimalMaster, file: Path, tmp_path: Path) -> Starter:
    return Starter(master, tmp_path / "run", file)


@pytest.fixture
def agent(lab: Lab, tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with an agent that holds the lab's key: ssh-copy-id copies what it finds there."""
    place = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.DEVNULL)
    (tmp_path / "home" / ".ssh").mkdir(parents=True)  # ssh-copy-id keeps its notes there
    environment = {**os.environ, "SSH_AUTH_SOCK": str(place), "HOME": str(tmp_path / "home")}
    try:
        while not place.exists():
            assert process.poll() is None
        subprocess.run(["ssh-add", "-q", str(lab.key)], env=environment, check=True)
        yield environment
    finally:
        process.kill()
        process.wait()


def pasted(error: LaunchError | str, **words: object) -> list[str]:
    """What the commands of a message print, all of them run as a person would."""
    todo = error if isinstance(error, str) else error.todo
    commands = COMMAND.findall(todo)
    assert commands, todo
    return [paste(command, **words) for command in commands]


def paste(command: str, **words: object) -> str:
    done = subprocess.run(
        ["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, **words
    )  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return str(done.stdout + done.stderr)


def test_a_refused_key_is_copied_by_the_command_of_the_message(
    hosts: list[LabHost], starter: Starter, agent: dict[str, str]
) -> None:
    hosts[0].boot(Boot(refuse_key=True, sshd=PORTS))
    error = starter.fault(HOST)
    assert error.fault is Fault.LOGIN
    hosts[0].boot(Boot(sshd=PORTS))
    [said] = pasted(error, env=agent)
    assert "already exist" in said


def test_a_host_that_hung_is_looked_at(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].freeze()
    error = starter.fault(HOST)
    hosts[0].thaw()
    [said] = pasted(error)
    assert f"Authenticated to {hosts[0].address} ([{hosts[0].address}]:2222)" in said


@pytest.mark.parametrize("checking", ["yes", "ask"])
def test_an_unknown_key_is_looked_at(lab: Lab, starter: Starter, file: Path, tmp_path: Path, checking: str) -> None:
    lab.known_hosts.write_text("")
    file.write_text(file.read_text().replace("accept-new", checking).replace("BatchMode yes", ""))
    error = starter.fault(HOST)
    assert error.fault is Fault.UNKNOWN_KEY
    (tmp_path / "answer").write_text("#!/bin/sh\necho yes\n")
    (tmp_path / "answer").chmod(0o755)
    asks = {"SSH_ASKPASS": str(tmp_path / "answer"), "SSH_ASKPASS_REQUIRE": "force"}  # in place of a terminal
    pasted(error, env={**os.environ, **asks})
    assert starter.start(HOST) == [None]


@pytest.mark.parametrize("place", ["named", "environment"])
def test_a_key_with_a_passphrase_is_given_to_the_right_agent(
    lab: Lab, starter: Starter, agent: dict[str, str], tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, socket = tmp_path / "a key", agent["SSH_AUTH_SOCK"]
    shutil.copy(lab.key, key)
    subprocess.run(["ssh-add", "-q", "-D"], env=agent, check=True)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(key)], check=True)
    monkeypatch.setenv("SSH_AUTH_SOCK", socket if place == "environment" else "/nowhere")
    named = "SSH_AUTH_SOCK" if place == "environment" else socket
    lines = starter.ssh_config.read_text().splitlines()
    rest = [line for line in lines if "IdentityFile" not in line and "IdentityAgent" not in line]
    starter.ssh_config.write_text(f'IdentityAgent "{named}"\nIdentityFile "{key}"\n' + "\n".join(rest) + "\n")
    error = starter.fault(HOST)
    (tmp_path / "answer").write_text("#!/bin/sh\necho secret\n")
    (tmp_path / "answer").chmod(0o755)
    command = error.todo.removeprefix("Run: ")
    paste(command, env={**os.environ, "SSH_ASKPASS": str(tmp_path / "answer"), "SSH_ASKPASS_REQUIRE": "force"})
    assert starter.start(HOST) == [None]


def test_a_key_that_is_not_there_is_made_where_the_configuration_names_it(
    hosts: list[LabHost], starter: Starter, agent: dict[str, str], tmp_path: Path
) -> None:
    key = tmp_path / "new key"
    lines = starter.ssh_config.read_text().splitlines()
    rest = [line for line in lines if "IdentityFile" not in line]
    starter.ssh_config.write_text(f'IdentityFile "{key}"\n' + "\n".join(rest) + "\n")
    error = starter.fault(HOST)
    make, copy = COMMAND.findall(error.todo)
    paste(f"{make} -N '' -q")
    with (hosts[0].folder / "etc" / "authorized_keys").open("a") as keys:  # as its administrator might
        keys.write(Path(f"{key}.pub").read_text())
    assert "already exist" in paste(copy, env=agent)
    assert starter.start(HOST) == [None]


def test_a_changed_key_is_forgotten_and_the_host_gone_to(lab: Lab, hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].boot(Boot(new_host_key=True, sshd=PORTS))
    error = starter.fault(HOST)
    assert error.fault is Fault.CHANGED_KEY
    pasted(error)
    assert starter.start(HOST) == [None]


def test_a_jump_host_behind_another_is_looked_at(
    hosts: list[LabHost], starter: Starter, file: Path, tmp_path: Path
) -> None:
    inner = "add table inet d; add chain inet d in { type filter hook input priority 0; }; "
    inner += f"add rule inet d in tcp dport 22 ip saddr != {hosts[2].address} drop"
    # ssh itself does not find a file whose path has a space on its way to a jump host.
    starter.ssh_config = tmp_path / "plain"
    starter.ssh_config.write_text("Host far\n  ProxyJump near,tester@mid\n" + file.read_text())
    hosts[1].boot(Boot(refuse_key=True))
    error = starter.fault(HOST)
    assert "at mid, on the way to far" in error.what
    hosts[1].boot(Boot())
    hosts[1]._dirty = True
    hosts[1].root("nft", inner)
    commands = COMMAND.findall(error.todo)
    assert len(commands) == 1
    words = re.sub("ssh-copy-id -i [^ ]*", "ssh", commands[0])
    assert paste(f"{words} hostname").strip() == "h02"


def test_every_remedy_that_names_ssh_reaches_the_host(starter: Starter, file: Path) -> None:
    assert starter.start(HOST) == [None]
    todos = [faults.todo(fault, HOST.name) for fault in Fault]
    for code in (Code.NO_CLIENT, Code.UNREACHABLE, Code.SETUP):
        todos.append(faults.from_outcome(CommandOutcome(code, ("x",)), HOST).todo)
    seen = 0
    for todo in todos:
        for command in COMMAND.findall(todo):
            assert re.match(r"ssh (-v )?-F ", command), command
            assert paste(f"{command.partition(f'{USER}@far')[0]}{USER}@far hostname").strip().splitlines()[0] == "h01"
            assert command == f"ssh {words_for('far')}" or f"{words_for('far')} " in command + " "
            seen += 1
    assert seen >= 10


def test_words_are_quoted_for_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert ssh_words("h") == "h"
    assert ssh_words("h", "a b", 22, Path("c d"), ("x", "y")) == (f"-F '{tmp_path}/c d' -p 22 -o ProxyJump=x,y 'a b@h'")
    remember_host(Host("one", port=5), None)
    assert words_for("one") == "-p 5 one"
    assert words_for("never-seen") == "never-seen"


def test_the_other_machine_of_at_is_gone_to_by_the_command_of_the_message(
    hosts: list[LabHost], file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hosts[2].boot(Boot(refuse_key=True))
    with pytest.raises(UsageError) as caught:
        run_there(f"{USER}@near:sweep", file, ["status", "--at", f"{USER}@near:sweep"])
    hosts[2].boot(Boot())
    command = caught.value.todo.partition("Try: ")[2]
    assert paste(f"{command} hostname").strip() == "h03"


def test_what_doctor_advises_is_run_on_the_host(hosts: list[LabHost], file: Path, tmp_path: Path) -> None:
    hosts[0].boot(Boot(home_size="64k", sshd=PORTS))
    hosts[0].shell("head -c 200000 /dev/zero > full", check=False)
    words = [sys.executable, "-m", "spe", "doctor", "-F", str(file), "--json", "--hosts", f"{USER}@far:2222"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    [host] = json.loads(done.stdout)["hosts"]
    print(host)
    told = [finding["todo"] for finding in host["findings"]]
    assert told, done
    [said] = pasted(told[0])
    assert "/home/tester" in said

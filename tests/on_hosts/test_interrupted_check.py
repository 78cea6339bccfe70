"""`spe check` that is interrupted: it says so, and leaves no process of its own here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli.kit import hears_ctrl_c
from lab import Lab, LabHost
from waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.slow]
LAB_HOSTS = 2
SPE_YAML = "name: c\ncommand: sh -c 'touch ~/begun; sleep 600'\nresults: {y: stdout}\nping: 1\n"
#: A ProxyCommand that goes on when its input ends, and whose work is done by a child, as with some VPN clients.
WAY = f"#!/bin/sh\nexec 3<&0\n{sys.executable} \"$0.py\" \"$@\" <&3 &\nwait\n"
PIPE = """
import os, socket, sys, threading, time
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        sock.sendall(data)
threading.Thread(target=up, daemon=True).start()
try:
    while data := sock.recv(65536):
        os.write(1, data)
except OSError:
    pass
time.sleep(600)
"""


class Check:
    """A `spe check` at work, whose hosts are reached through a ProxyCommand."""

    def __init__(self, folder: Path, lab: Lab, hosts: str) -> None:
        self.folder = folder
        (folder / "spe.yaml").write_text(SPE_YAML)
        (folder / "way").write_text(WAY)
        (folder / "way.py").write_text(PIPE)
        (folder / "way").chmod(0o755)
        config = folder / "ssh_config"
        config.write_text(f"Host *\n  ProxyCommand {folder}/way %h %p\n" + lab.ssh_config.read_text())
        self.process = subprocess.Popen(
            [sys.executable, "-m", "spe", "check", "-F", str(config), "--hosts", hosts],
            cwd=folder, text=True, env=os.environ.copy(),
            stdin=subprocess.DEVNULL, stdout=self._open("out"), stderr=subprocess.STDOUT, preexec_fn=hears_ctrl_c,
        )  # fmt: skip

    def _open(self, name: str) -> int:
        return os.open(self.folder / name, os.O_WRONLY | os.O_CREAT)

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text()

    def ways(self) -> str:
        return subprocess.run(["pgrep", "-af", f"{self.folder}/way"], capture_output=True, text=True).stdout


@pytest.mark.parametrize("names", ["h01", "h01,h02"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_check_that_is_interrupted_at_work_says_so_and_not_that_the_set_failed(
    lab: Lab, hosts: list[LabHost], tmp_path: Path, number: signal.Signals, names: str
) -> None:
    check = Check(tmp_path, lab, names)
    for name in names.split(","):
        begun = f"set 1 runs on {name}"
        wait_until(lambda name=name: "begun" in lab[name].shell("ls").stdout, begun)  # type: ignore[misc]
    check.process.send_signal(number)
    wait_until(lambda: "(once more stops " in check.out, "it has heard the first signal")
    check.process.send_signal(number)
    wait_until(lambda: check.process.poll() is not None, "it has ended")
    print(check.out)
    assert "set 1 failed" not in check.out
    assert f"interrupted: set 1 was ended on {names.replace(',', ' and ')} before it was done" in check.out
    assert check.process.returncode == 130
    wait_until(lambda: not check.ways(), "no ProxyCommand is left")


@pytest.mark.parametrize("names", ["h01", "h01,h02"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_check_that_is_interrupted_while_it_waits_for_hosts_leaves_no_proxy_command(
    lab: Lab, hosts: list[LabHost], tmp_path: Path, number: signal.Signals, names: str
) -> None:
    for name in names.split(","):
        lab[name].freeze()
    try:
        check = Check(tmp_path, lab, names)
        wait_until(lambda: f"{tmp_path}/way.py" in check.ways(), "a ProxyCommand runs")
        check.process.send_signal(number)
        wait_until(lambda: check.process.poll() is not None, "it has ended")
    finally:
        for name in names.split(","):
            lab[name].thaw()
    print(check.out)
    assert "set 1 failed" not in check.out
    assert check.process.returncode in (130, 128 + number)
    wait_until(lambda: not check.ways(), "no ProxyCommand is left")

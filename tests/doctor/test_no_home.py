"""Homes that take no files stop no host: `spe doctor` says where the files go, and harms nobody by advice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from lab import Lab, LabHost
from lab.host import UID
from lab.together import WAITS, ended_together
from spe.errors import Fault

from .kit import HOME, calm, spe

pytestmark = pytest.mark.lab
LAB_HOSTS = 5


def test_a_home_that_takes_no_files_is_a_remark_and_nobody_is_told_to_take_what_others_have(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    ways = {
        "h01": f"mv {HOME} /home/away",
        "h02": f"chown root:root {HOME}",
        "h03": f"mount --bind {HOME} {HOME}; mount -o remount,ro,bind {HOME}",
        "h04": f"mv {HOME} /home/away",
        "h05": "sed 's,:/home/tester:,:/home:,' /etc/passwd >/run/new; cat /run/new >/etc/passwd; rm /run/new",
    }
    for host in hosts:
        host._dirty = True
        calm(host)
        host.root("sh", "-c", ways[host.name])
    (tmp_path / "hosts.txt").write_text("h01\nh02\nh03\nh04 workdir=/tmp/mine\nh05\n")
    (tmp_path / "spe.yaml").write_text(f"command: \"{WAITS}\"\nname: d\nparameters: {{repeat: 9}}\nhosts: hosts.txt\n")
    try:
        found = spe("doctor", "-F", str(lab.ssh_config), "--json", cwd=tmp_path)
        line = [sys.executable, "-m", "spe", "run", "-F", str(lab.ssh_config)]
        pipe = subprocess.PIPE
        said = ended_together(
            lambda: subprocess.Popen(line, cwd=tmp_path, text=True, stdout=pipe, stderr=pipe), hosts
        )
    finally:
        for host in hosts:
            host.root("sh", "-c", f"umount {HOME} 2>/dev/null; [ ! -d /home/away ] || mv /home/away {HOME}; "
                      f"chown {UID}:{UID} {HOME}")  # fmt: skip
    print(found.out)
    assert found.code == 0
    assert found.hosts["h04"]["verdict"] == "ok", "with a workdir the home is not used"
    for name in ("h01", "h02", "h03", "h05"):
        [finding] = found.hosts[name]["findings"]
        assert finding["fault"] == Fault.HOME
        assert not finding["stops"]
        assert "spe's files go below /tmp" in finding["todo"]
        owner_changes = [word for word in finding["todo"].split("'") if "chown" in word]
        assert all(word.endswith(f"chown tester {HOME}") for word in owner_changes), finding["todo"]
    assert "there is no /home/tester" in found.hosts["h01"]["findings"][0]["what"]
    assert "h01 workdir=PATH" in found.hosts["h01"]["findings"][0]["todo"]
    assert "chown" in found.hosts["h02"]["findings"][0]["todo"]
    assert "Read-only file system" in found.hosts["h03"]["findings"][0]["what"]
    assert "chown" not in found.hosts["h03"]["findings"][0]["todo"]
    assert "its home takes no files" in said

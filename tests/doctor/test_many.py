"""`spe doctor` over forty hosts ends within ten seconds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lab import Lab, LabHost

from .kit import spe

pytestmark = [pytest.mark.lab, pytest.mark.slow]
LAB_HOSTS = 40


def test_forty_hosts_are_looked_at_in_less_than_ten_seconds(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    for host in hosts[30:35]:
        host.cut()
    for host in hosts[35:]:
        host.freeze()
    found = spe("doctor", "-F", str(lab.ssh_config), "--hosts", "h[01-40]", "--json", cwd=tmp_path)
    assert [host["works"] for host in found.record["hosts"]] == [True] * 30 + [False] * 10
    assert {host["verdict"] for host in found.record["hosts"][30:]} == {"timeout"}
    slow = [host["host"] for host in found.record["hosts"] if "slow answer" in host["verdict"]]
    print(f"spe doctor: 40 hosts, ten of them dead, in {found.record['seconds']} s; load {os.getloadavg()[0]:.1f}")
    assert found.record["seconds"] < 10
    assert slow == []  # the slow one is this machine, which shakes hands with all

"""`spe doctor` over hosts with a fault planted in each: every one gets its own name, and nothing stays there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from lab import Boot, Lab, LabHost
from spe.errors import Fault
from waiting import wait_until

from .kit import HOME, PATH, calm, free_port, mounted, program, spe, write_sweep

pytestmark = pytest.mark.lab
LAB_HOSTS = 25

PLANTED = {
    "h01": "ok",
    "h02": Fault.REFUSED,
    "h03": Fault.TIMEOUT,
    "h04": Fault.LOGIN,
    "h05": Fault.CHANGED_KEY,
    "h06": Fault.NO_PYTHON,
    "h07": Fault.CLOCK,
    "h08": Fault.DISK_FULL,
    "h09": Fault.INODES_FULL,
    "h10": Fault.HOME,
    "h11": "ok",  # the master is behind a firewall, and reached through SSH
    "h12": Fault.UNREACHABLE,
    "h13": Fault.NO_WORKER,
    "h14": Fault.LOADED,
    "h15": Fault.SLOW,
    "h16": "ok",
    "h17": "ok",
    "h18": "ok",
    "h19": Fault.OLD_PYTHON,
    "h20": Fault.WORKDIR,
    "h21": Fault.NO_EXEC,
    "h22": Fault.UNKNOWN_KEY,
    "h23": Fault.NO_COMMANDS,
    "h24": Fault.TIMEOUT,
    "h25": Fault.NO_COMMANDS,
    "no-such-host.invalid": Fault.NAME,
}
WORKS = {"h01", "h07", "h08", "h09", "h10", "h11", "h14", "h15", "h16", "h17", "h18"}
MENDS = {  # what mends it
    "h02": "systemctl start ssh",
    "h03": "ping",
    "h04": " -F CONFIG h04",
    "h05": "ssh-keygen -R",
    "h06": "h06 python=",
    "h07": "ssh -t -F CONFIG h07 'sudo timedatectl",
    "h08": f"ssh -F CONFIG h08 'du -x {HOME}",
    "h09": f"ssh -F CONFIG h09 'du --inodes -x {HOME}",
    "h10": f"ssh -t -F CONFIG h10 'sudo chown tester {HOME}'",
    "h12": "AllowTcpForwarding yes",
    "h13": "worker: {linux-riscv64: PATH}",
    "h14": "ssh -F CONFIG h14 'top",
    "h15": "ssh -v -F CONFIG h15",
    "h19": "h19 python=",
    "h20": "h20 workdir=PATH",
    "h21": "h21 workdir=PATH",
    "h22": "ssh -o StrictHostKeyChecking=ask -F CONFIG h22",
    "h23": "chsh",
    "h24": "ssh -v -F CONFIG h24",
    "h25": "this must say hello: ssh -F CONFIG h25 echo hello",
    "no-such-host.invalid": "ssh -F CONFIG no-such-host.invalid",
}


def plant(lab: Lab, port: int) -> str:
    """One fault in each; the hosts file."""
    ways = {
        "h02": Boot(no_sshd=True), "h04": Boot(refuse_key=True), "h05": Boot(new_host_key=True),
        "h06": Boot(no_python=True), "h07": Boot(path=PATH), "h08": Boot(home_size="64k"),
        "h12": Boot(sshd=("AllowTcpForwarding no",)), "h13": Boot(path=PATH), "h15": Boot(shell="/bin/bash"),
        "h16": Boot(shared_home=True), "h17": Boot(shared_home=True), "h18": Boot(shared_home=True),
        "h23": Boot(shell="/usr/sbin/nologin"), "h25": Boot(shell="/bin/bash"),
    }  # fmt: skip
    for name, how in ways.items():
        lab[name].power_on(how)
    for name in ways:
        lab[name].wait_until_up()
    for host in lab.hosts:
        calm(host, "64.00" if host.name == "h14" else "0.00")
    lab["h03"].cut()
    program(lab["h07"], "date", f"echo {int(time.time()) + 86400}")
    mounted(lab["h09"], HOME, "nr_inodes=1,uid=2001,mode=755")
    lab["h10"].root("chown", "root:root", HOME)
    for name in ("h11", "h12"):
        lab[name].block(port, "reject")
    program(lab["h13"], "uname", '[ "$1" = -m ] && echo riscv64 || exec /usr/bin/uname "$@"')
    lab["h15"].shell("echo 'sleep 4' >.bashrc")
    lab["h25"].shell("echo 'exit 0' >.bashrc")
    script = '#!/bin/sh\n[ "$1" = -V ] && echo Python 2.7.18 && exit 0\nexit 7\n'
    lab["h19"].shell(f"printf '%s' '{script}' >old; chmod 755 old")
    mounted(lab["h21"], "/mnt2", "noexec,mode=1777")
    lines = [line for line in lab.known_hosts.read_text().splitlines() if not line.startswith("h22,")]
    lab.known_hosts.write_text("\n".join(lines) + "\n")
    lab["h24"].freeze()
    options = {"h19": "python=~/old", "h20": "workdir=/proc/nowhere", "h21": "workdir=/mnt2"}
    return "".join(f"{name} {options.get(name, '')}\n" for name in PLANTED)


def looked_at(lab: Lab) -> list[LabHost]:
    """Those whose files can be listed: one of them is frozen."""
    return [host for host in lab.hosts if host.name != "h24"]


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """Give hosts more time to answer, in seconds: on a busy machine, hosts that can work take more than 8.5 s."""
    (tmp_path / "sitecustomize.py").write_text("from spe.doctor import examine\nexamine.LIMIT = 25.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return 25.0


def test_every_planted_fault_has_its_own_name_in_one_look_and_nothing_stays(
    lab: Lab, hosts: list[LabHost], tmp_path: Path, limit: float
) -> None:
    port = free_port()
    write_sweep(tmp_path, port, plant(lab, port))
    before = {host.name: host.files() for host in looked_at(lab)}
    found = spe("doctor", "-F", str(lab.ssh_config), "--json", cwd=tmp_path)
    print(found.err)
    names = {name: host["verdict"] for name, host in found.hosts.items()}
    assert names == {name: str(fault) for name, fault in PLANTED.items()}
    assert len(set(names.values()) - {"ok"}) >= 15
    assert {name for name, host in found.hosts.items() if host["works"]} == WORKS
    assert found.code == 1
    for name, mends in MENDS.items():
        [finding] = found.hosts[name]["findings"]
        assert mends.replace("CONFIG", str(lab.ssh_config)) in finding["todo"], name
    assert found.hosts["h11"]["master"] == "ssh"
    assert found.hosts["h12"]["master"] == "no"
    assert found.record["shared_homes"] == [["h16", "h17", "h18"]]
    answers, load = len(set(names.values())), os.getloadavg()[0]
    print(f"{len(PLANTED)} hosts, {answers} different answers in {found.record['seconds']} s, load {load:.1f}")
    assert {host.name: host.files() for host in looked_at(lab)} == before
    # The second session beside a slow login ends by itself when that start-up file has ended.
    wait_until(lambda: not [p for host in looked_at(lab) for p in host.processes(user_only=True)], "nobody is left")
    assert found.record["seconds"] < 2 * limit, "those that hang cost their time once, together"


def test_the_table_says_what_the_json_says(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    for host in hosts[:5]:
        calm(host)
    hosts[1].root("chown", "root:root", HOME)
    hosts[2].boot(Boot(no_sshd=True))
    for name in ("h01", "h04"):
        lab[name].boot(Boot(shared_home=True))
        calm(lab[name])
    words = ("doctor", "-F", str(lab.ssh_config), "--hosts", "h01,h02,h03,h04,h05")
    data, table = spe(*words, "--json", cwd=tmp_path), spe(*words, cwd=tmp_path)
    lines = table.out.splitlines()
    heads = ("host ", "verdict", "platform", "python", "cores", "load", "home free", "workdir free", "master")
    starts = [*map(lines[0].index, heads), lines[0].rindex("home")]
    for line, host in zip(lines[1:6], data.record["hosts"], strict=True):
        cells = [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
        assert cells[:2] == [host["host"], host["verdict"]]
        assert cells[2:4] == [host["platform"] or "", host["python"] or ""]
        assert cells[4] == ("" if host["cores"] is None else str(host["cores"]))
        assert cells[8:] == [host["master"] or "", "" if host["shared_home"] is None else str(host["shared_home"])]
        for finding in host["findings"]:
            assert f"{host['host']}: {finding['fault']}: {finding['what']}\n  {finding['todo']}\n" in table.out
    assert "home 1: h01 h04" in table.out
    assert data.code == table.code == 1


def test_hosts_that_can_all_work_give_exit_code_0(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    for host in hosts[:2]:
        calm(host)
    found = spe("doctor", "-F", str(lab.ssh_config), "--hosts", "h01,h02", cwd=tmp_path)
    assert found.code == 0, found.out
    assert "2 hosts in" in found.err


def test_a_new_host_key_is_accepted_when_asked(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    lab.known_hosts.write_text("")
    words = ("doctor", "-F", str(lab.ssh_config), "--hosts", "h01", "--json")
    assert spe(*words, cwd=tmp_path).hosts["h01"]["verdict"] == Fault.UNKNOWN_KEY
    assert spe(*words, "--accept-new-host-keys", cwd=tmp_path).hosts["h01"]["works"]
    assert lab.known_hosts.read_text()


def test_a_python_that_nobody_looks_for_is_named(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    hosts[0].boot(Boot(path=f"{HOME}/bin"))
    words = "cat dd df dirname getconf head id nproc printf rm sh sleep tail tr uname date chmod"
    hosts[0].shell(f"/bin/mkdir -p bin miniconda3/bin; for w in {words}; do /bin/ln -s /usr/bin/$w bin/$w; done; "
                   "/bin/ln -s /usr/bin/python3 miniconda3/bin/python3")  # fmt: skip
    found = spe("doctor", "-F", str(lab.ssh_config), "--hosts", "h01", "--json", cwd=tmp_path).hosts["h01"]
    [finding] = [f for f in found["findings"] if f["stops"]]
    assert finding["fault"] == Fault.NO_PYTHON
    assert f"h01 python={HOME}/miniconda3/bin/python3" in finding["todo"]


def test_a_host_that_hangs_in_the_middle_is_told_with_what_it_was_doing_and_cleans_up_later(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    hosts[0].boot(Boot(path=PATH))
    before = hosts[0].files()
    program(hosts[0], "df", "sleep 40; exec /usr/bin/df")
    begun = time.monotonic()
    found = spe("doctor", "-F", str(lab.ssh_config), "--hosts", "h01,h02", "--json", cwd=tmp_path)
    assert time.monotonic() - begun < 40, "it was not waited for"
    [finding] = [f for f in found.hosts["h01"]["findings"] if f["stops"]]
    assert finding["fault"] == Fault.TIMEOUT
    assert f"writing into its home ({HOME})" in finding["what"]
    assert found.hosts["h02"]["works"]
    wait_until(lambda: not hosts[0].processes(user_only=True), "the program that hung has ended")
    assert {f for f in hosts[0].files() - before if "/bin" not in f} == set()

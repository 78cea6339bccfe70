"""Whole sweeps on a lab of hosts: `spe run` as a user types it, the table that it makes, the hosts after it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from lab import USER, Boot, Lab, LabHost
from lab.together import WAITS, ended_together, has_begun
from needs import need_program
from waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(600)]
LAB_HOSTS = 12
SETS = 500

# A program that says what it was compiled for, and writes a file that only this set can have written; before, it
# waits until one has begun on each host: an emulated host comes up late, and others would have done all.
SOURCE = """
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
    if (argc < 3) return 1;
    close(open("/tmp/began", O_CREAT | O_WRONLY, 0666));
    while (access("/tmp/go-on", F_OK) != 0) usleep(100000);
    usleep(1000 * (unsigned) atoi(argv[2]));
    unsigned x = (unsigned) atoi(argv[1]);
    FILE *out = fopen("out.bin", "wb");
    if (!out) return 2;
    for (unsigned i = 0; i < 5000; i++) fputc((int) ((x * 31 + i * 7) & 255), out);
    fclose(out);
    puts(ARCHITECTURE);
    return 0;
}
"""


def content(x: int) -> bytes:
    """What the program writes for x."""
    return bytes((x * 31 + i * 7) & 255 for i in range(5000))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A folder with spe.yaml, a parameter file of 500 lines, and one worker for each of two platforms."""
    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / "work.c").write_text(SOURCE)
    cross = need_program("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross")
    compilers = {"x86_64": need_program("gcc", "gcc libc6-dev"), "aarch64": cross}
    for machine, compiler in compilers.items():
        command = [compiler, "-static", f'-DARCHITECTURE="{machine}"', "-o", f"work-{machine}", "work.c"]
        subprocess.run(command, cwd=folder, check=True)
    (folder / "params.csv").write_text("x\n" + "".join(f"{x}\n" for x in range(SETS)))
    (folder / "spe.yaml").write_text(
        "name: lab\n"
        "command: ./{{ worker }} {{ x }} 30\n"
        "worker: {name: work, linux-x86_64: work-x86_64, linux-aarch64: work-aarch64}\n"
        "parameters: params.csv\n"
        "results: {machine: stdout, data: out.bin}\n"
        "ping: 5\n"
    )
    return folder


def start(folder: Path, lab: Lab, *hosts: str) -> subprocess.Popen[str]:
    """`spe run`, as a user would."""
    (folder / "hosts.txt").write_text("\n".join(hosts) + "\n")
    command = [sys.executable, "-m", "spe", "run", "-F", str(lab.ssh_config), "--hosts", "hosts.txt"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "runs/lab/results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def check_table(folder: Path) -> Counter[str]:
    """Every set once, in the order of the parameters, each with its own file; how many each host did."""
    table = rows(folder)
    assert [int(row["x"]) for row in table] == list(range(SETS))
    for row in table:
        assert (folder / "runs/lab" / row["data"]).read_bytes() == content(int(row["x"])), row
    return Counter(row["host"] for row in table)


def check_left_as_found(hosts: list[LabHost], before: dict[str, set[str]]) -> None:
    """No process of ours, no file, no folder; a moment for the last client of a shared home to remove its file."""
    for host in hosts:
        if host.how.no_sshd:
            continue
        wait_until(lambda host=host: not host.processes(user_only=True), f"{host} idle")  # type: ignore[misc]
        assert host.files() == before[host.name], host


def test_hosts_of_every_kind_share_a_sweep_of_500_sets(
    lab: Lab, hosts: list[LabHost], sweep: Path, arm64_root: Path
) -> None:
    lab["h09"].boot(Boot(root=arm64_root))
    lab["h10"].boot(Boot(no_python=True))
    lab["h11"].boot(Boot(refuse_key=True))
    lab["h12"].boot(Boot(no_sshd=True))
    before = {host.name: host.files() for host in hosts}
    said = ended_together(lambda: start(sweep, lab, "h[01-08] slots=2", "h[09-12] slots=2"), hosts[:9], 400)
    for words in ("h10: no python3", "h11: login failed", "h12: refused"):
        assert words in said
    counted = check_table(sweep)
    assert set(counted) == {f"h{number:02d}" for number in range(1, 10)}
    for row in rows(sweep):
        assert row["machine"] == ("aarch64" if row["host"] == "h09" else "x86_64")
    check_left_as_found(hosts, before)


def test_hosts_with_one_home_share_a_sweep_of_500_sets(lab: Lab, hosts: list[LabHost], sweep: Path) -> None:
    lab.boot(Boot(shared_home=True))
    before = {host.name: host.files() for host in hosts}
    ended_together(lambda: start(sweep, lab, "h[01-08] slots=2"), hosts[:8], 400)
    assert set(check_table(sweep)) == {f"h{number:02d}" for number in range(1, 9)}
    check_left_as_found(hosts[:8], before)


def test_a_host_behind_a_firewall_takes_part_and_the_user_is_told(lab: Lab, hosts: list[LabHost], sweep: Path) -> None:
    rules = f"add table inet lab; add chain inet lab out {{ type filter hook output priority 0; }}; " \
            f"add rule inet lab out ip daddr {lab.master} tcp sport != 22 drop"  # fmt: skip
    hosts[0].root("nft", rules)
    before = {host.name: host.files() for host in hosts}
    said = ended_together(lambda: start(sweep, lab, "h[01-02] slots=6"), hosts[:2], 400)
    hosts[0].root("nft", "flush ruleset")
    assert "h01 reaches the master through its SSH connection" in said
    assert set(check_table(sweep)) == {"h01", "h02"}
    check_left_as_found(hosts[:2], before)


def test_the_session_is_on_no_command_line_while_tasks_run(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / "spe.yaml").write_text(f"name: lab\ncommand: {WAITS} {{{{ s }}}}\nparameters: {{grid: {{s: [1, 2]}}}}\n")
    (folder / "hosts.txt").write_text("h01 slots=2\n")
    command = [sys.executable, "-m", "spe", "run", "-F", str(lab.ssh_config), "--hosts", "hosts.txt"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: has_begun(hosts[0]), "tasks run")
            secret = session_of(folder / "runs/lab/master.json")
            for process_there in hosts[0].processes():
                assert secret not in process_there.line
                assert secret.encode() not in process_there.environ
            assert not [file for file in Path("/proc").glob("[0-9]*/cmdline") if secret.encode() in quietly_read(file)]
        finally:
            hosts[0].root("touch", "/tmp/go-on")
            process.wait(60)
    assert process.returncode == 0


def session_of(file: Path) -> str:
    assert os.stat(file).st_mode & 0o077 == 0
    return str(json.loads(file.read_text())["session"])


def quietly_read(file: Path) -> bytes:
    """A process may have ended meanwhile."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def test_when_no_host_comes_up_the_reasons_are_printed_and_the_exit_code_is_3(
    lab: Lab, hosts: list[LabHost], sweep: Path
) -> None:
    hosts[0].boot(Boot(refuse_key=True))
    hosts[1].boot(Boot(no_sshd=True))
    process = start(sweep, lab, "h[01-02]")
    out, err = process.communicate(timeout=500)
    print(out, err, sep="\n--- stderr\n")
    assert process.returncode == 3
    assert f"h01: login failed: {USER} is refused" in err
    assert "h02: refused" in err

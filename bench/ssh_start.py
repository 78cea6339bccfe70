"""Hosts over SSH: bringing thirty of them to work against thirty bare connections of paramiko, in the same run.

    python bench/ssh_start.py [HOSTS] [ROUNDS]

The hosts are those of the tests' lab: real sshd's, each in network, process and file name spaces of its own on this
machine; it needs root and what tests/packages.txt names. Compared is the processor time of one process here: of
`spe run` until each host has a task of its own, and of a program that connects to each, runs `true`, copies the same
bytes with scp and closes. What is needed before the first host (a plan, a certificate) is shown apart.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 120.0


def bare(hosts: list[str], user: str, key: str, known_hosts: str, content: bytes) -> None:
    """What paramiko and scp cost by themselves: all at once, as in a run."""
    print(json.dumps(time.process_time()), flush=True)
    import paramiko  # from here on, as spe imports it with the first host
    import scp

    def one(host: str) -> None:
        with paramiko.SSHClient() as client:
            client.load_host_keys(known_hosts)
            client.connect(host, username=user, key_filename=key, allow_agent=False, look_for_keys=False)
            _, out, _ = client.exec_command("true")
            assert out.channel.recv_exit_status() == 0
            scp.SCPClient(client.get_transport()).putfo(io.BytesIO(content), ".bare", mode="0600", size=len(content))

    threads = [threading.Thread(target=one, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(time.process_time()), flush=True)


def processor_time(pid: int) -> float:
    """Seconds of one process, all its threads, no children."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def until(condition: object, process: subprocess.Popen[bytes], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end and process.poll() is None, f"not in time: {what}"
        time.sleep(0.02)


def at_work(database: Path) -> int:
    """How many hosts have got a task."""
    try:
        with sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True) as opened:
            return int(opened.execute("SELECT count(DISTINCT host) FROM tickets").fetchone()[0])
    except sqlite3.Error:
        return 0


def spe_run(folder: Path, config: Path, hosts: list[str]) -> tuple[float, float, float]:
    """Seconds: processor time before the hosts and for them, and wall time until all have work."""
    sweep = f"name: t\ncommand: sleep 60.{{{{ x }}}}\nparameters: {{grid: {{x: {{range: [1, {len(hosts)}]}}}}}}\n"
    (folder / "spe.yaml").write_text(sweep, encoding="utf-8")
    (folder / "hosts.txt").write_text("".join(f"{host} slots=1\n" for host in hosts), encoding="utf-8")
    words = [sys.executable, "-m", "spe", "run", "-q", "-F", str(config), "--hosts", "hosts.txt"]
    begun = time.monotonic()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    runs = folder / "runs" / "t"
    try:
        until((runs / "master.json").exists, process, "the master is there")
        before = processor_time(process.pid)
        until(lambda: at_work(runs / "sweep.db") == len(hosts), process, "all hosts have work")
        return before, processor_time(process.pid) - before, time.monotonic() - begun
    finally:
        for _ in range(2):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                time.sleep(0.5)
        process.wait(60)


def bare_run(arguments: dict[str, object]) -> tuple[float, float, float]:
    """The same of the bare connections."""
    words = [sys.executable, __file__, "--bare"]
    begun = time.monotonic()
    done = subprocess.run(words, input=json.dumps(arguments), text=True, check=True, stdout=subprocess.PIPE)
    before, after = map(float, done.stdout.split())
    return before, after - before, time.monotonic() - begun


def main(count: int = 30, rounds: int = 3) -> None:
    from lab import USER, Lab
    from spe.launch import bundle

    client = bundle.client_pyz()
    found: dict[str, list[tuple[float, float, float]]] = {"bare": [], "spe run": []}
    with Lab(count) as lab:
        arguments = {"hosts": [host.address for host in lab.hosts], "user": USER, "key": str(lab.key),
                     "known_hosts": str(lab.known_hosts), "content": client.hex()}  # fmt: skip
        for _ in range(rounds):
            lab.refresh()
            found["bare"].append(bare_run(arguments))
            lab.refresh()
            (lab.folder / "plain_config").write_text("Host *" + lab.ssh_config.read_text().partition("Host *")[2])
            with tempfile.TemporaryDirectory(prefix="spe-bench-") as name:
                found["spe run"].append(
                    spe_run(Path(name), lab.folder / "plain_config", [host.address for host in lab.hosts])
                )
    print(f"{count} hosts, client of {len(client)} bytes, seconds (the best of {rounds})")
    for label, each in found.items():
        before, after, wall = (min(times) for times in zip(*each, strict=True))
        print(f"{label:8} processor {after:6.2f} for the hosts, {before:5.2f} before them; wall {wall:6.2f} in all")
    ratios = [spe[1] / bare[1] for spe, bare in zip(found["spe run"], found["bare"], strict=True)]
    best = min(s[1] for s in found["spe run"]) / min(b[1] for b in found["bare"])
    print(f"ratio of processor time for the hosts {best:.2f} (median of rounds {statistics.median(ratios):.2f})")


if __name__ == "__main__":
    if sys.argv[1:] == ["--bare"]:
        given = json.load(sys.stdin)
        bare(**{**given, "content": bytes.fromhex(given["content"])})
    else:
        main(*map(int, sys.argv[1:3]))

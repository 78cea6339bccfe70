"""A sweep that something happens to, and the five things that every drill ends with.

    drill = make_drill(sets=40)               # on this machine; make_drill(hosts) on hosts of the lab
    drill.start()                             # `spe run`
    ...                                       # kill, stop, cut
    drill.five_checks("client killed", times=1)

Its worker writes a file that only its set can have written and prints the SHA-256 that it has on the host; it tells a
log when it begins and ends, and waits while its set is above the number in the gate.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.kit import Bench
from lab import USER, Boot, Lab, LabHost
from spe.launch import bundle
from waiting import LIMIT, wait_until

from .figures import DrillFigures, Figures

THERE = "/mnt/drill"  # where hosts of the lab see the folder with log and gate
OPEN = 10**9
LEASE = 3 * 0.3 + 5  # seconds, of the ping that drills have when they do not say otherwise
WORKER = """#!/bin/sh
echo "begin $1 $$" >> "$LOG"
seq "$1" $(($1 + 500)) > data
sleep {each}
while read -r limit < "$GATE"; [ "$1" -gt "$limit" ]; do sleep 0.1; done
sha256sum < data | cut -c 1-64
echo "end $1" >> "$LOG"
"""
_undisturbed: dict[tuple[Any, ...], float] = {}  # seconds, by the shape of the sweep


def content(x: int) -> bytes:
    """What the worker writes for x."""
    return "".join(f"{i}\n" for i in range(x, x + 501)).encode()


class Drill(Bench):
    """One sweep in a folder of its own, on this machine or on hosts of the lab."""

    def __init__(
        self, root: Path, figures: Figures | None, hosts: Sequence[LabHost] = (), *, lab: Lab | None = None,
        sets: int = 40, each: float = 0.2, slots: int = 2, yaml: str = "ping: 0.3\ngrace: 20\n", by_hand: bool = False,
        environment: Mapping[str, str] | None = None, homes: Sequence[Path] = (),
    ) -> None:  # fmt: skip
        super().__init__(root)
        self.more = dict(environment or {})
        self.environment |= self.more
        self.by_hand: list[subprocess.Popen[bytes]] = []
        self._clients = 2 if by_hand else 0
        self.figures, self.hosts, self.lab = figures, list(hosts), lab
        self.sets, self.each, self.slots, self.yaml = sets, each, slots, yaml
        self.homes = list(homes) or [None] * len(self.hosts)
        self.shared = root / "shared"
        self.shared.mkdir()
        self.log, self.gate_file = self.shared / "log", self.shared / "gate"
        self.log.touch(mode=0o666)
        self.log.chmod(0o666)
        self.open_gate()
        self.began = self.took = 0.0
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.rewrite()
        self._boot()
        self.before = {host.name: host.files() for host in self.hosts}

    def rewrite(self) -> None:
        """spe.yaml and the worker, for so many sets as there are now."""
        self.worker(WORKER.format(each=self.each))
        place = THERE if self.hosts else str(self.shared)
        names = "\n".join(f"  - {host.name} slots={self.slots}" for host in self.hosts)
        self.write(
            "spe.yaml",
            "name: drill\ncommand: ./{{ worker }} {{ x }}\nworker: work\n"
            f"env: {{LOG: {place}/log, GATE: {place}/gate}}\n"
            f"parameters: {{grid: {{x: {{range: [1, {self.sets}]}}}}}}\n"
            "results: {sum: stdout, data: {from: data, as: file}}\n"
            f"hosts:\n{names or f'  - localhost slots={self.slots}'}\n{self.yaml}",
        )

    def _boot(self) -> None:
        """All hosts anew, with empty homes, and the folder with log and gate in them."""
        for host, home in zip(self.hosts, self.homes, strict=True):
            host.power_on(Boot(home=home, binds=((self.shared, THERE),)))
            for folder in (host.folder / "home" / USER, host.folder / "tmp"):
                for entry in folder.iterdir() if folder.exists() else ():
                    shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        for host in self.hosts:
            host.wait_until_up()

    # -- the gate

    def open_gate(self, limit: int = OPEN) -> None:
        """Sets above the limit wait inside their worker."""
        new = self.shared / "gate.new"
        new.write_text(f"{limit}\n")
        new.chmod(0o644)
        new.replace(self.gate_file)

    # -- the master

    def start_run(
        self, *words: str, terminal: int = -1, before: Sequence[str] = (), **more: str
    ) -> subprocess.Popen[bytes]:
        """`spe run`; what it says goes to files, as a pipe that nobody reads could stop it, or to a terminal."""
        self.starts += 1
        self.began = self.began or time.monotonic()
        ssh = ["-F", str(self.lab.ssh_config)] if self.lab and self.hosts else []
        with self.said.open("wb") as said:
            out = said if terminal < 0 else terminal
            self.process = subprocess.Popen(
                [*before, sys.executable, "-m", "spe", "run", *ssh, *words],
                cwd=self.folder, env={**self.environment, **more}, stdout=out, stderr=out,
                stdin=subprocess.DEVNULL if terminal < 0 else terminal, start_new_session=terminal >= 0,
                preexec_fn=None if terminal < 0 else _take_terminal,
            )  # fmt: skip
        return self.process

    def start_client(self, name: str, before: Sequence[str] = (), **more: str) -> None:
        """A client started by hand, with a temporary folder of its own."""
        facts = wait_until(self._facts, "master.json")
        pyz, folder = self.root / f"{name}.pyz", self.tmp / name
        pyz.write_bytes(bundle.client_pyz())
        folder.mkdir()
        words = [*before, sys.executable, str(pyz), "--master", facts["url"]]
        words += ["--host", name, "--slots", str(self.slots)]
        words += ["--fingerprint", facts["fingerprint"]] if facts["fingerprint"] else []
        environment = {**self.environment, "TMPDIR": str(folder), "SPE_SESSION": facts["session"], **more}
        self.by_hand.append(
            subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stderr=(self.root / name).open("wb"))
        )

    def wait_for_clients(self) -> None:
        """Those started by hand have ended well; their temporary folders are ours to remove."""
        for process in self.by_hand:
            assert process.wait(60) == 0
        for folder in self.tmp.iterdir():
            folder.rmdir()

    def _facts(self) -> Any:
        """master.json of the run that was started last."""
        assert self.process and self.process.poll() is None, self.story()
        path = self.runs("drill") / "master.json"
        facts = json.loads(path.read_text()) if path.exists() else {"pid": 0}
        return facts if facts["pid"] == self.process.pid else None

    @property
    def said(self) -> Path:
        return self.root / f"said{self.starts}"

    def kill_master(self) -> None:
        """kill -9."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self, code: int = 0, seconds: float = 180) -> None:
        """It ends by itself, with this exit code."""
        assert self.process
        try:
            found = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {seconds} s\n{self.story()}") from None
        self.took = time.monotonic() - self.began
        assert found == code, f"exit {found}\n{self.story()}"

    @property
    def log_text(self) -> str:
        log = self.runs("drill") / "master.log"
        return log.read_text() if log.exists() else ""

    def _how_far(self) -> str:
        return f"{self.done} sets are done\n{self.story()}"

    def story(self) -> str:
        return f"{self.said.read_text()[-2000:]}\n--- master.log\n{self.log_text[-3000:]}"

    @property
    def done(self) -> int:
        """Sets that the store has as done."""
        found = self.query("SELECT count(*) FROM tasks WHERE state = 'done'", "drill")
        return int(found[0][0]) if found else 0

    def wait_done(self, count: int, seconds: float = 60) -> None:
        wait_until(lambda: self.done >= count, f"{count} sets are done", seconds, self._how_far)

    # -- what ran

    def times_begun(self) -> Counter[int]:
        """Set -> how often its worker began."""
        lines = [line.split() for line in self.logged()]
        return Counter(int(words[1]) for words in lines if words[0] == "begin")

    def times_ended(self) -> Counter[int]:
        """Set -> how often its worker came to its end."""
        lines = [line.split() for line in self.logged()]
        return Counter(int(words[1]) for words in lines if words[0] == "end")

    def local_client(self) -> list[int]:
        """The processes of the client on this machine: its guard, itself and its hands."""
        return sorted(pid for pid, line in self.processes().items() if "installed.py" in line and "--master" in line)

    def client_named(self, name: str) -> list[int]:
        """The same of a client that was started by hand."""
        return sorted(pid for pid, line in self.processes().items() if f"--host {name} " in line)

    def client_of(self, host: LabHost) -> list[int]:
        """The same of a host; empty when there is none now."""
        found = sorted(p.pid for p in host.processes(user_only=True) if "--master" in p.words)
        return found if len(found) > 2 else []

    def held_by(self, host: str) -> set[int]:
        """The sets that a host has, as the store knows: at work, and those that wait there for a slot."""
        return self._sets(f"state = 'issued' AND host = '{host}'")

    def at_work(self, host: str = "") -> set[int]:
        """The sets whose worker has begun and not ended: on this host, or anywhere."""
        begun = set(self.times_begun() - self.times_ended())
        return begun & self.held_by(host) if host else begun

    def wait_at_gate(self, host: str = "", slots: int = 0) -> set[int]:
        """Until all slots of this host, or so many in all, are taken by sets above the gate: which ones."""
        limit, slots = int(self.gate_file.read_text()), slots or self.slots

        def found() -> set[int]:
            there = self.at_work(host)
            return there if len(there) == slots and min(there) > limit else set()

        where = host or "this sweep"
        return set(wait_until(found, f"all slots of {where} wait at the gate"))

    def assert_undone(self) -> None:
        """What is done to a sweep that is over proves nothing."""
        assert self.done < self.sets, f"the sweep was over before\n{self.story()}"
        assert self.process
        assert self.process.poll() is None, f"`spe run` had ended before\n{self.story()}"

    def done_by(self, host: str) -> set[int]:
        return self._sets(f"state = 'accepted' AND host = '{host}'")

    @property
    def lost(self) -> set[int]:
        """The sets that have a lost ticket."""
        return self._sets("state = 'lost'")

    @property
    def running(self) -> set[int]:
        return self._sets("state = 'issued'")

    def _sets(self, which: str) -> set[int]:
        return {int(row[0]) for row in self.query(f"SELECT task FROM tickets WHERE {which}", "drill")}

    def tickets(self, host: str, sets: set[int]) -> set[str]:
        """The states of this host's tickets for these sets."""
        rows = self.query(f"SELECT task, state FROM tickets WHERE host = '{host}'", "drill")
        return {str(state) for task, state in rows if int(task) in sets}

    @property
    def failed_attempts(self) -> int:
        return len(self._sets("state IN ('failed', 'rejected')"))

    @property
    def port(self) -> int:
        """Where the master listens now."""
        return urlsplit(wait_until(self._facts, "master.json")["url"]).port or 0

    # -- the end

    def undisturbed(self) -> float:
        """Seconds that such a sweep takes when nothing happens; measured once for each shape."""
        shape = (len(self.hosts), self._clients, len(self.more), self.sets, self.each, self.slots)
        if shape not in _undisturbed:
            plain = Drill(
                self.root / "plain", None, self.hosts, lab=self.lab, sets=self.sets, each=self.each, slots=self.slots,
                yaml=self.yaml, by_hand=self._clients > 0, environment=self.more,
            )  # fmt: skip
            plain.start_run(*(["--hosts", "none"] if self._clients else []))
            for number in range(self._clients):
                plain.start_client(f"plain{number}")
            plain.end()
            plain.wait_for_clients()
            plain.five_checks("nothing")
            _undisturbed[shape] = plain.took
        return _undisturbed[shape]

    def five_checks(self, what: str, times: int = 1, compare: bool = True) -> None:
        """Every set once, all bytes right, no process, no file, a whole store; and the line for the table."""
        done, failed = self.rows("drill"), self.rows("drill", "failed.csv")
        seen = Counter(int(row["x"]) for row in [*done, *failed])
        lost = set(range(1, self.sets + 1)) - set(seen)
        doubled = sum(seen.values()) - len(seen)
        processes, files = self._processes_left(), self._files_left()
        if self.figures:
            plain = self.undisturbed() if compare else 0.0
            numbers = (times, self.sets, len(lost), doubled, plain, self.took, len(processes), len(files))
            self.figures.add(DrillFigures(what, *numbers))
        assert (lost, doubled, failed) == (set(), 0, []), self.story()
        assert [int(row["x"]) for row in done] == list(range(1, self.sets + 1))
        self._check_bytes(done)
        assert not processes, f"{processes}\n{self.story()}"
        assert not files, f"{files}\n{self.story()}"
        with sqlite3.connect(self.runs("drill") / "sweep.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def _check_bytes(self, rows: list[dict[str, str]]) -> None:
        for row in rows:
            here = hashlib.sha256((self.runs("drill") / row["data"]).read_bytes()).hexdigest()
            assert here == row["sum"] == hashlib.sha256(content(int(row["x"]))).hexdigest(), row

    def _processes_left(self) -> list[str]:
        def left() -> list[str]:
            there = [f"{host}: {p.line}" for host in self.hosts for p in host.processes(user_only=True)]
            return [*self.processes().values(), *there]

        end = time.monotonic() + LIMIT
        while (found := left()) and time.monotonic() < end:
            time.sleep(0.05)
        return found

    def _files_left(self) -> list[str]:
        here = [str(path) for place in (self.tmp, self.home, self.cache) for path in place.rglob("*")]
        runs = [str(path) for path in (self.runs("drill") / name for name in ("session", "incoming")) if path.exists()]
        there = [f"{host}: {one}" for host in self.hosts for one in sorted(host.files() ^ self.before[host.name])]
        return [*here, *runs, *there]

    def close(self) -> None:
        for process in [*([self.process] if self.process else []), *self.by_hand]:
            if process.poll() is None:
                process.kill()
                process.wait()
        super().close()


def _take_terminal() -> None:
    """In the new process: the terminal is that of our session, so that its end is told to us."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def signal_to(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        os.kill(pid, number)


__all__ = ["LEASE", "OPEN", "THERE", "Drill", "content", "signal_to", "wait_until"]

"""A sweep in a folder of its own, with hosts that are clients started by hand, and what every drill ends with.

Each host has its own home, cache and temporary folder, and every process a mark in its environment. `checked` looks at
five things: every set once, the bytes of each result right by checksum, no process left, no file left, the
database whole.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from needs import need_program, need_root
from spe.launch import bundle
from waiting import wait_until

from .figures import DrillFigures, Figures

MARK = "SPE_DRILL"
SIZE = 5000  # bytes of a result file
# Writes a line and a file that only this set can have written. WHO, SLEEP, BAD, TURNS (it turns bad after so many
# programs, and then fails each in a moment) and GATE (a file that all wait for) come from the host's environment.
WORK = f"""#!/bin/sh
while [ -n "$GATE" ] && [ ! -e "$GATE" ]; do sleep 0.05; done
echo "$1 ${{WHO:-?}}" >>"$LOG"
if [ -n "$TURNS" ]; then
    echo "$1" >>"$LOG.$WHO"
    [ "$(wc -l <"$LOG.$WHO")" -le "$TURNS" ] || BAD=yes
fi
if [ -n "$BAD" ]; then echo 'libfoo.so.1: cannot open shared object file' >&2; exit 127; fi
[ -z "$SLEEP" ] || sleep "$SLEEP"
yes "set $1" | head -c {SIZE} >out.bin || exit 1
echo "$1"
"""
YAML = """name: t
command: ./work {{ x }}
worker: work
parameters: {grid: {x: {range: [1, SETS]}}}
results: {said: stdout, data: {from: out.bin, as: file}}
listen: 127.0.0.1:0
ping: 1
"""


def content(x: int) -> bytes:
    """What the program writes for x."""
    line = f"set {x}\n".encode()
    return (line * (SIZE // len(line) + 1))[:SIZE]


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A file system of that size at `path`; yields what makes it larger."""
    need_root()
    need_program("mount", "mount")
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "spe-drill", str(path)], check=True)

    def resize(new: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={new}", str(path)], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@dataclass
class LocalHost:
    """A client started by hand under a name, with folders of its own."""

    name: str
    root: Path
    process: subprocess.Popen[bytes]
    more: dict[str, str] = field(default_factory=dict)

    @property
    def said(self) -> str:
        return (self.root / "said").read_text()


class Drill:
    """One sweep and its hosts."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / "sweep"
        self.folder.mkdir(parents=True)
        self.runs = self.folder / "runs" / "t"
        self.log = root / "log"
        self.master: subprocess.Popen[bytes] | None = None
        self.hosts: list[LocalHost] = []
        self.sets = self.starts = 0
        self.began = self.seconds = 0.0

    # -- the sweep

    def sweep(self, sets: int, yaml: str = "", work: str | bytes = WORK) -> Drill:
        self.sets = sets
        own = [line.partition(":")[0] for line in yaml.splitlines()]
        base = "".join(line for line in YAML.splitlines(True) if line.partition(":")[0] not in own)
        (self.folder / "spe.yaml").write_text(base.replace("SETS", str(sets)) + yaml)
        (self.folder / "work").write_bytes(work if isinstance(work, bytes) else work.encode())
        (self.folder / "work").chmod(0o755)
        return self

    def environment(self, place: Path, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH", "SPE_NO_LIST") if name in os.environ}
        for name in ("tmp", "home", "cache"):
            (place / name).mkdir(parents=True, exist_ok=True)
        own = {"HOME": "home", "TMPDIR": "tmp", "XDG_CACHE_HOME": "cache"}
        paths = {name: str(place / folder) for name, folder in own.items()}
        return {**kept, **paths, "SHELL": "/bin/sh", "LOG": str(self.log), MARK: str(self.root), **more}

    def spe(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command of spe, to its end."""
        command = [sys.executable, "-m", "spe", *words]
        environment = self.environment(self.root / "master")
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120)

    def start(self, *words: str, before: Callable[[], None] | None = None) -> Drill:
        """`spe run --hosts none`; returns when it answers. `before`: done in its process first."""
        self.starts += 1
        with self.err.open("wb") as err:
            self.master = subprocess.Popen(
                [sys.executable, "-m", "spe", "run", "--hosts", "none", *words],
                cwd=self.folder, env=self.environment(self.root / "master"),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, preexec_fn=before,
            )  # fmt: skip
        self.began = time.monotonic()
        wait_until(self._announced, "the master is up")
        return self

    def _announced(self) -> bool:
        assert self.master and self.master.poll() is None, self.said
        with contextlib.suppress(FileNotFoundError, ValueError):
            return bool(self.facts["pid"] == self.master.pid)
        return False

    @property
    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.runs / "master.json").read_text())
        return found

    @property
    def err(self) -> Path:
        return self.root / f"err{self.starts}"

    @property
    def said(self) -> str:
        """What the master told the user."""
        return self.err.read_text()

    def host(self, name: str, *options: str, url: str = "", slots: int = 1, **more: str) -> LocalHost:
        """A client with that name. more: of its environment, which its programs see, too."""
        place = self.root / "hosts" / f"{name}-{self.starts}"
        place.mkdir(parents=True, exist_ok=True)
        pyz = place / "spe-client.pyz"
        pyz.write_bytes(bundle.client_pyz())
        facts = self.facts
        words = [sys.executable, str(pyz), "--master", url or facts["url"], "--host", name,
                 "--slots", str(slots), *options]  # fmt: skip
        if facts["fingerprint"] and "--fingerprint" not in options:
            words += ["--fingerprint", facts["fingerprint"]]
        with (place / "said").open("wb") as said:
            process = subprocess.Popen(
                words, env=self.environment(place, **{"WHO": name, **more}), stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL, stderr=said, cwd=place,
            )  # fmt: skip
        assert process.stdin
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(f"{facts['session']}\n".encode())
            process.stdin.close()
        self.hosts.append(LocalHost(name, place, process, more))
        return self.hosts[-1]

    @property
    def gate(self) -> Path:
        """For GATE of the hosts."""
        return self.root / "gate"

    def open_gate(self) -> None:
        """As soon as every host has work: none does it all while others come up."""
        waiting = [(len(self.hosts),)]
        wait_until(lambda: self.query("SELECT count(DISTINCT host) FROM tickets") == waiting, "all hosts have work")
        self.gate.touch()

    def end(self, seconds: float = 180) -> int:
        """Until `spe run` has ended by itself, and its hosts with it; its exit code."""
        assert self.master
        try:
            code = self.master.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the sweep did not end: {self.said}\n{self.states()}") from None
        self.seconds = time.monotonic() - self.began
        for host in self.hosts:
            host.process.wait(60)
        return code

    # -- looking

    def query(self, sql: str) -> list[Any]:
        connection = sqlite3.connect(f"file:{self.runs / 'sweep.db'}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def states(self) -> dict[str, int]:
        return dict(self.query("SELECT state, count(*) FROM tasks GROUP BY state"))

    def done(self) -> int:
        with contextlib.suppress(sqlite3.OperationalError):
            return self.states().get("done", 0)
        return 0

    def rows(self, file: str = "results.csv") -> list[dict[str, str]]:
        with (self.runs / file).open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    def started(self) -> list[tuple[int, str]]:
        """Every start of a program: the set and the host."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(int(line.split()[0]), line.split()[1]) for line in lines]

    def processes(self) -> dict[int, str]:
        """What still runs of this drill."""
        mark = f"{MARK}={self.root}".encode()
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (path / "environ").read_bytes().split(b"\0"):
                    found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def left(self) -> list[str]:
        """Files that clients left."""
        places = [*(self.root / "hosts").glob("*"), self.root / "master"]
        expected = {place / name for place in places for name in ("tmp", "home", "cache", "said")}
        found = [path for place in places for path in place.rglob("*") if path not in expected]
        return [str(path.relative_to(self.root)) for path in found]

    # -- the five things

    def checked(self, failed: Iterable[int] = (), keeps: bool = False) -> Drill:
        """Every set once, right bytes, no process, no file, a whole database."""
        gone = set(failed)
        expected = [x for x in range(1, self.sets + 1) if x not in gone]
        rows = self.rows()
        assert [int(row["x"]) for row in rows] == expected
        for row in rows:
            assert row["said"] == row["x"]
            assert digest(self.runs / row["data"]) == hashlib.sha256(content(int(row["x"]))).hexdigest(), row
        if gone:
            assert {int(row["x"]) for row in self.rows("failed.csv")} == gone
        twice = "SELECT task FROM tickets WHERE state = 'accepted' GROUP BY task HAVING count(*) > 1"
        assert not self.query(twice), "accepted twice"
        wait_until(lambda: not self.processes(), "no process is left", story=self.processes)
        assert keeps or not self.left(), f"files left: {self.left()}"
        assert not (self.runs / "incoming").exists()
        assert not (self.runs / "session").exists()
        assert self.query("PRAGMA integrity_check") == [("ok",)]
        return self

    def close(self) -> None:
        """End what a failed drill left."""
        for process in [self.master, *(host.process for host in self.hosts)]:
            if process and process.poll() is None:
                process.kill()
                process.wait()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def undisturbed(drill: Drill, hosts: Callable[[Drill], object]) -> float:
    """Seconds that the same sweep takes with these hosts when nothing happens."""
    plain = Drill(drill.root.with_name(f"{drill.root.name}-plain"))
    try:
        for name in ("spe.yaml", "work"):
            shutil.copy(drill.folder / name, plain.folder)
        plain.sets = drill.sets
        hosts(plain.start())
        assert plain.end(300) == 0
        plain.checked()
        return plain.seconds
    finally:
        plain.close()


def report(figures: Figures, what: str, drill: Drill, times: int = 1, plain: float = 0.0) -> None:
    """One line of the table, after the checks; with the seconds that the sweep takes when nothing happens."""
    seen = Counter(int(row["x"]) for file in ("results.csv", "failed.csv") for row in drill.rows(file))
    lost, doubled = drill.sets - len(seen), sum(seen.values()) - len(seen)
    left = (len(drill.processes()), len(drill.left()))
    figures.add(DrillFigures(what, times, drill.sets, lost, doubled, plain, drill.seconds, *left))

"""spe as a user uses it: in a folder of its own, as a process, with a home, cache and temporary folder of its own.

Every process of a test carries a mark in its environment. After each `spe` that has ended, Bench looks for marked
processes and for anything in the temporary and the cache folder: a host is left as it was found.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import processes_with
from waiting import wait_until

MARK = "SPE_CLI_BENCH"


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def complaint(self) -> list[str]:
        """The lines of stderr that are not warnings."""
        return [line for line in self.err.splitlines() if not line.startswith("warning: ")]


class Started:
    """A command that runs."""

    def __init__(self, bench: Bench, process: subprocess.Popen[str]) -> None:
        self.bench, self.process = bench, process

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = 60) -> Done:
        """Wait until it has ended; what it left behind is a failure."""
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it did not end within {seconds} s: {self.process.communicate()}") from None
        done = Done(self.process.returncode, out, err)
        assert "Traceback" not in err or "hooks.py" in err, done
        return done


def hears_ctrl_c() -> None:
    """As from a terminal: what starts the tests in the background may have it ignored by all below."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Bench:
    """A folder with a sweep, and spe."""

    def __init__(self, root: Path, folder: str = "sweep") -> None:
        self.root, self.folder = root, root / folder
        self.tmp, self.cache, self.home = root / "tmp", root / "cache", root / "home"
        for one in (self.folder, self.tmp, self.home):
            one.mkdir(parents=True)
        self.log = root / "log"  # what workers tell; a name in their environment
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV", "PYTHONPATH") if name in os.environ}
        self.environment = {
            **kept, "HOME": str(self.home), "SHELL": "/bin/sh", "TMPDIR": str(self.tmp),
            "XDG_CACHE_HOME": str(self.cache), "LOG": str(self.log), "GATE": str(root / "gate"), MARK: str(root),
            "SPE_NO_LIST": "1",
        }  # fmt: skip
        self.keeps = False  # whether the sweep leaves client or worker in the cache on purpose
        self.started: list[Started] = []

    # -- files

    def write(self, name: str, text: str | bytes, mode: int | None = None) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if mode is not None:
            path.chmod(mode)
        return path

    def worker(self, text: str, name: str = "work") -> Path:
        """An executable; a text without #! is for sh."""
        return self.write(name, text if text.startswith("#!") else f"#!/bin/sh\n{text}", 0o755)

    def python(self, text: str, name: str = "work") -> Path:
        return self.worker(f"#!{sys.executable}\n{text}", name)

    def runs(self, name: str | None = None) -> Path:
        return self.folder / "runs" / (name or self.folder.name)

    def rows(self, name: str | None = None, file: str = "results.csv") -> list[dict[str, str]]:
        with (self.runs(name) / file).open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    def column(self, column: str, name: str | None = None) -> list[str]:
        return [row[column] for row in self.rows(name)]

    def logged(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def open_gate(self) -> None:
        """Lets programs go on that wait for it."""
        (self.root / "gate").touch()

    def query(self, sql: str, name: str | None = None) -> list[Any]:
        """Ask sweep.db, also while it is written; nothing where it is not there yet."""
        path = self.runs(name) / "sweep.db"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql).fetchall()
        except sqlite3.OperationalError:  # not yet made
            return []
        finally:
            connection.close()

    # -- commands

    def start(self, *words: str, before: tuple[str, ...] = (), **more: str) -> Started:
        """`spe WORDS`, not waited for. before: words before the Python; more: for its environment."""
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "spe", *words],
            cwd=self.folder, env={**self.environment, **more}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace",
            preexec_fn=hears_ctrl_c,
        )  # fmt: skip
        self.started.append(Started(self, process))
        return self.started[-1]

    def spe(self, *words: str, seconds: float = 60, before: tuple[str, ...] = (), **more: str) -> Done:
        """`spe WORDS` to its end, and nothing is left behind."""
        done = self.start(*words, before=before, **more).end(seconds)
        self.assert_nothing_left(done)
        return done

    def ok(self, *words: str, **more: Any) -> Done:
        """The same, and it succeeds."""
        done = self.spe(*words, **more)
        assert done.code == 0, done
        return done

    def refused(self, *words: str, **more: Any) -> str:
        """`spe WORDS` exits 2 with one to three lines and runs nothing; what it said."""
        before = self.logged()
        done = self.spe(*words, **more)
        assert done.code == 2, done
        assert 1 <= len(done.complaint) <= 3, done
        assert done.complaint[0].startswith("spe: "), done
        assert "Traceback" not in done.err, done
        assert self.logged() == before, done
        return done.err

    # -- processes

    def processes(self) -> dict[int, str]:
        """The processes of this test, and their command lines."""
        return processes_with(f"{MARK}={self.root}")

    def assert_nothing_left(self, done: Done | None = None) -> None:
        if any(one.process.poll() is None for one in self.started):
            return
        # A client of a master that was killed is no child of the next one: it ends a moment after its goodbye.
        wait_until(lambda: not self.processes(), "no process is left", story=lambda: f"{self.processes()}\n{done}")
        places = [self.tmp, self.home] if self.keeps else [self.tmp, self.home, self.cache]
        left = [str(path.relative_to(self.root)) for place in places for path in place.rglob("*")]
        assert not left, f"files left: {left}\n{done}"

    def close(self) -> None:
        """End what a failed test left."""
        for one in self.started:
            if one.process.poll() is None:
                one.process.kill()
                one.process.communicate()
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

"""The project of a week on disk, and real `spe` processes that work on it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from cli.kit import Bench, Done, Started
from processes import is_alive
from spe.results.extraction import canonical
from spe.sweep.sweep import load
from waiting import wait_until

from .model import Broken, Seen
from .plan import HELPER, MAIN, WORKER, Plan

NAME = "week"  # of the first folder: the sweep keeps it when the folder is renamed
ENDED = "SELECT count(*) FROM tickets WHERE state IN ('accepted', 'failed', 'rejected')"


class Project:
    """A folder, the world around it, and what happens in it."""

    def __init__(self, root: Path) -> None:
        self.bench = Bench(root, NAME)
        self.root, self.gate, self.broken = root, root / "gates", root / "broken"
        self.gate.mkdir()
        self.broken.mkdir()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.bench.environment |= {"GATE": str(self.gate), "BROKEN": str(self.broken), "PATH": path}
        self.folders = 1
        self._read = 0  # lines of the log that were seen
        self._written: set[str] = set()

    # -- files

    def write(self, plan: Plan) -> None:
        """The files of the plan, and no others of earlier ones."""
        files = plan.files()
        for name in self._written - set(files):
            (self.bench.folder / name).unlink(missing_ok=True)
        for name, text in files.items():
            path = self.bench.folder / name
            if not path.exists() or path.read_text() != text:
                self.bench.write(name, text)
        if plan.kind == WORKER:
            for name in (MAIN[WORKER], HELPER[WORKER]):
                (self.bench.folder / name).chmod(0o755)
        self._written = set(files)

    def rename_folder(self) -> None:
        """The project lies elsewhere from now on."""
        self.bench.folder = self.bench.folder.rename(self._another())

    def copy_folder(self) -> None:
        """Work goes on in a copy."""
        copy = self._another()
        shutil.copytree(self.bench.folder, copy, symlinks=True)
        self.bench.folder = copy

    def _another(self) -> Path:
        self.folders += 1
        return self.root / f"{NAME}{self.folders}"

    @property
    def runs(self) -> Path:
        return self.bench.runs(NAME)

    # -- the world

    def break_for(self, values: frozenset[str]) -> None:
        """Programs fail for these values, and for no others."""
        for path in self.broken.iterdir():
            path.unlink()
        for value in values:
            (self.broken / value).touch()

    def open_gate(self) -> None:
        (self.gate / "open").touch()

    def close_gate(self, tokens: int) -> None:
        """Only so many programs may go on."""
        (self.gate / "open").unlink(missing_ok=True)
        for path in self.gate.iterdir():
            path.unlink()
        for number in range(tokens):
            (self.gate / f"token.{number}").touch()

    # -- processes

    def start(self, *words: str) -> Started:
        return self.bench.start(*words)

    def spe(self, *words: str) -> Done:
        return self.start(*words).end(180)

    @property
    def started(self) -> int:
        """How many programs were started in all."""
        return len(self.bench.logged())

    def until_held(self, running: Started, tokens: int, ended: int) -> bool:
        """Whether so many programs have ended, their ends are stored, and another one waits at the gate; False: the run
        has ended before."""
        log = self.started

        def held() -> bool:
            # Not by the ends: a client of a killed master may bring some that began before.
            taken = sum(1 for _ in self.gate.glob("taken.*"))
            return taken >= tokens and self.ended() - ended >= tokens and self.started - log > taken

        wait_until(lambda: held() or running.process.poll() is not None, "programs wait at the gate")
        return running.process.poll() is None

    def ended(self) -> int:
        """How many attempts have ended in all."""
        found = self.bench.query(ENDED, NAME)
        return int(found[0][0]) if found else 0

    def out(self) -> list[int]:
        """Numbers of sets whose programs run, or lie ready at the client."""
        return [int(row[0]) for row in self.bench.query("SELECT task FROM tickets WHERE state = 'issued'", NAME)]

    def until_begun(self, running: Started) -> None:
        """Its master is there, or it has ended."""

        def begun() -> bool:
            for path in self.bench.folder.glob("runs/*/master.json"):
                if f'"pid": {running.pid}' in path.read_text():
                    return True
            return running.process.poll() is not None

        wait_until(begun, "the run has begun")

    def interrupt(self, running: Started) -> None:
        """Ctrl-C, and the master has heard it."""
        running.signal(signal.SIGINT)
        assert running.process.stderr
        while line := running.process.stderr.readline():
            if "interrupted" in line:
                return

    def client(self) -> int:
        """The process of the client on this machine: one of this run, or one that lives on from a killed master."""

        def clients() -> list[int]:
            found = [pid for pid, line in self.bench.processes().items() if " --master " in line]
            return sorted(pid for pid in found if _parent_of(pid) not in found)

        return int(wait_until(clients, "the client is there")[0])

    def kill_master(self, running: Started) -> None:
        """Kill the master, once cells of new `results` are extracted: until then they are empty, and told as missing.

        A set may be handed out before that.
        """
        wait_until(lambda: self._is_extracted() or running.process.poll() is not None, "values are extracted")
        running.process.kill()
        running.process.communicate()
        assert not is_alive(running.pid)

    def _is_extracted(self) -> bool:
        """Whether all of today's sets have the cells of today's `results`."""
        found = dict(self.bench.query("SELECT key, value FROM meta WHERE key IN ('plan', 'extracted')", NAME))
        if not found.get("extracted"):
            return False
        plan, spec = json.loads(found["extracted"])
        made_by = self.bench.query(f"SELECT results FROM specs WHERE id = {spec}", NAME)
        return str(plan) == found["plan"] and made_by == [(canonical(load(self.bench.folder).results),)]

    # -- what is there

    def seen(self, code: int | None, done: Done, plan: Plan) -> Seen:
        """What a user finds after a run with --json; code None: its master was killed."""
        starts = [line.partition("#") for line in self.bench.logged()[self._read :]]
        self._read += len(starts)
        seen = Seen(code, f"{done.out}{done.err}", starts=[(int(number), told) for number, _, told in starts])
        if code == 2:
            return seen
        status = self._json("status", "--json") if code is None else done.json
        seen.counts = {key: status[key] for key in ("total", "done", "failed", "cancelled", "waiting", "running")}
        view = self._view(plan)
        if code is None:
            rows = [{name: _shown(cell) for name, cell in row.items()} for row in view]
            seen.failed = [{"number": str(one["number"]), **one["parameters"], "reason": one["reason"]}
                           for one in status["failed_sets"]]  # fmt: skip
        else:
            rows = self._table("results.csv")
            seen.failed = self._table("failed.csv")
            self._compare(rows, view)
        seen.rows = [self._with_files(row, plan) for row in rows]
        return seen

    def _json(self, *words: str) -> Any:
        done = self.spe(*words)
        if done.code:
            raise Broken(f"spe {' '.join(words)}: {done}")
        return done.json

    def _table(self, name: str) -> list[dict[str, str]]:
        path = self.runs / name
        if not path.exists():
            raise Broken(f"{path} is not there")
        return list(csv.DictReader(StringIO(path.read_text(), newline="")))

    def _view(self, plan: Plan) -> list[dict[str, Any]]:
        """The view `results` of the database."""
        connection = sqlite3.connect(f"file:{self.runs / 'sweep.db'}?mode=ro", uri=True, timeout=10)
        try:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM results")]
        finally:
            connection.close()

    @staticmethod
    def _compare(rows: list[dict[str, str]], view: list[dict[str, Any]]) -> None:
        """The table and the view say the same."""
        if len(rows) != len(view):
            raise Broken(f"results.csv has {len(rows)} rows, the view {len(view)}: {view}")
        for row, other in zip(rows, view, strict=True):
            for name, cell in row.items():
                if name != "seconds" and not _same(cell, other[name]):
                    raise Broken(f"results.csv and the view differ in {name}: {row} and {other}")

    def _with_files(self, row: Mapping[str, str], plan: Plan) -> dict[str, str]:
        """The row with the content of its files instead of their paths."""
        found = dict(row)
        for name, result in plan.results.items():
            if result.kind == "file" and found.get(name):
                path = self.runs / found[name]
                if not found[name].startswith(f"files/{row['number']}/") or not path.is_file():
                    raise Broken(f"{name} of set {row['number']}: no such file of it: {found[name]}")
                found[name] = path.read_text()
        return found

    def close(self) -> None:
        self.bench.close()


def _shown(cell: Any) -> str:
    if cell is None:
        return ""
    return f"{cell:g}" if isinstance(cell, float) and cell.is_integer() else str(cell)


def _same(cell: str, other: Any) -> bool:
    if cell == _shown(other):
        return True
    try:
        return float(cell) == float(other)
    except (TypeError, ValueError):
        return False


def _parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has ended meanwhile
        return 0

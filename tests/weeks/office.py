"""A master and pretend clients in one process: real store, dispatch, desk, feeding and judges, without HTTP and SSH.

All that the weeks in memory know of spe's inside is in this file. What a master does between its start and its end is
done here as `Run._with_store` does it, with the parts that it makes for itself.
"""

from __future__ import annotations

import asyncio
import csv
import json
import shutil
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from spe.desk.acts import Acts, Controls
from spe.desk.desk import Desk, TaskRecord
from spe.desk.judging import Judges
from spe.desk.result_files import place_left_over
from spe.earlier.decisions import decide_about_program
from spe.earlier.extract_again import extract_again, outdated, use_results
from spe.earlier.missing import decide_about_missing
from spe.errors import SpeError, UsageError
from spe.hooks.hooks import Hooks
from spe.model import Host
from spe.results.extract import Part
from spe.runner.feeding import Feeding
from spe.runner.options import RunOptions
from spe.runner.tables import write_tables
from spe.runner.wiring import chosen_hosts, copy_programs, load_dispatch, make_brief, program_digest
from spe.session.run_folder import make_run_folder
from spe.session.session import Session
from spe.state.progress import Progress
from spe.store.reader import Reader
from spe.store.store import Store
from spe.sweep.program import ProgramChange
from spe.sweep.sweep import load

from .model import FRESH, KEEP, MISSING, RETRY, Broken, Seen
from .plan import FAILURE, HELPER, MAIN, WORKER, Plan, Program

NAME = "week"
CHANGES = {KEEP: ProgramChange.KEEP, FRESH: ProgramChange.FRESH}


class NoHosts:
    """The hosts of a run that starts none."""

    hosts: Sequence[Host] = ()

    def add(self, hosts: Sequence[Host]) -> None:
        raise AssertionError(hosts)

    def use(self, name: str) -> bool:
        return False


class Asked(Exception):
    """The run did nothing: the program has changed."""


@dataclass
class Held:
    """What a pretend client holds: a ticket, whose it is, and what came of its program."""

    ticket: int
    number: int
    client: str
    session: str
    told: str
    parts: dict[str, bytes]  # {}: the program failed


class Office:
    """The project's folder, and the clients whatever master there is."""

    def __init__(self, root: Path) -> None:
        self.folder = root / NAME
        self.runs = self.folder / "runs" / NAME
        self.folder.mkdir()
        self.starts: list[tuple[int, str]] = []
        self._written: set[str] = set()

    def write(self, plan: Plan) -> None:
        """The files of the project."""
        files = plan.files()
        for name in self._written - set(files):
            (self.folder / name).unlink(missing_ok=True)
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        if plan.kind == WORKER:
            for name in (MAIN[WORKER], HELPER[WORKER]):
                (self.folder / name).chmod(0o755)
        self._written = set(files)

    def take_starts(self) -> list[tuple[int, str]]:
        """Programs that were begun since the last call."""
        starts, self.starts = self.starts, []
        return starts

    def seen(self, code: int | None, plan: Plan, tables: bool) -> Seen:
        """What is there when no master is."""
        with Reader(self.runs) as reader:
            counts = {str(state): count for state, count in reader.counts().items()}
            counts["total"] = sum(counts.values())
            counts["missing"] = reader.missing(1)[0]
            failed = [{"number": str(one.number), **one.values, "reason": one.reason} for one in reader.failed()]
        rows = self._table("results.csv") if tables else self._view()
        failed = self._table("failed.csv") if tables else failed
        return Seen(code, "", counts, [self._with_files(row, plan) for row in rows], failed, self.take_starts())

    def _table(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(StringIO((self.runs / name).read_text(), newline="")))

    def _view(self) -> list[dict[str, str]]:
        connection = sqlite3.connect(f"file:{self.runs / 'sweep.db'}?mode=ro", uri=True)
        try:
            connection.row_factory = sqlite3.Row
            rows = [dict(row) for row in connection.execute("SELECT * FROM results")]
            return [{name: _shown(cell) for name, cell in row.items()} for row in rows]
        finally:
            connection.close()

    def _staged(self) -> dict[str, str]:
        """Place -> where its file lies, of results whose master was killed between their commit and that place.

        The next run or `spe collect` gives these files their places before it does anything else.
        """
        connection = sqlite3.connect(f"file:{self.runs / 'sweep.db'}?mode=ro", uri=True)
        try:
            return {place: path for (moves,) in connection.execute("SELECT moves FROM staged")
                    for place, path in json.loads(moves).items()}  # fmt: skip
        finally:
            connection.close()

    def _with_files(self, row: Mapping[str, str], plan: Plan) -> dict[str, str]:
        found, staged = dict(row), self._staged()
        for name, result in plan.results.items():
            if result.kind == "file" and found.get(name):
                path = self.runs / staged.get(found[name], found[name])
                if not found[name].startswith(f"files/{row['number']}/") or not path.is_file():
                    raise Broken(f"{name} of set {row['number']}: no such file of it: {found[name]}")
                found[name] = path.read_text()
        return found


def _shown(cell: Any) -> str:
    if cell is None:
        return ""
    return f"{cell:g}" if isinstance(cell, float) and cell.is_integer() else str(cell)


class Master:
    """One `spe run` from its start to its end, however that comes."""

    def __init__(self, office: Office, plan: Plan, broken: frozenset[str]) -> None:
        self.office, self.plan, self.broken = office, plan, broken
        self.shift = 0.0  # seconds by which its clock is ahead
        self.cancelled: set[int] = set()
        self.slipped: set[int] = set()
        self.killed = 0

    def clock(self) -> float:
        return time.monotonic() + self.shift

    async def begin(self, mode: str, number: int | None) -> None:
        """Until it serves. Raises Asked."""
        sweep = load(self.office.folder / "spe.yaml")
        sweep.parameters.check()
        folder = self.office.runs
        make_run_folder(folder)
        numbers = () if number is None else (number,)
        change = CHANGES.get(mode, ProgramChange.ASK)
        progress = Progress(quiet=True, by_terminal=False)
        self.sweep, self.folder = sweep, folder
        self.store = Store(folder / "sweep.db")
        try:
            decision = await decide_about_program(
                self.store, sweep, change, progress, folder, numbers if mode == RETRY else None
            )
        except UsageError as error:
            await self._close()
            raise Asked(error.line) from error
        self.session = Session(folder, program_digest(decision))
        await use_results(self.store, sweep.results)
        await self.store.begin_run(1, self.session.resumed)
        await place_left_over(self.store, folder)
        shutil.rmtree(folder / "incoming", ignore_errors=True)
        worker = copy_programs(sweep, self.session)
        self.dispatch = await load_dispatch(self.store, sweep.config, decision)
        self.hooks = Hooks(sweep.folder, sweep.results, sweep.validate, sweep.collect)
        old = await outdated(self.store, sweep.results)
        judges = Judges(sweep.results, sweep.validate, self.hooks, old)
        self.desk = Desk(
            make_brief(sweep, worker, chosen_hosts(sweep, RunOptions())),
            self.dispatch,
            self.store,
            judges,
            folder,
            lambda _: None,
            self.clock,
        )
        self.acts = Acts(self.desk, Controls(NoHosts(), lambda now: None, lambda sentence: None))
        self.progress, self.missing = progress, mode == MISSING
        self.feeding = Feeding(sweep, self.desk, progress, decision, self._renew)
        await self.feeding.read()
        await self.feed()

    async def _renew(self) -> int:
        await extract_again(self.store, self.sweep.results, self.hooks, self.folder)
        return await decide_about_missing(self.store, self.progress, self.missing)

    async def feed(self) -> None:
        while self.dispatch.board.more and len(self.dispatch.board.waiting) < 1000:
            await self.feeding.feed()

    # -- what clients do

    async def register(self, host: str) -> str:
        return (await self.desk.register(host, "linux-x86_64", 2, True)).client

    async def take(self, client: str, count: int) -> list[Held]:
        """The client is given tasks, and begins their programs."""
        await self.feed()
        records = await self.desk.tasks(client, count, 0, lambda: True)
        return [self._begun(record, client) for record in records]

    def _begun(self, record: TaskRecord, client: str) -> Held:
        told, made = self._computed(record)
        number = record.task.number
        self.office.starts.append((number, told))
        return Held(record.ticket.id, number, client, self.session.secrets.session, told, made)

    def _computed(self, record: TaskRecord) -> tuple[str, dict[str, bytes]]:
        """What today's program makes of what it is given; the parts that a client sends."""
        files = {one.name: one.content.decode() for one in record.work.inputs}
        skipped = 1 if self.plan.kind == WORKER else 2
        number, *words = record.work.words[skipped:]
        program = self._program(files)
        about = (program.name, number, " ".join(words), record.work.env["WEEK"])
        told = "|".join((*about, files["in.txt"], files["data.txt"], files["case.txt"]))
        if number in program.fails or number in self.broken:
            return told, {}
        value = int(number) * 10 + program.main % 10
        document = {"a": {"v": value, "w": value + 0.5}, "told": told}
        files = {
            "stdout": f"told={told}\nvalue={value}\n", "side.txt": f"side {told}\n", "out.txt": f"{told}\n" * 3,
            "out.json": json.dumps(document, separators=(",", ":")) + "\n",
        }  # fmt: skip
        parts = {name: files[one.source].encode() for name, one in self.plan.results.items()}
        if not any(one.source == "stdout" for one in self.plan.results.values()):
            parts["stdout"] = files["stdout"].encode()
        return told, parts

    def _program(self, files: Mapping[str, str]) -> Program:
        """The program is in the files that came with the task, or the worker of this master."""
        expected = self.plan.files()
        for name in (MAIN[self.plan.kind], HELPER[self.plan.kind]):
            if name in files and files[name] != expected[name]:
                raise Broken(f"a task came with another {name} than today's")
        return self.plan.program

    async def report(self, held: Held) -> str:
        """What the client is told; of another session it is not let in."""
        if held.session != self.session.secrets.session:
            return "not let in"
        return await self._reported(held)

    async def slip_in(self, held: Held) -> str:
        """The same without a door: what an earlier session computed must do no harm."""
        self.slipped.add(held.number)
        return await self._reported(held)

    async def _reported(self, held: Held) -> str:
        if not held.parts:
            parts = {"stderr": Part.of("stderr", b"cannot\n")}
            await self.desk.failed(held.client, held.ticket, parts, f"exit code {FAILURE}")
            return "noted"
        parts = {name: Part.of(name, data) for name, data in held.parts.items()}
        return await self.desk.complete(held.client, held.ticket, parts)

    # -- how it ends

    async def end(self) -> None:
        """Its session is over, its tables are written."""
        await extract_again(self.store, self.sweep.results, self.hooks, self.folder)
        await asyncio.to_thread(write_tables, self.folder, self.sweep)
        await self.store.close_session()
        self.session.end()
        await self.die()

    async def die(self) -> None:
        """It is gone, and says nothing to anybody."""
        await self.hooks.close()
        await self._close()

    async def _close(self) -> None:
        await asyncio.to_thread(self.store.close)


__all__ = ["Asked", "Held", "Master", "Office", "SpeError"]

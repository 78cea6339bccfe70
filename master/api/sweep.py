"""`spe.Sweep`: a sweep from a Python program, by the same spe.yaml and the same `spe run`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..table.columns import Cell
from ..text import sets as counted_sets
from .engine import Engine
from .progress_line import ProgressLine
from .run import Run
from .typed_rows import TypedRows
from .values import Value, as_text, check_keys, data, set_of

MARK = (
    "# Written by spe.Sweep, and written again by its next run: edit the program, not this file.\n"
)


class Sweep:
    """One program over many parameter sets, described in Python.

    It writes `folder`/spe.yaml and the sets that were added into a file beside it, and runs `spe
    run` there in a process of its own. So all that `spe run` promises is true here: finished sets
    stay, new ones run, and `spe status` in that folder knows the sweep. A run goes on when this
    program ends before it.
    """

    def __init__(
        self,
        command: str,
        *,
        parameters: Any = None,
        folder: str | Path = ".",
        file: str = "spe.yaml",
        **keys: Any,
    ) -> None:
        """Describe it; nothing is written or run.

        `keys`: any other keys of spe.yaml, as mappings, lists, texts and numbers, such as
        `results={"y": "stdout"}, hosts="hosts.txt", timeout="1min"`. `parameters`: as in spe.yaml,
        in place of `add`. Paths are relative to `folder`. Raises UsageError for an unknown key.
        """
        check_keys(keys)
        self.folder, self.path = Path(folder), Path(folder) / file
        self._keys = {"command": command} | keys
        self._parameters = parameters
        self._sets: list[dict[str, Value]] = []
        self._known: set[tuple[str, ...]] = set()  # their values as texts
        self._engine: Engine | None = None
        self._told: set[str] = set()  # what its runs have said of failed sets
        self._is_behind = False  # sets came when the run took none any more

    def __repr__(self) -> str:
        """Return the command, the file, and how many sets were added."""
        given = "parameters=" if self._parameters is not None else counted_sets(len(self._sets))
        runs = ", a run goes on" if self._engine is not None and self._engine.is_alive else ""
        return f"sweep {str(self._keys['command'])!r} of {given}, written to {self.path}{runs}"

    # -- sets

    def add(self, *sets: Mapping[str, Any], **values: Any) -> None:
        """Add parameter sets: `add(x=1)`, or `add({"x": 1}, {"x": 2})`.

        Equal ones are one set. While it runs, they go to that run. Raises UsageError for a set with
        other names than those before.
        """
        if self._parameters is not None:
            todo = "Leave parameters= out, or write all sets there."
            raise UsageError("add() and parameters= exclude each other", todo=todo)
        new = [set_of(one) for one in (*sets, *([values] if values else []))]
        first = (self._sets or new or [{}])[0]
        for one in new:
            if one.keys() != first.keys():
                what = f"a set has {_names(one)}, and the first one {_names(first)}"
                raise UsageError(what, where="add", todo="All sets have the same parameters.")
            if not one:
                raise UsageError("a set has no parameter", where="add", todo="Write add(x=1).")
        for one in new:
            cells = tuple(as_text(one[name]) for name in first)
            if cells not in self._known:
                self._known.add(cells)
                self._sets.append(one)
        if self._engine is not None and not self._is_behind:
            # A loop over the rows of a run that has ended meanwhile begins another one.
            self._is_behind = not (self._engine.is_alive and self._brought())

    def _brought(self) -> bool:
        """Bring all sets to the run that goes on; False where it takes none any more."""
        assert self._engine is not None
        self._write()
        return self._engine.add(self._checked())

    # -- runs

    def run(self) -> Run:
        """Run what is new, wait for it, and return the run, also where sets have failed.

        A line says how far it is: in a notebook, and on a terminal. Ctrl-C lets running tasks
        finish, a second one ends them. Raises ConfigError and UsageError for mistakes, NothingRuns
        where no host came up.
        """
        while True:
            engine = self._started(rows=False)
            with ProgressLine(engine):
                self._ended(engine)
            if not self._is_behind:
                return Run(engine.runs)

    def as_completed(self) -> Iterator[dict[str, Cell]]:
        """Run what is new, and yield the row of each set when it has finished.

        First come the rows of sets that had finished before. A set that failed has no row: after
        the last one, `spe.open(...)` or `run()` tells of it. The run goes on where the loop is left.
        """
        seen = set[Cell]()
        while True:
            for row in self._rows():
                if row["number"] not in seen:
                    seen.add(row["number"])
                    yield row
            if not self._is_behind:
                return

    def _rows(self) -> Iterator[dict[str, Cell]]:
        """Yield the rows of one run."""
        engine = self._started(rows=True)
        typed = TypedRows(self._checked())
        with ProgressLine(engine):
            try:
                for line in engine.lines():
                    yield typed.row(json.loads(line))
            except KeyboardInterrupt:
                engine.interrupt()
                self._ended(engine)
                raise
            self._ended(engine)

    def stop(self, now: bool = False) -> None:
        """End the run: running tasks may finish, unless `now`. Nothing happens where none goes on."""
        if self._engine is not None and self._engine.is_alive:
            self._engine.stop(now)

    def _started(self, rows: bool) -> Engine:
        if self._engine is not None and self._engine.is_alive:
            if not rows:
                return self._engine
            todo = "run() waits for it; or go on with the loop that began it."
            raise UsageError("this sweep runs already", where=str(self.path), todo=todo)
        self._write()
        from ..sweep.sweep import run_folder

        self._engine = Engine(self.path, run_folder(self._checked()), rows, self._told)
        self._is_behind = False
        return self._engine

    def _ended(self, engine: Engine) -> None:
        try:
            engine.wait()
        except KeyboardInterrupt:
            # As `spe run` has it: once more ends the running tasks, too.
            engine.interrupt()
            try:
                engine.wait()
            except KeyboardInterrupt:
                engine.interrupt()
                engine.wait()
            raise

    def _checked(self) -> Any:
        """Return the sweep as `spe run` will read it. Raises ConfigError for what is no sweep."""
        from ..sweep.sweep import load

        return load(self.path)

    # -- files

    def _write(self) -> None:
        """Write spe.yaml and the sets. Raises UsageError where another spe.yaml is in the way."""
        from ..config.yaml_file import written

        self.folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and not self.path.read_text(encoding="utf-8").startswith(MARK):
            todo = "Name another folder=, or another file=; spe.open reads the runs of this one."
            raise UsageError("it was not written by spe.Sweep", where=str(self.path), todo=todo)
        parameters = self._parameters
        if parameters is None:
            if not self._sets:
                raise UsageError("there is no set", todo="add(x=1) adds one, or give parameters=.")
            sets = self.path.with_name(f"{self.path.stem}-sets.jsonl")
            lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in self._sets)
            sets.write_text("".join(lines), encoding="utf-8")
            parameters = sets.name
        keys = {name: value for name, value in self._keys.items() if value is not None}
        document = written(data(keys | {"parameters": parameters}))
        self.path.write_text(MARK + document, encoding="utf-8")


def _names(one: Mapping[str, Any]) -> str:
    return ", ".join(one) or "none"

"""A clean copy of an example, as a fresh clone has it, and `spe run` in it."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 120  # seconds: below the limit of pytest
NOT_IN_A_CLONE = ("runs", "build", "__pycache__")


@dataclass(frozen=True)
class Copy:
    """A copy of one example, beside a copy of workers/."""

    folder: Path
    name: str

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """To the end. One that hangs is interrupted twice, so that its clients go too, and tells what it said."""
        command = [sys.executable, "-m", "spe", "run", *words]
        process = subprocess.Popen(command, cwd=self.folder, text=True, stdout=PIPE, stderr=PIPE)
        try:
            out, err = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            for way in (process.terminate, process.terminate, process.kill):
                way()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
            raise AssertionError(f"not over after {LONGEST} s; it said:\n{process.communicate()[1][-3000:]}") from None
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def rows(self, table: str = "results.csv") -> list[dict[str, str]]:
        with open(self.folder / "runs" / self.name / table, newline="", encoding="utf-8") as lines:
            return list(csv.DictReader(lines))

    def change(self, file: str, old: str, new: str) -> None:
        """Edits a file as a user would; a test whose text is no longer there fails."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r} any more"
        path.write_text(text.replace(old, new), encoding="utf-8")


Copier = Callable[[str], Copy]


def copy_of(name: str, to: Path) -> Copy:
    """The example of this name; "" is the sweep at the top of the project."""
    ignore = shutil.ignore_patterns(*NOT_IN_A_CLONE)
    shutil.copytree(ROOT / "workers", to / "workers", ignore=ignore)
    if not name:
        shutil.copy(ROOT / "spe.yaml", to)
        return Copy(to, "pi")
    folder = to / "examples" / name
    shutil.copytree(ROOT / "examples" / name, folder, ignore=ignore)
    return Copy(folder, name)


def program(path: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Runs a worker as a user would by hand, without spe."""
    command = [os.fspath(path), *map(str, words)]
    return subprocess.run(command, text=True, capture_output=True, timeout=60)

"""A `spe run` in a process of its own, as a Python program sees it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import NothingRuns, SpeError, UsageError
from ..session.calling import act
from ..session.living import living
from ..sweep.sweep import Sweep
from .bring_sets import Ended, add_sets

PAUSE = 0.05  # seconds between two looks for a run that has only just begun
_FAILED = re.compile(r"task \d+ .*failed: |… and \d+ more, all in ")
INTERRUPTED = 128 + signal.SIGINT


class Engine:
    """The run of one spe.yaml, from its start to its end. What it says goes to standard error."""

    def __init__(self, file: Path, runs: Path, rows: bool, told: set[str]) -> None:
        """Start it. `runs`: the folder of the run. `rows`: it prints the rows of the table.

        `told`: what earlier runs of the sweep said of failed sets, which is not said again.
        """
        self.runs, self._file = runs, file
        self._told = told
        self._last = ""  # what was said last and not passed on: a line and those that belong to it
        out = subprocess.PIPE if rows else subprocess.DEVNULL
        self._process = subprocess.Popen(
            self._words(*(["--rows", "json"] if rows else [])),
            cwd=file.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="backslashreplace",
            # A Ctrl-C goes to this program alone, which passes it on: it comes once.
            start_new_session=True,
        )
        assert self._process.stderr
        self._hearing = threading.Thread(
            target=self._hear, args=[self._process.stderr], name="spe.Sweep", daemon=True
        )
        self._hearing.start()

    def _words(self, *more: str) -> list[str]:
        return [sys.executable, "-m", "spe", "run", "--quiet", "--file", self._file.name, *more]

    def _hear(self, stream: IO[str]) -> None:
        """Pass on what the run says, but for its last word: if that is an error, it is raised."""
        for line in stream:
            if self._last and not line.startswith(" "):
                self._pass_on()
            self._last += line

    def _pass_on(self) -> None:
        said = self._last
        self._last = ""
        if said.startswith("see them with `spe log --failed`"):
            said = f"see them with spe.open({str(self.runs)!r}).failed() and .log(NUMBER)\n"
        elif not _FAILED.match(said):
            print(said, end="", file=sys.stderr, flush=True)
            return
        if said not in self._told:
            self._told.add(said)
            print(said, end="", file=sys.stderr, flush=True)

    @property
    def is_alive(self) -> bool:
        """Tell whether the run goes on."""
        return self._process.poll() is None

    def lines(self) -> Iterator[str]:
        """Yield what the run prints, line by line, until its end."""
        assert self._process.stdout
        yield from self._process.stdout

    def add(self, sweep: Sweep) -> bool:
        """Give new sets to the run; False where it takes none any more. Raises UsageError."""
        while self.is_alive and living(self.runs) is None:
            time.sleep(PAUSE)  # it has only just begun
        try:
            add_sets(self.runs, sweep, None)
        except Ended:
            return False
        return True

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def stop(self, now: bool) -> None:
        """End the run; `now`: running tasks, too."""
        if living(self.runs) is None:
            self.interrupt()  # it has only just begun
        else:
            act(self.runs, "stop", now=now)

    def wait(self) -> None:
        """Wait for the end. Raises the error by which the run ended, if it is one."""
        code = self._process.wait()
        self._hearing.join()
        if self._process.stdout:
            self._process.stdout.close()
        if code not in (0, 1, INTERRUPTED):
            raise _error(code, self._last)
        if self._last:
            self._pass_on()


def _error(code: int, said: str) -> SpeError:
    """Return the error that `said`, the end of standard error, tells of."""
    what, _, todo = said.rpartition("spe: ")[2].strip().partition("\n")
    if code == NothingRuns.exit_code:
        return NothingRuns(what, todo=todo.strip())
    if code == UsageError.exit_code:
        return UsageError(what, todo=todo.strip())
    return SpeError(
        f"the run ended by itself with exit code {code}: {what}", todo="See master.log."
    )

"""What a stored set runs, as far as it is known today, and how to run it by hand.

The store has the parameters, the identity and the program of a set, but neither its command nor its
inputs. These are of today's spe.yaml, which is the set's own as long as it gives the set the same
identity. A program may have changed since: then its kept copy is taken, or today's file with a note.
"""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path

from ..errors import SpeError
from ..model import Input, Work
from ..record import record
from ..store.task_details import TaskDetail
from ..sweep.plan import Sweep
from ..sweep.program import changed_parts, names_of, part_of_input, part_of_worker
from .hand_script import HandFile, HandRun, hand_script

# As client/start.py sets them to the cores of a task.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "JULIA_NUM_THREADS",
)
SHOWN = 12  # digits of a SHA-256 for people


@record
class ByHand:
    """What one set runs. `work` is None, and `why_not` says why, where that is not known."""

    work: Work | None = None
    why_not: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    program_today: Mapping[str, str] | None = None  # file -> SHA-256
    notes: tuple[str, ...] = ()  # sentences: what is different by hand
    script: str = ""


def by_hand(task: TaskDetail, folder: Path, load: Callable[[], Sweep]) -> ByHand:
    """Return what a set runs and the script for it.

    `load` returns today's sweep, and `folder` is runs/<name>/, which has copies of programs while a
    run goes on.
    """
    try:
        sweep = load()
        if not _is_set_of(sweep, task):
            return ByHand(why_not=_other_command(task))
        return _Reconstruction(task, folder, sweep).result(sweep.work(task.values))
    # The rest of `spe show` is about the past, which a slip in today's spe.yaml cannot hide.
    except SpeError as error:
        return ByHand(why_not=error.line)


def _is_set_of(sweep: Sweep, task: TaskDetail) -> bool:
    """Tell whether today's sweep gives these parameters the identity of the set."""
    if set(task.values) != set(sweep.recipe.names):
        return False
    return task.key in (sweep.key(task.values), sweep.older_key(task.values))


def _other_command(task: TaskDetail) -> str:
    now = f"; its parameters are set {task.successor} now" if task.successor else ""
    return f"it is of another command, environment or inputs than today's, which are not recorded{now}"


class _Reconstruction:
    """Puts together what one set runs. Lives for one `spe show`."""

    def __init__(self, task: TaskDetail, folder: Path, sweep: Sweep) -> None:
        self.task = task
        self.sweep = sweep
        self.copies = folder.absolute() / "session"  # the lines are pasted anywhere
        self.today = sweep.program()
        # Of a set without a result: what its last attempt ran.
        self.ran = task.program or task.last_program
        self.notes: list[str] = []

    def result(self, work: Work) -> ByHand:
        """Return all of it."""
        environment = {**self._variables(), **work.env}
        files = (*self._worker(), *map(self._input, work.inputs))
        self._compare()
        self.notes += self._software()
        return ByHand(
            work=work,
            environment=environment,
            program_today=self.today,
            notes=tuple(self.notes),
            script=hand_script(HandRun(work.words, environment, files)),
        )

    def _variables(self) -> dict[str, str]:
        """Return the variables that spe sets for every program."""
        tickets = self.task.tickets
        ticket = self.task.accepted_ticket or (tickets[-1].id if tickets else 1)
        own = {"SPE_TASK": str(self.task.number), "SPE_TICKET": str(ticket), "SPE_SLOT": "1"}
        return {**dict.fromkeys(THREADS, str(self.sweep.config.cores)), **own}

    # -- files

    def _worker(self) -> Iterator[HandFile]:
        """Yield the worker's file for this machine."""
        worker = self.sweep.worker
        if worker is None:
            return
        here = f"{platform.system()}-{platform.machine()}".lower()
        file = worker.for_platform(here)
        if file is None:
            other, file = next(iter(worker.files.items()))
            self.notes.append(
                f"there is no worker for this machine ({here}); that of {other} is taken"
            )
        part = next(part_of_worker(one) for one, known in worker.files.items() if known is file)
        yield HandFile(worker.name, b"", self._program(part, file.path), executable=True)

    def _input(self, one: Input) -> HandFile:
        """Return an input."""
        source = self._program(part_of_input(one.name), one.file or one.origin)
        return HandFile(one.name, one.content, source)

    def _program(self, part: str, path: Path | None) -> Path | None:
        """Return the copy of a program that the set ran, where today's file is another one."""
        if not self.ran or part not in self.ran or self.ran[part] == self.today.get(part):
            return path
        copy = self.copies / f"program-{self.ran[part]}"
        if not copy.exists():
            return path
        self.notes.append(
            f"{_name(part, self.sweep)} is a copy of what it was then; it stays until the end of the run"
        )
        return copy

    # -- what is different

    def _compare(self) -> None:
        """Note how the program of the set differs from today's."""
        if not self.task.tickets:
            return
        if self.ran is None:
            self.notes.append("its program is not recorded, so today's is taken")
            return
        for part in changed_parts(self.ran, self.today):
            if not (self.copies / f"program-{self.ran.get(part)}").exists():
                self.notes.append(self._difference(part))

    def _difference(self, part: str) -> str:
        """Return a sentence about a file of the program that is another one today."""
        then = (self.ran or {}).get(part)
        now = self.today.get(part)
        name = _name(part, self.sweep)
        if not now:
            return f"{name} was part of its program (SHA-256 {_short(then)}) and is none of today's"
        if not then:
            return f"{name} is part of today's program (SHA-256 {_short(now)}) and was none of its"
        kept = "; no copy is kept, so today's is taken"
        return f"{name} is another file today: SHA-256 {_short(now)}, then {_short(then)}{kept}"

    def _software(self) -> Iterator[str]:
        """Yield what a host does before it starts programs, and these lines do not."""
        setup = self._setup().strip().splitlines()
        if setup:
            lines = "" if len(setup) == 1 else f" and {len(setup) - 1} more lines"
            yield f"setup: hosts run this before, in a login shell: {setup[0]}{lines}"
        software = self.sweep.software
        if software.venv:
            path = shlex.quote(str(software.venv.path))
            yield f"venv: hosts have the environment of {path} first in PATH: activate one like it before"
        if software.container:
            image = shlex.quote(str(self.sweep.folder / software.container.written))
            yield f"container: hosts run the command by apptainer exec {image}"
        if software.prepare:
            yield (
                "prepare: SPE_PREPARED must name a folder with the worker and the inputs without "
                f"parameters, in which this has run: {shlex.quote(software.prepare.command)}"
            )

    def _setup(self) -> str:
        """Return the setup of the host that ran the set, else that of this machine's platform."""
        last = self.task.tickets[-1].host if self.task.tickets else ""
        own = next((one.setup for one in self.sweep.hosts if one.name == last), None)
        here = f"{platform.system()}-{platform.machine()}".lower()
        return own or self.sweep.setup_for(here) or ""


def _name(part: str, sweep: Sweep) -> str:
    return names_of([part], sweep.worker.name if sweep.worker else "")


def _short(digest: str | None) -> str:
    return (digest or "")[:SHOWN]

"""The command, inputs and program of a stored set, as far as they are known, and how to run it by hand.

The store has the parameters, the identity, the command and the program of a set, but not its inputs.
These are of today's spe.yaml, which is the set's own as long as it gives the set the same identity. A
program may have changed since: then its kept copy is taken, or today's file with a note.
"""

from __future__ import annotations

import os
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
from ..wire.records import unpacked
from .hand_script import HandFile, HandRun, hand_script
from .kept_command import filled

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
    """The command, inputs and program of one set, as far as they are known.

    `why_not`: the reason why there is no script.
    """

    words: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Input, ...] | None = None
    templates: Mapping[str, str] = field(default_factory=dict)  # input -> path of its template
    program_today: Mapping[str, str] | None = None  # file -> SHA-256
    notes: tuple[str, ...] = ()  # sentences: what is different by hand
    script: str = ""
    why_not: str = ""


def by_hand(task: TaskDetail, folder: Path, load: Callable[[], Sweep]) -> ByHand:
    """Return what a set runs and the script for it.

    `load` returns today's sweep, and `folder` is runs/<name>/, which has copies of programs while a
    run goes on.
    """
    try:
        sweep = load()
        if _is_set_of(sweep, task):
            return _Reconstruction(task, folder, sweep).result(sweep.work(task.values))
    # The rest of `spe show` is about the past, which a slip in today's spe.yaml cannot hide.
    except SpeError as error:
        return _without_inputs(task, error.line)
    except OSError as error:  # somebody else's files, or one that went just now
        return _without_inputs(task, f"{error.filename}: {error.strerror}")
    return _without_inputs(task, _other_inputs(task))


def _is_set_of(sweep: Sweep, task: TaskDetail) -> bool:
    """Tell whether today's sweep gives these parameters the identity of the set."""
    if set(task.values) != set(sweep.recipe.names):
        return False
    return task.key in (sweep.key(task.values), sweep.older_key(task.values))


def _other_inputs(task: TaskDetail) -> str:
    now = f"; its parameters are those of task {task.successor} now" if task.successor else ""
    return f"it is of another command, environment or inputs than today's, and inputs are not recorded{now}"


def _without_inputs(task: TaskDetail, why_not: str) -> ByHand:
    """Return what the store alone knows: the command of the set with its variables."""
    if not task.command:  # of an older spe
        return ByHand(why_not=why_not)
    try:
        words, env = filled(task.command, task.values)
    except (SpeError, KeyError):  # of a newer spe, which has other expressions
        return ByHand(why_not=why_not)
    return ByHand(words, {**_variables(task), **env}, why_not=why_not)


def _variables(task: TaskDetail) -> dict[str, str]:
    """Return the variables by which a program knows its task."""
    ticket = task.accepted_ticket or (task.tickets[-1].id if task.tickets else 1)
    return {"SPE_TASK": str(task.number), "SPE_TICKET": str(ticket), "SPE_SLOT": "1"}


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
        threads = dict.fromkeys(THREADS, str(self.sweep.config.cores))
        environment = {**threads, **_variables(self.task), **work.env}
        files = (*self._worker(), *map(self._input, unpacked(work.inputs)))
        self._compare()
        self.notes += self._software()
        return ByHand(
            words=work.words,
            environment=environment,
            inputs=work.inputs,
            templates=self._templates(),
            program_today=self.today,
            notes=tuple(self.notes),
            script=hand_script(HandRun(work.words, environment, files)),
        )

    def _templates(self) -> dict[str, str]:
        """Return the inputs that are made from templates, each with the path of its template."""
        scope = self.sweep.recipe.scope(self.task.values)
        inputs = self.sweep.recipe.inputs
        return {one.name_for(scope): one.template for one in inputs if one.template}

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
        return HandFile(one.name, one.content, source, bool(one.mode & 0o100))

    def _program(self, part: str, path: Path | None) -> Path | None:
        """Return the copy of a program that the set ran, where today's file is another one."""
        if not self.ran or part not in self.ran or self.ran[part] == self.today.get(part):
            return path
        copy = self._copy(part)
        if copy is None:
            return path
        self.notes.append(
            f"{_name(part, self.sweep)} is a copy of what it was then; it stays until the end of the run"
        )
        return copy

    def _copy(self, part: str) -> Path | None:
        """Return the copy of a file that the set ran, as its run keeps it; None without one."""
        path = self.copies / f"program-{(self.ran or {}).get(part)}"
        # Not Path.exists, which raises for a colleague, who may not look into that folder.
        return path if os.access(path, os.R_OK) else None

    # -- what is different

    def _compare(self) -> None:
        """Note how the program of the set differs from today's."""
        if not self.task.tickets:
            return
        if self.ran is None:
            self.notes.append("its program is not recorded, so today's is taken")
            return
        for part in changed_parts(self.ran, self.today):
            if self._copy(part) is None:
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

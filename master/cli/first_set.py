"""The first set on each kind of host, as `spe check` runs it."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config.config import RetrySpec
from ..dispatch.rules import COPY, OneEach
from ..doctor.kinds import HostKind, kinds_of
from ..errors import Fault
from ..model import Ticket
from ..results.extract import NO_MATCH
from ..results.failed_files import FAILED
from ..state.progress import Progress
from ..sweep.identity import Identity
from ..sweep.parameters import Parameters
from ..sweep.sources.blocks import Listed
from ..text import printable
from .doctor import look
from .kind_outcomes import CheckOutcome, KindOutcome
from .same_faults import HostFault, paragraphs

if TYPE_CHECKING:
    from ..errors import LaunchError, NothingRuns
    from ..runner.run import RunOptions
    from ..store.reader import Reader
    from ..store.task_details import TaskDetail
    from ..sweep.sweep import Sweep

MOST_READ = 10_000_000  # bytes of the files of a set that failed
TASKS_A_HOST = 3  # more than a check can use: an attempt that is lost with its host is made again


class CheckProgress(Progress):
    """The progress of a check: it keeps what is wrong with hosts until all is known."""

    def __init__(self, quiet: bool) -> None:
        super().__init__(quiet)
        self.faults: dict[str, LaunchError] = {}  # of hosts that are not up, as far as it was told
        self.paragraphs: list[str] = []  # about hosts that lack the software of the sweep

    def fault(self, text: str) -> None:
        """Keep it: all that is wrong with hosts stands at the end, and once."""
        self.paragraphs.append(text)

    def host_fault(self, host: str, error: LaunchError) -> None:
        """Keep it: hosts with the same fault are named in one paragraph."""
        self.faults[host] = error

    def plan(self, total: int, done: int, failed: int, cancelled: int = 0) -> None:
        """Say nothing: the number of copies of the first set is of no interest."""


def run_first_set(sweep: Sweep, options: RunOptions, each: bool, quiet: bool) -> CheckOutcome:
    """Run the first set once on each kind of host, in a scratch folder. `each`: on each host."""
    from ..runner.wiring import chosen_hosts

    hosts = chosen_hosts(sweep, options)
    # The user asks whether all hosts come up, whatever the set needs.
    options = dataclasses.replace(options, try_all_hosts=True, after_hook="spe check")
    if len(hosts) < 2:  # nothing to be told apart, so nothing is looked at
        kinds = [HostKind(tuple(host.name for host in hosts))]
        return _run(first_set_alone(sweep), options, kinds, CheckProgress(quiet))
    # What is wrong with a host is the run's to find out: it bears slow hosts for longer.
    examined = asyncio.run(look(sweep, hosts, options, quiet=True, warn=lambda text: None))
    kinds = kinds_of(examined, each)
    rule = OneEach({host: kind.hosts[0] for kind in kinds for host in kind.hosts})
    options = dataclasses.replace(options, one_each=rule)
    only = first_set_alone(sweep, TASKS_A_HOST * len(hosts))
    return _run(only, options, kinds, CheckProgress(quiet))


def _run(
    only: Sweep, options: RunOptions, kinds: Sequence[HostKind], progress: CheckProgress
) -> CheckOutcome:
    from ..errors import NothingRuns
    from ..runner.run import Run

    stranded: NothingRuns | None = None
    # Not below runs/: nothing of it is kept, and a run of this sweep may go on there.
    with tempfile.TemporaryDirectory(prefix="spe-check-") as scratch:
        folder = Path(scratch)
        try:
            outcome = asyncio.run(Run(only, options, progress, folder).run())
        except NothingRuns as error:
            stranded = NothingRuns(error.what, todo=_todo(error), faults=error.faults)
        except BaseException:
            order = [host for kind in kinds for host in kind.hosts if host in progress.faults]
            told = {host: progress.faults[host] for host in order}
            click.echo(paragraphs(_faults(told)), err=True, nl=False)
            raise
        found = _found(kinds, options.one_each, folder, only)
    if stranded:
        return CheckOutcome(
            found, _faults(stranded.faults), told=progress.paragraphs, stranded=stranded
        )
    return CheckOutcome(
        found, _faults(outcome.faults), outcome.interrupted, told=progress.paragraphs
    )


def _todo(error: NothingRuns) -> str:
    """Return what to do when no host can work, for the user of `spe check`."""
    seen = any(one.fault is Fault.SOFTWARE or "setup" in one.detail for one in error.faults.values())
    look = "" if seen else "; `spe doctor` looks at all of them"
    return f"Mend what is said above for one host, then `spe check` again{look}."


def _faults(errors: Mapping[str, LaunchError]) -> list[HostFault]:
    return [
        HostFault(host, str(error.fault), error.detail, error.todo)
        for host, error in errors.items()
    ]


def _found(
    kinds: Sequence[HostKind], rule: OneEach | None, folder: Path, sweep: Sweep
) -> list[KindOutcome]:
    """Return what the scratch folder has of each kind."""
    from ..store.reader import Reader

    with Reader(folder) as reader:
        if rule is None:
            task = reader.task(1)
            ticket = task.tickets[-1] if task.tickets else None
            return [KindOutcome(kinds[0], task, ticket, _near(sweep, task, folder))]
        return [_of_kind(kind, rule.tickets(kind.hosts[0]), reader, sweep) for kind in kinds]


def _near(sweep: Sweep, task: TaskDetail, folder: Path) -> str:
    """Return the lines that a regex without a match may have meant; "" for other outcomes."""
    from ..results.near_lines import near_lines

    spec = next((one for one in sweep.results if f"{one.name}: {NO_MATCH}" in (task.reason or "")), None)
    if spec is None or spec.regex is None or not task.tickets:
        return ""
    scope = sweep.recipe.scope(task.values)
    source = next(one.source for one in sweep.sources.of(scope) if one.name == spec.name)
    data = task.tickets[-1].stdout
    if source != "stdout":
        data = _read(folder / FAILED / str(task.number) / source)
    is_near, lines = near_lines(data.decode("utf-8", "replace"), spec.regex)
    if not lines:
        return f"{source} has no lines\n"
    head = f"lines of {source} that are near:" if is_near else f"{source} begins:"
    return "\n".join([head, *(f"  {printable(line)}" for line in lines)]) + "\n"


def _read(path: Path) -> bytes:
    """Return what is kept of a file; nothing where it was too large to be kept."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_READ)
    except OSError:
        return b""


def _of_kind(
    kind: HostKind, tickets: Sequence[Ticket], reader: Reader, sweep: Sweep
) -> KindOutcome:
    if not tickets:
        return KindOutcome(kind)
    task = reader.task(tickets[-1].task)
    near = _near(sweep, task, reader.folder)
    values = {name: text for name, text in task.values.items() if name != COPY}
    task = dataclasses.replace(task, number=1, values=values)  # the set that it is a copy of
    ticket = next((one for one in task.tickets if one.id == tickets[-1].id), None)
    return KindOutcome(kind, task, ticket, near)


def first_set_alone(sweep: Sweep, copies: int = 1) -> Sweep:
    """Return a sweep whose sets are `copies` times the first set of this one.

    It tries each copy once, makes the table alone, and hands work to hosts that are loaded, too.
    """
    names = sweep.parameters.names
    cells = tuple(sweep.parameters.check().first.values[name] for name in names)
    blocks = [Listed(names, [cells])]
    recipe, identity = sweep.recipe, sweep.identity
    if copies > 1:
        blocks.append(Listed((COPY,), [(str(number),) for number in range(1, copies + 1)]))
        recipe = dataclasses.replace(recipe, names=(*recipe.names, COPY))
        identity = Identity(recipe)
    # Without the collect hooks: they may write where the user keeps results.
    config = dataclasses.replace(sweep.config, collect=("table",))
    # A failure is what is looked for, so it is not repeated.
    config = dataclasses.replace(config, attempts=1, once=True, max_load=None, stop_after=None)
    # Of a file in which a regex finds nothing, lines are shown.
    config = dataclasses.replace(config, retry=RetrySpec(), keep_failed=MOST_READ)
    return dataclasses.replace(
        sweep, parameters=Parameters(blocks), recipe=recipe, identity=identity, config=config
    )

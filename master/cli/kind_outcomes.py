"""Outcomes of the first set on each kind of host, and the words of `spe check` about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..doctor.kinds import HostKind
from ..errors import Fault, NothingRuns
from ..model import TaskState, TicketState
from ..record import record
from ..text import named, printable
from .common import CLIP, table
from .same_faults import MOST_NAMED, HostFault, grouped, paragraphs
from .show import record as task_record

if TYPE_CHECKING:
    from ..store.task_details import TaskDetail, TicketRow

LAST_LINES = 40  # of a program that failed


@record
class KindOutcome:
    """The outcome of the set on one kind of host."""

    kind: HostKind
    task: TaskDetail | None = None  # None: it was not handed out
    ticket: TicketRow | None = None  # the attempt that counts
    near: str = ""  # lines that a regex without a match may have meant

    @property
    def is_done(self) -> bool:
        return self.task is not None and self.task.state is TaskState.DONE

    @property
    def has_failed(self) -> bool:
        """False too while it is not known: it was called back, or not run at all."""
        return self.task is not None and self.task.state is TaskState.FAILED

    @property
    def host(self) -> str:
        """The host that ran the set, "" where none did."""
        return self.ticket.host if self.ticket else ""

    @property
    def values(self) -> dict[str, str]:
        """The results that are no files, by name."""
        return {o.name: o.value for o in self.task.outputs if not o.file} if self.task else {}

    @property
    def last_words(self) -> str:
        """Return the last words of the program and the files that it left, as lines with their ends."""
        # The last attempt says enough: earlier ones were lost, or failed in the same way.
        if self.ticket is None:
            return ""
        text = self.near
        if self.ticket.stderr:
            lines = self.ticket.stderr.decode("utf-8", "replace").splitlines()
            text += "".join(f"{line}\n" for line in lines[-LAST_LINES:])
        if self.ticket.files:
            text += f"its directory had: {self.ticket.files.summary()}\n"
        return text

    @property
    def reason(self) -> str:
        """Why it is not done."""
        if self.ticket is None or self.task is None:
            return "it was not run"
        if self.ticket.state == TicketState.LOST:
            return self.task.reason or "its client was lost while it ran"
        return self.task.reason or self.ticket.reason or "it was not run"

    def record(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "hosts": list(self.kind.hosts),
            "platform": self.kind.platform or None,
            "python": self.kind.python or None,
            "shared_home": list(self.kind.home),
            "ran_on": self.host or None,
            "done": self.is_done,
            "set": task_record(self.task) if self.task else None,
        }


@record
class CheckOutcome:
    """The outcome of a check: the set on each kind, and the hosts that cannot work."""

    kinds: Sequence[KindOutcome]
    faults: Sequence[HostFault]
    interrupted: bool = False
    told: Sequence[str] = ()  # paragraphs about hosts that lack the software of the sweep
    stranded: NothingRuns | None = None  # no host could work

    @property
    def tried(self) -> list[KindOutcome]:
        """The kinds of which a host came up: of the others the faults tell."""
        down = {fault.host for fault in self.faults}
        return [one for one in self.kinds if one.ticket or not down.issuperset(one.kind.hosts)]

    @property
    def exit_code(self) -> int:
        """0: all is well. 1: the set failed somewhere, or a host cannot work. 3: no host could.
        130: Ctrl-C.
        """
        if self.stranded:
            return self.stranded.exit_code
        if self.interrupted:
            return 130
        return 1 if self.faults or not all(one.is_done for one in self.kinds) else 0

    def record(self) -> dict[str, object]:
        """Return it for programs; `set` is the first kind's."""
        tasks = [one.task for one in self.kinds if one.task]
        return {
            "set": task_record(tasks[0]) if tasks else None,
            "exit_code": self.exit_code,
            "kinds": [one.record() for one in self.kinds],
            "faults": [
                {"host": one.host, "fault": one.fault, "what": one.what, "todo": one.todo}
                for one in self.faults
            ],
        }


# -- what is said of it


def show(outcome: CheckOutcome) -> None:
    """Show what came of the set, and which hosts cannot work."""
    kinds = outcome.kinds
    if outcome.stranded:
        _show_faults(outcome)
        return
    if len(kinds) == 1 and len(kinds[0].kind.hosts) < 2:
        click.echo("" if _was_cut_short(outcome, kinds[0]) else _alone(kinds[0]), nl=False)
    else:
        tried = [one for one in outcome.tried if not _was_cut_short(outcome, one)]
        click.echo("".join(map(_line, tried)), nl=False)
        click.echo(_differences(tried), nl=False)
        click.echo("".join(map(_failure, _failures(tried))), nl=False)
    _show_faults(outcome)
    click.echo(_cut_short(outcome), nl=False)


def _cut_short(outcome: CheckOutcome) -> str:
    """Return the line that tells where an interrupt has ended the set."""
    short = [one for one in outcome.kinds if _was_cut_short(outcome, one)]
    if not short:
        return ""
    where = [one.host for one in short if one.host]
    if not where:
        return "interrupted: set 1 was not run\n"
    return f"interrupted: set 1 was ended on {named(where, MOST_NAMED)} before it was done\n"


def _was_cut_short(outcome: CheckOutcome, one: KindOutcome) -> bool:
    """Tell whether the user has ended the check before the outcome on this kind was known."""
    return outcome.interrupted and not (one.is_done or one.has_failed)


def _show_faults(outcome: CheckOutcome) -> None:
    """Show which hosts cannot work. Those that lack the software have paragraphs that tell more."""
    others = [one for one in outcome.faults if one.fault != Fault.SOFTWARE or not outcome.told]
    click.echo(paragraphs(others), err=True, nl=False)
    for text in outcome.told:
        click.echo(f"\n{text}", err=True)


def _alone(one: KindOutcome) -> str:
    """Return what became of the set where there is one host."""
    if one.is_done:
        assert one.task is not None
        cells = ((o.name, o.value, o.size) for o in one.task.outputs)
        return f"{_ran(one)}\n" + table(["result", "value", "bytes"], cells)
    return f"set 1 failed: {one.reason}\n{one.last_words}"


def _ran(one: KindOutcome) -> str:
    assert one.ticket is not None
    return f"set 1 ran on {one.host} in {one.ticket.seconds or 0:.3f} s"


def _line(one: KindOutcome) -> str:
    """Return the line of a kind: its hosts, and what became of the set on one of them."""
    if not one.is_done:
        where = f" on {one.host}" if one.host else ""
        return f"{one.kind.title}: set 1 failed{where}\n"
    values = ", ".join(f"{name}={_cut(value)}" for name, value in one.values.items())
    return f"{one.kind.title}: {_ran(one)}{': ' if values else ''}{values}\n"


def _cut(value: str) -> str:
    text = printable(value)
    return text if len(text) <= CLIP else text[: CLIP - 1] + "…"


def _differences(kinds: Sequence[KindOutcome]) -> str:
    """Return a paragraph that names results which differ, although it is the same set."""
    done = [one for one in kinds if one.is_done]
    names = done[0].values if done else {}
    differ = [name for name in names if len({one.values.get(name) for one in done}) > 1]
    if not differ:
        return ""
    what = "result" if len(differ) == 1 else "results"
    head = f"\nnot the same on all of them, although it is the same set: {what} {named(differ)}\n"
    return head + "".join(f"  {name}: {_values(name, done)}\n" for name in differ)


def _values(name: str, done: Sequence[KindOutcome]) -> str:
    """Return the values of a result, each with the hosts that had it: `1.25 (lab2); 1.3 (big)`."""
    ways = grouped(done, lambda one: one.values.get(name))
    return "; ".join(
        f"{_cut(way[0].values.get(name) or 'nothing')} ({named([one.host for one in way])})"
        for way in ways
    )


def _failures(kinds: Sequence[KindOutcome]) -> list[list[KindOutcome]]:
    """Return the failures, in groups of those that look the same."""
    failed = [one for one in kinds if not one.is_done]
    return grouped(failed, lambda one: (one.reason, one.last_words))


def _failure(same: Sequence[KindOutcome]) -> str:
    """Return the paragraph of equal failures: their hosts, the reason, the program's last lines."""
    hosts = named([one.host or named(one.kind.hosts) for one in same], MOST_NAMED)
    return f"\nset 1 failed on {hosts}: {same[0].reason}\n{same[0].last_words}"

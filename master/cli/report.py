"""What `spe run` says at its end: the table of results on stdout, the statistics on stderr."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..dispatch.shortfall import Reason, records
from ..store.reader import Reader
from ..store.statistics import HostWork, Statistics
from ..text import shown, time_of_day
from .common import print_json, table

if TYPE_CHECKING:
    from ..runner.run import Outcome  # late: `spe status` needs no web server

ROWS, FAILED = 10, 5


def report(outcome: Outcome, json_: bool, quiet: bool) -> None:
    """Print how a run ended."""
    if json_:
        print_json(record(outcome))
        return
    with Reader(outcome.folder, outcome.database) as reader:
        _results(reader, outcome.statistics, quiet)
        if not quiet:
            click.echo(summary(outcome.statistics), err=True, nl=False)
        _failures(reader, outcome.statistics)
    _missing(outcome)
    _rest(outcome)
    click.echo(str(outcome.folder / "results.csv"))


def record(outcome: Outcome) -> dict[str, object]:
    """The end of a run for programs."""
    return {
        "results": str(outcome.folder / "results.csv"),
        "exit_code": outcome.exit_code,
        "interrupted": outcome.interrupted,
        "collect_faults": list(outcome.gather_faults),
        "hosts_not_heard_from": list(outcome.unheard),
        "hosts_benched": dict(outcome.benched),
        "waiting_because": records(outcome.waiting_because),
        **statistics_record(outcome.statistics),
    }


def statistics_record(statistics: Statistics) -> dict[str, object]:
    """The sweep in numbers, for programs."""
    return dataclasses.asdict(statistics)


def _results(reader: Reader, statistics: Statistics, quiet: bool) -> None:
    if quiet or not statistics.done:
        return
    head = ["number", *reader.parameters, *reader.results, "host", "seconds", "attempts"]
    rows = [
        [r.number, *(r.values.get(p, "") for p in reader.parameters),
         *(r.outputs[n].value if n in r.outputs else "" for n in reader.results),
         r.host, f"{r.seconds:.3f}", r.attempts]
        for r in islice(reader.rows(), ROWS)
    ]  # fmt: skip
    click.echo(table(head, rows), nl=False)
    if statistics.done > ROWS:
        click.echo(f"… and {statistics.done - ROWS} more")


def summary(s: Statistics, most: int | None = None) -> str:
    """Who did what, for people; at most so many hosts."""
    text = f"\n{s.done} of {s.total} sets done, {s.failed} failed"
    text += f", {s.cancelled} cancelled" if s.cancelled else ""
    text += f", {s.missing} with an empty cell" if s.missing else ""
    text += f", {s.uncollected} not collected" if s.uncollected else ""
    text += f", {s.running} running, {s.waiting} waiting" if s.running or s.waiting else ""
    if s.hosts:  # else the run had nothing to do, and nothing is counted
        text += f"; {s.retries} {'retry' if s.retries == 1 else 'retries'}, {s.cpu:.1f} s of processor time"
        text += f", efficiency {100 * s.efficiency:.0f} %" if s.efficiency is not None else ""
    text += "\n" + (hosts_table(s.hosts[:most]) if s.hosts else "")
    return text + (f"… and {len(s.hosts) - most} more hosts\n" if most is not None and len(s.hosts) > most else "")


def hosts_table(hosts: tuple[HostWork, ...]) -> str:
    """One line a host."""
    head = ["host", "tasks", "seconds", "failures", "lost", "last word"]
    return table(head, [[h.host, h.tasks, f"{h.seconds:.1f}", h.failures, h.lost, time_of_day(h.heard)] for h in hosts])


def _failures(reader: Reader, statistics: Statistics) -> None:
    for row in islice(reader.failed(), FAILED):
        click.echo(
            f"task {row.number} ({shown(row.values)}) {row.sentence}",
            err=True,
        )
    failed = statistics.failed + statistics.cancelled
    if failed > FAILED:
        click.echo(f"… and {failed - FAILED} more, all in {reader.folder / 'failed.csv'}", err=True)
    if failed:
        click.echo("see them with `spe log --failed`; try them again with `spe retry`", err=True)


def _missing(outcome: Outcome) -> None:
    if outcome.statistics.missing:
        click.echo(f"spe: {empty_cells(outcome.folder)}; `spe run --missing` runs them", err=True)


def empty_cells(folder: Path) -> str:
    """Which sets have an empty cell, for people."""
    from ..earlier.missing import NAMED, sentence

    with Reader(folder) as reader:
        return sentence(*reader.missing(NAMED))


def uncollected(statistics: Statistics) -> str:
    """How many sets no collect function has got, and what to do, for people."""
    sets = "1 set is" if statistics.uncollected == 1 else f"{statistics.uncollected} sets are"
    return f"{sets} not collected, as a collect function failed; mend it, then: spe collect"


def _rest(outcome: Outcome) -> None:
    for fault in outcome.gather_faults[:FAILED]:
        click.echo(f"spe: {fault}", err=True)
    if len(outcome.gather_faults) > FAILED:
        click.echo(f"… and {len(outcome.gather_faults) - FAILED} more calls of a collect hook went wrong", err=True)
    if outcome.statistics.uncollected:
        click.echo(f"spe: {uncollected(outcome.statistics)}", err=True)
    for host in outcome.unheard:
        click.echo(
            f"{host}: its client did not say that it is gone; look there for processes and files of spe", err=True
        )
    for host, what in outcome.benched.items():
        click.echo(f"{host}: benched in this run: {what}", err=True)
    if outcome.stopped:
        click.echo(outcome.stopped, err=True)
    if outcome.waiting_because:
        click.echo(waiting(outcome.waiting_because), err=True, nl=False)


def waiting(because: Sequence[Reason]) -> str:
    """Why sets wait after a run, a line for each reason; "" when none does."""
    lines = [one.line for one in because]
    return "".join(f"{line}\n" for line in [*lines, "`spe run` goes on where it stopped"]) if lines else ""

"""The end of `spe run`: the table of results on stdout, the statistics on stderr."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..dispatch.shortfall import GIVEN_UP, Reason, records
from ..store.reader import Reader
from ..store.statistics import FailureGroup, HostWork, Statistics
from ..text import counted, named, set_counts, shown, time_of_day
from .common import print_json, table

if TYPE_CHECKING:
    from ..errors import NothingRuns
    from ..results.table_files import ResultRow
    from ..runner.run import Outcome  # late: `spe status` needs no web server


ROWS = 10  # rows of the table that are printed
FAILED = 5  # reasons of failed sets that are told; failed.csv has all sets


def report(outcome: Outcome, json_: bool, quiet: bool) -> None:
    """Print how a run ended."""
    if json_:
        _print_record(outcome)
        return
    with Reader(outcome.folder, outcome.database) as reader:
        _results(reader, outcome.statistics, quiet)
    if not quiet:
        click.echo(summary(outcome.statistics), err=True, nl=False)
    _troubles(outcome)
    # Last on stdout, also with -q: `$(spe run -q | tail -1)` is the table.
    click.echo(str(outcome.folder / "results.csv"))


def _troubles(outcome: Outcome) -> None:
    """Tell what went wrong, also with -q, which means: only that."""
    with Reader(outcome.folder, outcome.database) as reader:
        _failures(reader, outcome.statistics)
    _missing(outcome)
    _collect_faults(outcome)
    _rest(outcome)


def _print_record(outcome: Outcome, one_line: bool = False) -> None:
    """Print the end of a run for programs."""
    with Reader(outcome.folder, outcome.database) as reader:
        reasons = reason_records(reader.failure_groups())
    print_json({**record(outcome), "failed_reasons": reasons}, one_line)


def report_beside(outcome: Outcome, json_: bool, quiet: bool) -> None:
    """Print how a run ended whose stdout is for what `--lines` or `--rows` prints: on stderr.

    With `json_` (and `--rows json`), the summary is one line more on stdout.
    """
    for sentence in outcome.unprinted:
        click.echo(f"spe: {sentence}", err=True)
    if json_:
        _print_record(outcome, one_line=True)
        return
    if not quiet:
        click.echo(summary(outcome.statistics), err=True, nl=False)
    _troubles(outcome)
    if not quiet:
        click.echo(str(outcome.folder / "results.csv"), err=True)


def report_stranded(folder: Path, error: NothingRuns, one_line: bool = False) -> None:
    """Print for programs how a run ended in which no host could work."""
    from ..errors import HostBenched
    from ..runner.outcome import Outcome

    benched = {host: one.what for host, one in error.faults.items() if isinstance(one, HostBenched)}
    with Reader(folder) as reader:
        outcome = Outcome(
            folder,
            reader.statistics(),
            interrupted=False,
            began=0,
            waiting_because=reader.waiting_because(),
            benched=benched,
            faults=error.faults,
            stranded=error.what,
        )
    _print_record(outcome, one_line)


def record(outcome: Outcome) -> dict[str, object]:
    """Return the end of a run, for programs."""
    return {
        "results": str(outcome.folder / "results.csv"),
        "exit_code": outcome.exit_code,
        "interrupted": outcome.interrupted,
        "collect_faults": list(outcome.gather_faults),
        "hosts_not_heard_from": list(outcome.unheard),
        "hosts_benched": dict(outcome.benched),
        "hosts_set_aside": dict(outcome.aside),
        "faults": [
            {"host": host, "fault": str(one.fault), "what": one.detail, "todo": one.todo}
            for host, one in outcome.faults.items()
        ],
        "waiting_because": records(outcome.waiting_because),
        **statistics_record(outcome.statistics),
    }


def statistics_record(statistics: Statistics) -> dict[str, object]:
    """Return the sweep in numbers, for programs."""
    return dataclasses.asdict(statistics)


def _results(reader: Reader, statistics: Statistics, quiet: bool) -> None:
    if quiet or not statistics.done:
        return
    head = ["number", *reader.parameters, *reader.results, "host", "seconds", "attempts"]
    # The first rows alone: a table of a million would scroll away everything else.
    rows = [_row(reader, row) for row in islice(reader.rows(), ROWS)]
    click.echo(table(head, rows), nl=False)
    if statistics.done > ROWS:
        click.echo(f"… and {statistics.done - ROWS} more")


def _row(reader: Reader, row: ResultRow) -> list[object]:
    """Return one set as a row of the table."""
    values = [row.values.get(name, "") for name in reader.parameters]
    cells = [_value(row, name) for name in reader.results]
    return [row.number, *values, *cells, row.host, f"{row.seconds:.3f}", row.attempts]


def _value(row: ResultRow, name: str) -> str:
    """Return a result; an empty cell where `results` has named it only since the set was done."""
    return row.outputs[name].value if name in row.outputs else ""


def summary(s: Statistics, most: int | None = None) -> str:
    """Return who did what, for people; at most so many hosts."""
    text = "\n" + _numbers(s)
    if not s.hosts:  # the run had nothing to do
        return text + "\n"
    text += f"; {_work(s)}\n{hosts_table(s.hosts[:most])}"
    if most is not None and len(s.hosts) > most:
        text += f"… and {len(s.hosts) - most} more hosts\n"
    return text


def _numbers(s: Statistics) -> str:
    """Return how many sets are in which state."""
    others = ((s.missing, "with an empty cell"), (s.uncollected, "not collected"))
    return set_counts(
        s.done,
        s.total,
        s.failed,
        s.running,
        s.waiting,
        cancelled=s.cancelled,
        paused=s.paused,
        others=others,
    )


def _work(s: Statistics) -> str:
    """Return retries, processor time and efficiency, for people."""
    text = f"{counted(s.retries, 'retry', 'retries')}, {s.cpu:.1f} s of processor time"
    if s.efficiency is not None:
        text += f", efficiency {100 * s.efficiency:.0f} %"
    return text


def hosts_table(hosts: tuple[HostWork, ...]) -> str:
    """Return a table with one line a host."""
    head = ["host", "done", "seconds", "failed", "lost", "last word"]
    rows = []
    for h in hosts:
        heard = time_of_day(h.heard)
        rows.append([h.host, h.tasks, f"{h.seconds:.1f}", h.failures, h.lost, heard])
    return table(head, rows)


def _failures(reader: Reader, statistics: Statistics) -> None:
    failed = statistics.failed + statistics.cancelled
    if not failed:
        return
    groups = reader.failure_groups()
    for line in failure_lines(groups):
        click.echo(line, err=True)
    if more := failed - sum(group.count for group in groups[:FAILED]):
        click.echo(f"… and {more} more, all in {reader.folder / 'failed.csv'}", err=True)
    for line in _what_to_do(failed, reader.refused()):
        click.echo(line, err=True)


def _what_to_do(failed: int, refused: int) -> list[str]:
    """Return what to do about so many failed sets, of which `refused` have a stored result."""
    lines = []
    if refused < failed:
        lines.append("see them with `spe log --failed`; try them again with `spe retry`")
    if refused:
        these = counted(refused, "of them has", "of them have")
        if refused == failed:
            these = "it has" if failed == 1 else "they have"
        what = f"{these} a stored value that `results` refuses"
        lines.append(f"{what}: correct `results`, then `spe run` takes it; `spe retry` would compute it again")
    return lines


def failure_lines(groups: Sequence[FailureGroup]) -> list[str]:
    """Return the most frequent reasons of failed sets, a line each, for people."""
    return [_failure_line(group) for group in groups[:FAILED]]


def _failure_line(group: FailureGroup) -> str:
    first = f"task {group.first.number} ({shown(group.first.values)})"
    if group.count == 1:
        return f"{first} {group.first.sentence}"
    if group.first.cancelled:
        others = counted(group.count - 1, "other set was", "other sets were")
        return f"{first} {group.first.sentence}, as {others}"
    return f"{group.line}; the first is {first}"


def reason_records(groups: Sequence[FailureGroup]) -> list[dict[str, object]]:
    """Return the reasons of failed sets, for programs."""
    return [{"sets": group.count, "reason": group.reason, "task": group.first.number} for group in groups]


def _missing(outcome: Outcome) -> None:
    if outcome.statistics.missing:
        click.echo(f"spe: {empty_cells(outcome.folder)}; `spe run --missing` runs them", err=True)


def empty_cells(folder: Path) -> str:
    """Return the sentence about sets with an empty cell, for people."""
    from ..earlier.missing import NAMED, sentence

    with Reader(folder) as reader:
        return sentence(*reader.missing(NAMED))


def uncollected(statistics: Statistics) -> str:
    """Return how many sets no collect function has got, and what to do, for people."""
    sets = counted(statistics.uncollected, "set is", "sets are")
    return f"{sets} not collected because a collect function failed; correct it, then run `spe collect`"


def _collect_faults(outcome: Outcome) -> None:
    """Print what went wrong in collect functions, and how many sets they lack."""
    faults = outcome.gather_faults
    for fault in faults[:FAILED]:
        click.echo(f"spe: {fault}", err=True)
    if len(faults) > FAILED:
        click.echo(
            f"… and {len(faults) - FAILED} more calls of a collect function failed", err=True
        )
    # Also without a fault in this run: an earlier one may have left some.
    if outcome.statistics.uncollected:
        click.echo(f"spe: {uncollected(outcome.statistics)}", err=True)


def _rest(outcome: Outcome) -> None:
    for host in outcome.unheard:
        where = f" in {outcome.left_at[host]}" if host in outcome.left_at else ""
        what = "its client did not say goodbye: it was killed, or its host went down or hangs; what it left lies "
        what += f"there{where}, and the next client of this account there removes it"
        click.echo(f"{host}: {what}", err=True)
    click.echo(aside_line(outcome.aside), err=True, nl=False)
    for host, what in outcome.benched.items():
        click.echo(f"{host}: benched in this run: {what}", err=True)
    if outcome.stopped:
        click.echo(outcome.stopped, err=True)
    if outcome.waiting_because:
        click.echo(waiting(outcome.waiting_because), err=True, nl=False)


def aside_line(aside: Mapping[str, str]) -> str:
    """Return which hosts were set aside at the end of a run, and why, as one line; "" for none."""
    if not aside:
        return ""
    hosts = [f"{host} ({why})" for host, why in sorted(aside.items())]
    return f"{counted(len(hosts), 'host was', 'hosts were')} set aside at the end: {named(hosts)}\n"


def waiting(because: Sequence[Reason]) -> str:
    """Return why sets wait after a run, a line for each reason; "" when none does."""
    if not because:
        return ""
    lines = [one.line for one in because]
    goes_on = "`spe run` goes on where it stopped"
    if any(GIVEN_UP in one.sentence for one in because):
        # A plain run would end again after the next failure.
        goes_on = (
            "mend the cause, then `spe retry`: with `spe run` alone these failed sets still count"
        )
    elif any("(stop_alike)" in one.sentence for one in because):
        goes_on += "; `spe log 1` shows one; `stop_alike: 0` runs all, if these failures are right"
    return "".join(f"{line}\n" for line in [*lines, goes_on])

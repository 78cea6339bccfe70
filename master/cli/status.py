"""`spe status`."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import output
from .common import as_json, folder_of, open_reader, print_json, sweep_file, sweep_name, volume
from .elsewhere import anywhere
from .output import plain_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..dispatch.shortfall import Reason
    from ..store.reader import Reader
    from ..store.statistics import Statistics

PAUSE = 1.0  # seconds between two looks of --watch
KILLED = "the last run did not come to its end: it was killed, or its machine went down"


@click.command()
@click.option("--watch", is_flag=True, help="Show it again each second, until the run has ended.")
@sweep_file
@sweep_name
@as_json
@plain_option
@volume
@anywhere
def command(
    watch: bool, file: Path, name: str | None, json_: bool, quiet: bool, verbose: int
) -> None:
    """Show how far the sweep is, which host did what, and which sets failed and why.

    \b
    Example: spe status --json
    Example: spe status --watch
    """
    from ..session.living import living

    if not json_:
        if watch:
            _watch(file, name)
        elif name is None and not quiet:
            _show_with_others(file)
            return
        _show(file, name)
        return
    _print_record(file, name)
    while watch and living(folder_of(file, name)) is not None:
        time.sleep(PAUSE)
        _print_record(file, name)


def _print_record(file: Path, name: str | None) -> None:
    """Print the sweep for programs, once."""
    # Opened anew for each look: a reader takes the plan and the names of columns as it is opened,
    # and the next run may have others.
    from .sweeps import sweeps_of

    with open_reader(file, name) as reader:
        print_json({**record(reader), "sweeps": [one.facts() for one in sweeps_of(file.parent)]})
    sys.stdout.flush()


def _show_with_others(file: Path) -> None:
    """Print all sweeps of a folder where there are several, and then the one that is meant."""
    from ..errors import UsageError
    from .sweeps import as_table, sweeps_of

    sweeps = sweeps_of(file.parent)
    if len(sweeps) < 2:
        _show(file, None)
        return
    click.echo(as_table(sweeps))
    try:
        _show(file, None)
    except UsageError as error:
        # Which one is meant is not known, or that one has not run yet.
        click.echo(f"{error.line}\n`spe status -n NAME` shows one of them.")


def _show(file: Path, name: str | None) -> None:
    """Print the sweep for people, once."""
    with open_reader(file, name) as reader:
        click.echo(text(reader), nl=False)


def _watch(file: Path, name: str | None) -> None:
    """Show the status again and again until the run has ended: in one place on a terminal, else one
    below the other as it changes.
    """
    if not output.is_live(sys.stdout):
        _watch_in_lines(file, name)
        return
    from ..state.terminal import Screen  # late: it loads rich

    screen = Screen(sys.stdout)
    try:
        for now in _looks(file, name):
            screen.text(now)
    finally:
        screen.stop()


def _watch_in_lines(file: Path, name: str | None) -> None:
    """Print the status as often as it has changed."""
    said = ""
    for now in _looks(file, name):
        # A log of a night would otherwise have the same text 30,000 times.
        if now != said:
            click.echo(now)
        said = now


def _looks(file: Path, name: str | None) -> Iterator[str]:
    """Yield the status each second, until the run has ended."""
    from ..session.living import living

    while living(folder_of(file, name)) is not None:
        with open_reader(file, name) as reader:
            now = text(reader, _height())
        yield now
        time.sleep(PAUSE)


def _height() -> int:
    if not output.is_live(sys.stdout):
        return 10_000  # a file has all hosts
    return shutil.get_terminal_size().lines


def record(reader: Reader) -> dict[str, Any]:
    """Return the sweep, for programs."""
    from ..dispatch.shortfall import records
    from .run_end import reason_records, statistics_record

    document = document_of(reader.folder)
    failed = []
    for row in reader.failed():
        facts = {"number": row.number, "parameters": dict(row.values), "reason": row.reason}
        failed.append(facts)
    return {
        "folder": str(reader.folder),
        "run": document["sweep"] if document else None,
        **statistics_record(_statistics(reader, document)),
        "failed_sets": failed,
        "failed_reasons": reason_records(reader.failure_groups() if failed else ()),
        "waiting_because": records(_because(reader)),
    }


def _statistics(reader: Reader, document: dict[str, Any] | None) -> Statistics:
    """Return the statistics, with what the master knows while it runs.

    It counts live attempts in the efficiency, too, and knows which sets are paused.
    """
    found = reader.statistics()
    if document is None:
        return found
    sweep = document["sweep"]
    # The document may be a second older than the store.
    paused = min(found.running, sweep.get("paused_sets", 0))
    busy = sweep.get("efficiency", found.efficiency)
    return dataclasses.replace(found, efficiency=busy, paused=paused)


def text(reader: Reader, height: int | None = None) -> str:
    """Return the sweep for people, on one screen of this height where there is one."""
    from .run_end import aside_line, summary, waiting

    document = document_of(reader.folder)
    statistics = _statistics(reader, document)
    failures = _failures(reader, statistics)
    head = [str(reader.folder), *_run(reader.folder, document)]
    foot = waiting(_because(reader))
    if document is None:
        foot = aside_line(reader.aside()) + foot
    if height is None:
        height = _height()
    # The hosts are cut and nothing else: why sets fail or wait matters more than the fortieth host.
    around = len(failures) + len(head) + foot.count("\n") + 6  # lines that are no hosts
    out = "\n".join(head) + summary(statistics, max(3, height - around))
    return out + "".join(f"{line}\n" for line in failures) + foot


def _failures(reader: Reader, statistics: Statistics) -> list[str]:
    """Return the most frequent reasons of failed sets, and how many more sets there are."""
    from .run_end import FAILED, failure_lines

    failed = statistics.failed + statistics.cancelled
    groups = reader.failure_groups() if failed else []
    lines = failure_lines(groups)
    more = failed - sum(group.count for group in groups[:FAILED])
    if more > 0:
        lines.append(f"… and {more} more failed sets")
    return lines


def _because(reader: Reader) -> tuple[Reason, ...]:
    """Return why sets wait while nothing runs."""
    from ..dispatch.shortfall import Reason
    from ..model import TaskState
    from ..session.detached import owner_of_hidden
    from ..session.living import living

    if living(reader.folder) is not None or owner_of_hidden(reader.folder):
        return ()
    left = sum(reader.counts()[state] for state in (TaskState.WAITING, TaskState.RUNNING))
    told = reader.waiting_because()
    # A run that ends removes its session, so one that is left means that the run was killed.
    if left and not told and (reader.folder / "session").is_dir():
        return (Reason(left, KILLED),)
    return told


def _run(folder: Path, document: dict[str, Any] | None) -> list[str]:
    """Return lines about the run that goes on, if there is one."""
    from ..session.detached import is_dying, left_by_killed, owner_of_hidden
    from ..session.living import living
    from ..state.lines import pace

    run = living(folder)
    if run is None or (document is None and is_dying(folder)):
        if error := left_by_killed(folder):
            return [f"{error.what}; {error.todo}"]
        # A colleague's: whether its process lives may be told, but not where to ask it.
        owner = owner_of_hidden(folder)
        return [f"a run of {owner} goes on here"] if owner else []
    line = f"runs as process {run.pid}"
    # The master may be stopped, or wait for a disk: what is stored is shown all the same.
    if document is None:
        return [f"{line}: its master does not answer now"]
    if how := pace(document, time.time()):
        line += f": {how}"
    if document["sweep"]["paused"]:
        return [line, "it is paused: `spe resume` goes on"]
    return [line]


def document_of(folder: Path) -> dict[str, Any] | None:
    """Return the state of the sweep as its master tells it; None where none runs or answers."""
    from ..session.living import living

    if living(folder) is None:
        return None
    from ..session.calling import snapshot  # late: it is loaded for a run that goes on only

    return snapshot(folder)

"""`spe status`."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..text import shown
from .common import as_json, folder_of, open_reader, print_json, sweep_file, sweep_name, volume
from .elsewhere import anywhere

if TYPE_CHECKING:
    from ..dispatch.shortfall import Reason
    from ..store.reader import Reader
    from ..store.statistics import Statistics

PAUSE = 1.0  # seconds between two looks of --watch
KILLED = "the last run ended without a word: it was killed, or its machine went down"


@click.command()
@click.option("--watch", is_flag=True, help="Again each second, until the run has ended.")
@sweep_file
@sweep_name
@as_json
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

    if watch and not json_:
        _watch(file, name)
        return
    while True:
        with open_reader(file, name) as reader:
            if json_:
                print_json(record(reader))
                sys.stdout.flush()
            else:
                click.echo(text(reader), nl=False)
        if not watch or living(folder_of(file, name)) is None:
            return
        time.sleep(PAUSE)


def _watch(file: Path, name: str | None) -> None:
    """Show the status again and again: in one place on a terminal, else one below the other as it
    changes.

    The last one stays.
    """
    from ..session.living import living

    screen = None
    said = ""
    if sys.stdout.isatty():
        from ..state.terminal import Screen

        screen = Screen(sys.stdout)
    try:
        while living(folder_of(file, name)) is not None:
            with open_reader(file, name) as reader:
                now = text(reader, _height())
            if screen:
                screen.text(now)
            elif now != said:
                click.echo(now)
            said = now
            time.sleep(PAUSE)
    finally:
        if screen:
            screen.stop()
    with open_reader(file, name) as reader:
        click.echo(text(reader), nl=False)


def _height() -> int:
    if not sys.stdout.isatty():
        return 10_000
    return shutil.get_terminal_size().lines


def record(reader: Reader) -> dict[str, Any]:
    """Return the sweep, for programs."""
    from ..dispatch.shortfall import records
    from .report import statistics_record

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
    from .report import FAILED, summary, waiting

    document = document_of(reader.folder)
    statistics = _statistics(reader, document)
    failures = [
        f"task {r.number} ({shown(r.values)}) {r.sentence}" for r in islice(reader.failed(), FAILED)
    ]
    more = statistics.failed + statistics.cancelled - FAILED
    if more > 0:
        failures.append(f"… and {more} more failed sets")
    head = [str(reader.folder), *_run(reader.folder, document)]
    foot = waiting(_because(reader))
    if height is None:
        height = _height()
    around = len(failures) + len(head) + foot.count("\n") + 6  # lines that are no hosts
    out = "\n".join(head) + summary(statistics, max(3, height - around))
    return out + "".join(f"{line}\n" for line in failures) + foot


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
    from ..session.detached import owner_of_hidden
    from ..session.living import living
    from ..state.lines import pace

    run = living(folder)
    if run is None:
        owner = owner_of_hidden(folder)
        if not owner:
            return []
        return [f"a run of {owner} goes on here"]
    how = "its master does not answer now"
    if document:
        how = pace(document, time.time())
    lines = [f"runs as process {run.pid}"]
    if how:
        lines[0] += f": {how}"
    if document and document["sweep"]["paused"]:
        lines.append("it is paused: `spe resume` goes on")
    return lines


def document_of(folder: Path) -> dict[str, Any] | None:
    """Return the state of the sweep as its master tells it; None where none runs or answers."""
    from ..session.living import living

    if living(folder) is None:
        return None
    from ..session.calling import snapshot  # late: it is loaded for a run that goes on only

    return snapshot(folder)

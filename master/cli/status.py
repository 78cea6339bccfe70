"""spe status."""

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
from .elsewhere import reading

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
@reading
def command(watch: bool, file: Path, name: str | None, json_: bool, quiet: bool, verbose: int) -> None:
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
    """On a terminal in one place, else one after another as it changes; the last one stays."""
    from ..session.living import living

    screen, said = None, ""
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
    return shutil.get_terminal_size().lines if sys.stdout.isatty() else 10_000


def record(reader: Reader) -> dict[str, Any]:
    """The sweep for programs."""
    from ..dispatch.shortfall import records
    from .report import statistics_record

    document = _document(reader.folder)
    failed = [{"number": r.number, "parameters": dict(r.values), "reason": r.reason} for r in reader.failed()]
    return {
        "folder": str(reader.folder), "run": document["sweep"] if document else None,
        **statistics_record(_statistics(reader, document)), "failed_sets": failed,
        "waiting_because": records(_because(reader)),
    }  # fmt: skip


def _statistics(reader: Reader, document: dict[str, Any] | None) -> Statistics:
    """While it runs the master knows better how busy the slots are: it counts what has not ended, too."""
    found = reader.statistics()
    busy = document["sweep"].get("efficiency") if document else None
    return found if busy is None else dataclasses.replace(found, efficiency=busy)


def text(reader: Reader, height: int | None = None) -> str:
    """The sweep for people, on one screen of this height where there is one."""
    from .report import FAILED, summary, waiting

    document = _document(reader.folder)
    statistics = _statistics(reader, document)
    failures = [f"task {r.number} ({shown(r.values)}) {r.sentence}" for r in islice(reader.failed(), FAILED)]
    more = statistics.failed + statistics.cancelled - FAILED
    failures += [f"… and {more} more failed sets"] if more > 0 else []
    head = [str(reader.folder), *_run(reader.folder, document)]
    foot = waiting(_because(reader))
    room = (_height() if height is None else height) - len(failures) - len(head) - foot.count("\n") - 6
    out = "\n".join(head) + summary(statistics, max(3, room))
    return out + "".join(f"{line}\n" for line in failures) + foot


def _because(reader: Reader) -> tuple[Reason, ...]:
    """Why sets wait while nothing runs."""
    from ..dispatch.shortfall import Reason
    from ..model import TaskState
    from ..session.detached import owner_of_hidden
    from ..session.living import living

    if living(reader.folder) is not None or owner_of_hidden(reader.folder):
        return ()
    left = sum(reader.counts()[state] for state in (TaskState.WAITING, TaskState.RUNNING))
    told = reader.waiting_because()
    if left and not told and (reader.folder / "session").is_dir():  # an end takes the session away
        return (Reason(left, KILLED),)
    return told


def _run(folder: Path, document: dict[str, Any] | None) -> list[str]:
    """About the run that goes on, if there is one."""
    from ..session.detached import owner_of_hidden
    from ..session.living import living
    from ..state.lines import pace

    run = living(folder)
    if run is None:
        owner = owner_of_hidden(folder)
        return [f"a run of {owner} goes on here"] if owner else []
    how = pace(document, time.time()) if document else "its master does not answer now"
    lines = [f"runs as process {run.pid}" + (f": {how}" if how else "")]
    if document and document["sweep"]["paused"]:
        lines.append("it is paused: `spe resume` goes on")
    return lines


def _document(folder: Path) -> dict[str, Any] | None:
    """What the master says, if there is one."""
    from ..session.living import living

    if living(folder) is None:
        return None
    from ..session.calling import snapshot  # late: it is loaded for a run that goes on only

    return snapshot(folder)

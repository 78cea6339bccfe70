"""`spe run --dry`: which sets a run would do, with their command lines; nothing is run."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..record import record
from ..text import counted, sets

if TYPE_CHECKING:
    from ..store.reader import Reader, StandingSet
    from ..sweep.sweep import Sweep

CHUNK = 5000  # sets in one query
NEW, CHANGED, DONE = "new", "changed", "done"
TO_DO = ("new", "waiting", "running")  # a plain `spe run` runs these


@record
class DrySet:
    """A set of today: what is known of it, and its command line.

    `state` is `new`, `done`, `failed`, `cancelled`, `waiting` or `running`, or `changed` for a set
    that another program has finished.
    """

    number: int | None  # None: it has none before its first run
    state: str
    command: str


def show(sweep: Sweep, json_: bool, quiet: bool) -> int:
    """Print today's sets, and return the exit code 0."""
    from ..sweep.sweep import run_folder

    counts: Counter[str] = Counter()
    changed: set[str] = set()
    found = todays_sets(sweep, run_folder(sweep), counts, changed)
    if json_:
        _print_json(found, counts, changed)
        return 0
    for one in found:
        number = "" if one.number is None else str(one.number)
        sys.stdout.write(f"{one.state}\t{number}\t{one.command}\n")
    if not quiet:
        _print_summary(sweep, counts, changed)
    return 0


def _print_summary(sweep: Sweep, counts: Counter[str], changed: set[str]) -> None:
    words = {
        "failed": "failed",
        "cancelled": "cancelled",
        DONE: "done",
        CHANGED: "done by another program",
    }
    others = [f"{counts[state]} {word}" for state, word in words.items() if counts[state]]
    to_do = sum(counts[state] for state in TO_DO)
    line = f"{sets(counts.total())} of {sweep.name}: {', '.join([f'{to_do} to do', *others])}"
    click.echo(line, err=True)
    if changed:
        names = ", ".join(sorted(changed))
        what = f"{counted(len(changed), 'file')} of the program changed since ({names})"
        click.echo(
            f"{what}: `spe run` asks; `--keep` leaves these sets, `--fresh` runs all", err=True
        )
    if counts["failed"]:
        click.echo("`spe retry` runs what has failed", err=True)


def _print_json(found: Iterator[DrySet], counts: Counter[str], changed: set[str]) -> None:
    """Print one object: the sets, and how many there are in each state."""
    # Set by set: a sweep may have a million.
    separator = '{"sets": [\n'
    for one in found:
        row = {"number": one.number, "state": one.state, "command": one.command}
        sys.stdout.write(separator + json.dumps(row, ensure_ascii=True))
        separator = ",\n"
    ending = {"counts": dict(counts), "changed": sorted(changed)}
    sys.stdout.write("],\n" + json.dumps(ending)[1:] + "\n")


def todays_sets(
    sweep: Sweep, folder: Path, counts: Counter[str], changed: set[str]
) -> Iterator[DrySet]:
    """Yield today's sets; count their states, and note which files of the program have changed."""
    if not (folder / "sweep.db").exists():
        yield from _new(sweep, counts)
        return
    from ..store.reader import Reader

    with Reader(folder) as reader:
        yield from _known(sweep, reader, counts, changed)


def _new(sweep: Sweep, counts: Counter[str]) -> Iterator[DrySet]:
    for one in sweep.parameters:
        counts[NEW] += 1
        yield DrySet(None, NEW, _command(sweep, one.values))


def _known(
    sweep: Sweep, reader: Reader, counts: Counter[str], changed: set[str]
) -> Iterator[DrySet]:
    differing = _differing(sweep, reader)
    every = iter(sweep.parameters)
    while chunk := list(islice(every, CHUNK)):
        keys = [sweep.key(one.values) for one in chunk]
        standing = reader.standing(keys)
        for one, key in zip(chunk, keys, strict=True):
            known = standing.get(key)
            state = _state(known, differing)
            if known and state == CHANGED:
                changed.update(differing[known.program or 0])
            counts[state] += 1
            yield DrySet(known.number if known else None, state, _command(sweep, one.values))


def _differing(sweep: Sweep, reader: Reader) -> dict[int, list[str]]:
    """Return the recorded programs that are not today's, each with the files that have changed."""
    from ..sweep.program import changed_parts, from_text, names_of

    today = sweep.program()
    worker = sweep.worker.name if sweep.worker else ""
    found = {}
    for number, text in reader.programs().items():
        if parts := changed_parts(from_text(text), today):
            found[number] = [names_of([part], worker) for part in parts]
    return found


def _state(known: StandingSet | None, differing: dict[int, list[str]]) -> str:
    if known is None:
        return NEW
    if known.state == DONE and known.program in differing:
        return CHANGED
    return known.state


def _command(sweep: Sweep, values: Mapping[str, str]) -> str:
    from ..wire.records import command_line

    return command_line(sweep.recipe.started_words(values))

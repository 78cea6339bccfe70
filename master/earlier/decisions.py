"""Decide what a run does with sets finished by another program, and with failed sets.

The decision takes effect once today's sets are known (`Store.settle`).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from ..dispatch.changes import Decision
from ..errors import UsageError
from ..state.progress import Progress
from ..store.reader import Reader
from ..store.store import Store
from ..sweep.folders import FILE
from ..sweep.program import (
    ProgramChange,
    as_text,
    changed_parts,
    from_text,
    named,
    names_of,
    part_of_worker,
)
from ..sweep.sweep import Sweep
from .designs import META as DESIGN
from .designs import design_of

CHUNK = 5000  # keys of sets in one query: the keys of a million sets at once would be some 70 MB


async def decide_about_program(
    store: Store,
    sweep: Sweep,
    change: ProgramChange,
    progress: Progress,
    folder: Path,
    retry: tuple[int, ...] | None = None,
) -> Decision:
    """Return whether finished sets stay although the program has changed, and which failed sets run.

    `retry`: the failed sets to put back, empty for all, None for none; `spe retry` keeps finished
    sets without asking. Raises UsageError when nobody can be asked, and for a set in `retry` that
    has not failed.
    """
    if retry:
        _check_failed(retry, folder)
        await asyncio.to_thread(_check_todays, retry, sweep, folder)
    parts = sweep.program()
    programs = await store.programs()
    changes = {one: changed_parts(from_text(text), parts) for one, text in programs.items()}
    if change is ProgramChange.ASK:
        # Only now: the other two answers need no look at the rows, which takes seconds with millions.
        changed = await _changes_to_ask_about(store, sweep, parts, changes)
        if changed:
            which = _concerned(*await store.finished_by_others(_unchanged(changes)))
            change = await _chosen(changed, which, sweep, progress, folder, retry is not None)
    number = await store.remember_program(as_text(parts))
    equal = [one for one in _unchanged(changes) if one != number]
    first_ticket, _ = await store.next_ids()
    return Decision(
        number,
        as_text(parts),
        [number, *equal],
        change is ProgramChange.FRESH,
        change is ProgramChange.KEEP,
        first_ticket,
        retry,
    )


def _unchanged(changes: Mapping[int, list[str]]) -> list[int]:
    """Return the recorded programs that are the same as today's."""
    return [one for one, changed in changes.items() if not changed]


async def _changes_to_ask_about(
    store: Store,
    sweep: Sweep,
    parts: Mapping[str, str],
    changes: Mapping[int, list[str]],
) -> list[str]:
    """Return the parts of the program that differ from what made the finished sets of today."""
    changed = changed_parts(await _remembered(store), parts)
    # Without a finished set there is nothing to keep, so the last run's program does not matter.
    if changed and await store.anything_done():
        return changed
    return await _changes_behind_rows(store, sweep, changes)


async def _changes_behind_rows(
    store: Store, sweep: Sweep, changes: Mapping[int, list[str]]
) -> list[str]:
    """Return the parts that changed since today's finished sets were computed, unless asked before.

    The last run may have had other sets, of a command that does not read the changed file: so its
    program alone does not tell. `changes`: what differs from today, for each recorded program.
    """
    since = await store.agreed(_unchanged(changes))
    others = [one for one, changed in changes.items() if changed]
    found = await store.finished_among(_keys(sweep), others, since)
    return sorted({name for one in found for name in changes[one]})


def _keys(sweep: Sweep) -> Iterator[list[bytes]]:
    """Yield the identities of today's sets, in chunks: a sweep may have millions."""
    keys = (sweep.key(one.values) for one in sweep.parameters)
    while chunk := list(islice(keys, CHUNK)):
        yield chunk


async def _remembered(store: Store) -> dict[str, str]:
    """Return the parts of the program that finished sets were last settled with.

    A database from before schema 6 has only the checksums of the worker's files.
    """
    if stored := await store.meta("program"):
        return from_text(stored)
    workers = json.loads(await store.meta("workers", "{}"))
    return {part_of_worker(platform): digest for platform, digest in workers.items()}


def _concerned(others: int, count: int) -> str:
    """Return which finished sets another program has made, as the beginning of a sentence.

    `others` of `count`: after `spe retry` with another program, or `--keep`, they may be few.
    """
    if others in (0, count):
        return "the finished sets were"
    return f"{others} of the {count} finished sets {'was' if others == 1 else 'were'}"


async def _chosen(
    changed: list[str],
    which: str,
    sweep: Sweep,
    progress: Progress,
    folder: Path,
    retry: bool,
) -> ProgramChange:
    """Return what the user wants done with sets finished by another program."""
    what = named(changed)
    names = names_of(changed, sweep.worker.name if sweep.worker else "")
    # The user named the sets to run, so a question about the others would only be in the way.
    if retry:
        progress.line(
            f"{what} has changed ({names}): finished sets stay as they are; `--fresh` runs all again"
        )
        return ProgramChange.KEEP
    # In a thread: the question may wait for hours, and the event loop serves the page meanwhile.
    change = await asyncio.to_thread(progress.ask_about_program, what, names, which)
    # Still ASK: there is no terminal. Choosing for the user could throw away days of results.
    if change is ProgramChange.ASK:
        raise UsageError(
            f"{what} has changed since sets were finished ({names}); nothing was run",
            where=str(folder),
            todo="`spe run --keep` keeps the finished sets as they are, "
            "`spe run --fresh` runs all again.",
        )
    return change


def _check_failed(numbers: tuple[int, ...], folder: Path) -> None:
    """Raise UsageError unless each of these sets has failed."""
    # The whole list and not one query a number: numbers come from a command line, failures are few.
    with Reader(folder) as reader:
        failed = reader.numbers_of_failed()
    others = sorted(set(numbers) - failed)
    if not others:
        return
    todo = "No set has failed."
    if failed:
        todo = "`spe status` names those that have failed."
    raise UsageError(f"not a failed set: {', '.join(map(str, others))}", todo=todo)


def come_back(numbers: Sequence[int], sweep: Sweep, folder: Path) -> list[int]:
    """Return which of these sets are among today's, and were none of the last run's."""
    with Reader(folder) as reader:
        others = reader.keys_of(reader.not_in_last_run(numbers))
    if not others:
        return []
    return sorted(others[key] for chunk in _keys(sweep) for key in chunk if key in others)


def _check_todays(numbers: tuple[int, ...], sweep: Sweep, folder: Path) -> None:
    """Raise UsageError when none of these sets is one of today's: then all others would run instead."""
    with Reader(folder) as reader:
        named = reader.keys_of(numbers).keys()
    if all(named.isdisjoint(chunk) for chunk in _keys(sweep)):
        is_one = len(numbers) == 1
        which, their = ("this set is", "its") if is_one else ("these sets are", "their")
        what = f"{which} not among today's: {their} command, inputs or parameters have changed"
        todo = "`spe run` runs today's sets, as far as they are not done; `spe run --dry` shows them."
        raise UsageError(what, where=f"spe retry {' '.join(map(str, numbers))}", todo=todo)


async def record_use(store: Store, sweep: Sweep) -> None:
    """Store how the sweep was made and that it is used now; called as a run begins.

    A folder made by a file without a name keeps that mark: a run of it with -n does not take the
    folder from that file.
    """
    made = FILE if await store.meta("made") == FILE else sweep.made
    facts = {
        "made": made,
        "line": sweep.line.as_json() if sweep.line else "null",
        "used": repr(time.time()),
        DESIGN: design_of(sweep),
    }
    # At once, not one after the other: the store commits what is written together in one transaction.
    await asyncio.gather(*(store.set_meta(key, value) for key, value in facts.items()))

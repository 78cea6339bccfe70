"""Decides what a run does with finished sets of another program, and with failed sets.

The decision takes effect once today's sets are known (`Store.settle`).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from ..dispatch.changes import Decision
from ..errors import UsageError
from ..state.progress import Progress
from ..store.reader import Reader
from ..store.store import Store
from ..sweep.folders import FILE
from ..sweep.program import as_text, changed_parts, from_text, named, names_of, part_of_worker
from ..sweep.program_change import ProgramChange
from ..sweep.sweep import Sweep

CHUNK = 5000  # sets that are looked up at once


async def decide_about_program(
    store: Store,
    sweep: Sweep,
    change: ProgramChange,
    progress: Progress,
    folder: Path,
    retry: tuple[int, ...] | None = None,
) -> Decision:
    """Whether finished sets stay although the program has changed; `spe retry` keeps them without asking.

    `retry`: the failed sets to put back, empty for all, None for none. Raises UsageError when nobody can say what to
    do, and for a set that has not failed.
    """
    if retry:
        _check_failed(retry, folder)
    parts = sweep.program()
    known = {one: changed_parts(from_text(text), parts) for one, text in (await store.programs()).items()}
    if change is ProgramChange.ASK:
        changed = changed_parts(await _remembered(store), parts)
        if not (changed and await store.anything_done()):
            changed = await _changed_rows(store, sweep, known)
        if changed:
            change = await _decided(changed, sweep, progress, folder, retry is not None)
    number = await store.remember_program(as_text(parts))
    same = [number, *(one for one, changes in known.items() if not changes and one != number)]
    first_ticket, _ = await store.next_ids()
    fresh, keep = change is ProgramChange.FRESH, change is ProgramChange.KEEP
    return Decision(number, as_text(parts), same, fresh, keep, first_ticket, retry)


async def _changed_rows(store: Store, sweep: Sweep, known: Mapping[int, list[str]]) -> list[str]:
    """Files that are not what they were when today's finished sets were computed, where nobody was asked about it.

    The last run may have had other sets, of a command that does not read this file. `known`: what has changed since
    each program that is recorded.
    """
    since = await store.agreed(one for one, changes in known.items() if not changes)
    others = [one for one, changes in known.items() if changes]
    found = await store.finished_among(_keys(sweep), others, since)
    return sorted({name for one in found for name in known[one]})


def _keys(sweep: Sweep) -> Iterator[list[bytes]]:
    """The identities of today's sets, in chunks."""
    keys = (sweep.key(one.values) for one in sweep.parameters)
    while chunk := list(islice(keys, CHUNK)):
        yield chunk


async def _remembered(store: Store) -> dict[str, str]:
    """The program that finished sets were last settled with; of a database of before schema 6, its worker."""
    if stored := await store.meta("program"):
        return from_text(stored)
    workers = json.loads(await store.meta("workers", "{}"))
    return {part_of_worker(platform): digest for platform, digest in workers.items()}


async def _decided(
    changed: list[str], sweep: Sweep, progress: Progress, folder: Path, retry: bool
) -> ProgramChange:
    what, names = named(changed), names_of(changed, sweep.worker.name if sweep.worker else "")
    if retry:
        progress.line(f"{what} has changed ({names}): finished sets stay as they are; `--fresh` runs all again")
        return ProgramChange.KEEP
    change = await asyncio.to_thread(progress.ask_about_program, what, names)
    if change is ProgramChange.ASK:
        raise UsageError(
            f"{what} has changed since sets were finished ({names}); nothing was run",
            where=str(folder),
            todo="`spe run --keep` keeps the finished sets as they are, `spe run --fresh` runs all again.",
        )
    return change


def _check_failed(numbers: tuple[int, ...], folder: Path) -> None:
    with Reader(folder) as reader:
        failed = reader.numbers_of_failed()
    if others := sorted(set(numbers) - failed):
        todo = "`spe status` names those that have failed." if failed else "No set has failed."
        raise UsageError(f"not a failed set: {', '.join(map(str, others))}", todo=todo)


async def record_use(store: Store, sweep: Sweep) -> None:
    """Write into the sweep's database how it was made and that it is used now. A run does so as it begins.

    A folder that a file without a name made stays one: a run of it with -n does not take it from that file.
    """
    made = FILE if await store.meta("made") == FILE else sweep.made
    facts = {"made": made, "line": json.dumps(sweep.line), "used": repr(time.time())}
    await asyncio.gather(*(store.set_meta(key, value) for key, value in facts.items()))  # in one transaction

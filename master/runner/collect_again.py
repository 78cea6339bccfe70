"""`spe collect`: what is stored is judged and collected again, after a hook was mended. Nothing runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

from ..dispatch.changes import TaskMoved, TicketEnded
from ..earlier.extract_again import Extracted, extract_again
from ..hooks.hooks import Hooks, TaskView, VerdictKind
from ..model import TaskState, TicketState, Usage
from ..record import record
from ..session.run_folder import make_run_folder
from ..session.session import Lock
from ..store.reader import Reader
from ..store.statistics import Statistics
from ..store.store import Store
from ..sweep.sweep import Sweep, run_folder
from .gathering import Gathering, view
from .tables import write_tables

log = logging.getLogger("spe.collect")


@record
class Collected:
    """What came of it."""

    folder: Path
    statistics: Statistics
    judged: int  # kept results that were judged again
    accepted: int  # of these
    calls: int  # of gather hooks
    faults: tuple[str, ...]
    extracted: Extracted


async def recollect(sweep: Sweep) -> Collected:
    """Extract again where `results` has changed, judge the results again that a broken validate hook left, call the
    gather hooks for all accepted sets, and write the tables. Raises BusyError while the sweep runs."""
    folder = run_folder(sweep)
    make_run_folder(folder)
    hooks = Hooks(sweep.folder, sweep.results, sweep.validate, sweep.collect, log=log.info)
    await hooks.check_import()
    lock = Lock(folder)
    lock.acquire()
    store = Store(folder / "sweep.db")
    try:
        extracted = await extract_again(store, sweep.results, hooks, folder)
        await store.show_results({one.name: one.kind for one in sweep.results})
        judged, accepted, faults = await _judge_kept(store, hooks, folder)
        gathering = Gathering(hooks, store, folder, sweep.collect)
        await gathering.begin(again=True)
        await gathering.finish()
        statistics = await asyncio.to_thread(write_tables, folder, sweep)
        return Collected(
            folder, statistics, judged, accepted, gathering.calls, (*faults, *gathering.faults), extracted
        )
    except asyncio.CancelledError:  # Ctrl-C: the store may wait for room
        store.disk.end()
        raise
    finally:
        await hooks.close()
        store.close()
        lock.release()


async def _judge_kept(store: Store, hooks: Hooks, folder: Path) -> tuple[int, int, list[str]]:
    """Results that are kept although their set counts as failed, because a hook could not judge them."""
    judged, accepted, faults = 0, 0, list[str]()
    with Reader(folder) as reader:
        for number in list(_kept(reader)):
            task = reader.task(number)
            verdict = await hooks.validate(TaskView(number, task.values), view(task, folder))
            judged += 1
            if verdict.kind is VerdictKind.HOOK_FAULT:
                faults.append(f"task {number}: {verdict.reason}")
                continue
            ticket = task.accepted_ticket
            if verdict.kind is VerdictKind.REJECTED or ticket is None:
                await store.commit([TaskMoved(number, TaskState.FAILED, task.attempts, task.lost, verdict.reason)])
                continue
            accepted += 1
            kept = next(t for t in task.tickets if t.id == ticket)
            usage = Usage(kept.seconds or 0.0, kept.cpu or 0.0, 0.0, kept.memory or 0, kept.read, kept.written)
            ended = TicketEnded(ticket, TicketState.ACCEPTED, usage)  # what it printed is stored already
            await store.commit([ended, TaskMoved(number, TaskState.DONE, task.attempts, task.lost, "", ticket)])
    return judged, accepted, faults


def _kept(reader: Reader) -> Iterator[int]:
    return reader.suspended()

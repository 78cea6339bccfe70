"""`spe collect`: stored results are judged and collected again, after a hook was mended.

No program runs.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from ..desk.result_files import place_left_over
from ..dispatch.changes import Change, TaskMoved, TicketEnded
from ..earlier.extract_again import Extracted, extract_again
from ..hooks.hooks import Hooks, TaskView, VerdictKind
from ..model import TaskState, TicketState, Usage
from ..record import record
from ..session.lock import Lock
from ..session.run_folder import make_run_folder
from ..store.reader import Reader
from ..store.statistics import Statistics
from ..store.store import Store
from ..store.task_details import TaskDetail
from ..sweep.sweep import Sweep, run_folder
from .gathering import Gathering, view
from .tables import write_anew

log = logging.getLogger("spe.collect")


@record
class Collected:
    """The outcome of one `spe collect`."""

    folder: Path
    statistics: Statistics
    judged: int  # kept results that were judged again
    accepted: int  # results of these that are accepted now
    calls: int  # calls of gather hooks
    faults: tuple[str, ...]
    extracted: Extracted


async def recollect(sweep: Sweep) -> Collected:
    """Bring all that is made of stored results up to date, and return what was done.

    Values are extracted again where `results` has changed, results that a broken validate hook has
    left are judged again, the gather hooks are called for all accepted sets, and the tables are
    written. Raises BusyError while the sweep runs.
    """
    folder = run_folder(sweep)
    make_run_folder(folder)
    hooks = Hooks(sweep.folder, sweep.results, sweep.validate, sweep.collect, log=log.info)
    # Before anything is changed: a hook with a typing error changes nothing
    await hooks.check_import()
    lock = Lock(folder)
    lock.acquire()  # the tables have one writer
    store = Store(folder / "sweep.db")
    try:
        # A master that was killed between a commit and the places of its files left them staged.
        await place_left_over(store, folder)
        extracted = await extract_again(store, sweep.results, hooks, folder, sweep.results_of)
        await store.show_results({one.name: one.kind for one in sweep.results})
        judged, accepted, faults = await _judge_kept(store, hooks, folder)
        await place_left_over(store, folder)  # of those that are refused now
        gathering = Gathering(hooks, store, folder, sweep.collect)
        await gathering.begin(again=True)
        await gathering.finish()
        statistics = await write_anew(store, folder, sweep)
        return Collected(
            folder,
            statistics,
            judged,
            accepted,
            gathering.calls,
            (*faults, *gathering.faults),
            extracted,
        )
    except asyncio.CancelledError:  # Ctrl-C: the store may wait for room
        store.disk.end()
        raise
    finally:
        await hooks.close()
        store.close()
        lock.release()


async def _judge_kept(store: Store, hooks: Hooks, folder: Path) -> tuple[int, int, list[str]]:
    """Judge the results that were kept because a hook could not judge them.

    Their sets count as failed.

    Return how many were judged, how many of these were accepted, and the faults of hooks.
    """
    judged, accepted, faults = 0, 0, list[str]()
    with Reader(folder) as reader:
        # A list: each verdict changes what the reader would find next
        for number in list(reader.suspended()):
            task = reader.task(number)
            verdict = await hooks.validate(TaskView(number, task.values), view(task, folder))
            judged += 1
            if verdict.kind is VerdictKind.HOOK_FAULT:
                faults.append(f"task {number}: {verdict.reason}")
            elif verdict.kind is VerdictKind.REJECTED or task.accepted_ticket is None:
                await store.commit(
                    [TaskMoved(number, TaskState.FAILED, task.attempts, task.lost, verdict.reason)]
                )
            else:
                accepted += 1
                await store.commit(_accepted(task, task.accepted_ticket))
    return judged, accepted, faults


def _accepted(task: TaskDetail, ticket: int) -> list[Change]:
    """Return the changes that accept a result which is stored already."""
    kept = next(one for one in task.tickets if one.id == ticket)
    usage = Usage(
        kept.seconds or 0.0,
        kept.cpu or 0.0,
        0.0,
        kept.memory or 0,
        kept.read,
        kept.written,
    )
    return [
        TicketEnded(ticket, TicketState.ACCEPTED, usage),
        TaskMoved(task.number, TaskState.DONE, task.attempts, task.lost, "", ticket),
    ]

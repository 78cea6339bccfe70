"""What a run makes of what earlier ones left: another worker than before, and sets that failed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from .errors import UsageError
from .model import TaskState
from .progress import Progress
from .reader import Reader
from .store import Store
from .sweep import Sweep
from .workerchange import WorkerChange, changed_workers, remember_workers

_ENDS = (TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED)


async def decide_about_worker(
    store: Store, sweep: Sweep, change: WorkerChange, progress: Progress, folder: Path
) -> None:
    """Whether finished sets stay although the worker has changed. Raises UsageError when nobody can say."""
    changed = changed_workers(await store.meta("workers", "{}"), sweep.worker)
    if changed and await store.anything_done():
        if change is WorkerChange.ASK:
            change = await asyncio.to_thread(progress.ask_about_worker, changed)
        if change is WorkerChange.ASK:
            raise UsageError(
                f"the worker has changed since sets were finished ({', '.join(changed)}); nothing was run",
                where=str(folder),
                todo="`spe run --keep` keeps the finished sets as they are, `spe run --fresh` runs all again.",
            )
    if change is WorkerChange.FRESH:
        await store.reset(_ENDS, all_plans=True)
    await store.set_meta("workers", remember_workers(sweep.worker))


async def put_back(store: Store, numbers: tuple[int, ...], progress: Progress, folder: Path) -> None:
    """Failed sets wait again: these, or all. Raises UsageError for one that has not failed."""
    if numbers:
        _check_failed(numbers, folder)
    count = await store.reset([TaskState.FAILED, TaskState.CANCELLED], numbers or None)
    progress.line(f"{count} failed {'set' if count == 1 else 'sets'} put back")


def _check_failed(numbers: tuple[int, ...], folder: Path) -> None:
    with Reader(folder) as reader:
        failed = {row.number for row in reader.failed()}
    if others := sorted(set(numbers) - failed):
        todo = "`spe status` names those that have failed." if failed else "No set has failed."
        raise UsageError(f"not a failed set of today's parameters: {', '.join(map(str, others))}", todo=todo)

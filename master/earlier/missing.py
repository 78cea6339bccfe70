"""Rows with an empty cell, because a new result was not stored: whether their sets run again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from ..state.progress import Progress
from ..store import stored
from ..store.store import Store
from ..text import counted

NAMED = 20  # numbers in one sentence


def sentence(count: int, numbers: Sequence[int]) -> str:
    """Which sets these are, for people."""
    sets = counted(count, "set has an empty cell: its", "sets have an empty cell: their")
    named = ", ".join(map(str, numbers[:NAMED]))
    more = f" and {count - NAMED} more" if count > NAMED else ""
    return f"{sets} new result is not stored ({named}{more})"


async def decide_about_missing(store: Store, progress: Progress, run_them: bool) -> int:
    """The number of sets that are to run again, because `run_them` says so or the user, who is asked on a terminal.

    They wait then, with all attempts, and their rows stay until new results replace them.
    """
    count, numbers = await store.call(lambda connection: stored.missing(connection, store.plan, NAMED))
    if not count:
        return 0
    given_up = threading.Event()
    if not run_them:
        try:
            run_them = await asyncio.to_thread(progress.ask_about_missing, sentence(count, numbers), given_up)
        finally:
            given_up.set()  # Ctrl-C: nobody waits for the answer any more
    return await store.call(lambda connection: stored.run_again(connection, store.plan)) if run_them else 0

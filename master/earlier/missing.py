"""Sets with an empty cell, because a new result was not stored: are they to run again?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from ..state.progress import Progress
from ..store import stored
from ..store.store import Store

NAMED = 20  # numbers in one sentence: more would push the question off a terminal of 24 lines


def sentence(count: int, numbers: Sequence[int]) -> str:
    """Return the sentence that names these sets; `numbers` are the first ones of `count`."""
    named = ", ".join(map(str, numbers[:NAMED]))
    if count > NAMED:
        named += f" and {count - NAMED} more"
    if count == 1:
        return f"1 set has an empty cell: its new result is not stored ({named})"
    return f"{count} sets have an empty cell: their new result is not stored ({named})"


async def decide_about_missing(store: Store, progress: Progress, run_them: bool) -> int:
    """Return the number of sets that run again to fill their empty cells; 0 when none does.

    They run again when `run_them` says so, or the user, who is asked on a terminal. Such sets wait
    with all their attempts, and their rows stay until new results replace them.
    """
    count, numbers = await store.call(lambda c: stored.missing(c, store.plan, NAMED))
    if not count:
        return 0
    if not run_them:
        run_them = await _ask(progress, sentence(count, numbers))
    if not run_them:
        return 0
    # Found again inside the transaction: a result may have arrived while the user thought about it.
    return await store.call(lambda connection: stored.run_again(connection, store.plan))


async def _ask(progress: Progress, question: str) -> bool:
    given_up = threading.Event()
    try:
        return await asyncio.to_thread(progress.ask_about_missing, question, given_up)
    finally:
        # On Ctrl-C the thread still waits for the keyboard; without this the process would not end.
        given_up.set()

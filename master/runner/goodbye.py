"""The end of a run as clients see it.

The master goes on answering until all have heard that the sweep is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from ..desk.desk import Desk
from ..fleet.fleet import Fleet

TOLD_LEAST, TOLD_MOST = 1.0, 5.0  # seconds that the master goes on answering after the end
BYE_MOST = 10.0  # seconds that `spe run` waits for the clients to be gone
PAUSE = 0.1  # seconds between two looks


async def say_goodbye(desk: Desk, fleet: Fleet) -> None:
    """Go on answering until all clients have heard the end.

    Then wait until those that the run has started are gone."""
    begun = time.monotonic()
    passed = 0.0
    while passed < BYE_MOST:
        # Without clients of others nobody else waits for a last word: a local run ends at once.
        if fleet.all_gone() and (fleet.alone() or _have_heard(desk, passed)):
            break
        with contextlib.suppress(TimeoutError):
            desk.moved.clear()
            await asyncio.wait_for(desk.moved.wait(), PAUSE)
        passed = time.monotonic() - begun
    fleet.note_unheard()


def _have_heard(desk: Desk, passed: float) -> bool:
    """Tell whether enough has been done to tell all clients the end, `passed` seconds after it."""
    if passed >= TOLD_MOST:
        return True
    # The least time is for clients that nobody knows, as they did not register.
    return passed >= TOLD_LEAST and all(
        client.state.knows_the_end for client in desk.dispatch.clients
    )

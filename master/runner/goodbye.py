"""The end of a run as clients see it: the master goes on answering until all have heard that the sweep is over."""

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
    """Go on answering until all have heard the end, then wait for those that we started to be gone."""
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < BYE_MOST:
        clients = list(desk.dispatch.clients.values())
        told = passed >= TOLD_MOST or (passed >= TOLD_LEAST and all(c.told or c.gone for c in clients))
        if fleet.all_gone() and (told or fleet.alone()):
            break
        with contextlib.suppress(TimeoutError):
            desk.moved.clear()
            await asyncio.wait_for(desk.moved.wait(), PAUSE)
    fleet.note_unheard()

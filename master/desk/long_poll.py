"""Requests that are held until something happens or their time is over; of those for tasks, who waits for how many.

What a request is held for, and for how long, is the desk's business.
"""

from __future__ import annotations

import asyncio

LONG = 5.0  # seconds; those who wait longer than this don't mind to be answered a moment earlier
TOGETHER = 0.5  # seconds: whoever is due within so long is answered in one go
Held = asyncio.Future[bool]


async def hold(future: Held, seconds: float) -> bool:
    """Until it is settled, or its time is over: then False.

    Times are rounded down, so that the requests of many idle clients are answered, and come again, in small crowds:
    one that comes alone costs a master far more, as nothing of what it needs is in the processor's cache any more.
    """
    loop = asyncio.get_running_loop()
    moment = loop.time() + seconds
    timer = loop.call_at(moment - moment % TOGETHER if seconds > LONG else moment, settle, future, False)
    try:
        return await future
    finally:
        timer.cancel()


def settle(future: Held, woken: bool = True) -> None:
    """What waits for it goes on."""
    if not future.done():
        future.set_result(woken)


class Idle:
    """Held requests for tasks, the oldest first."""

    def __init__(self) -> None:
        self._held: dict[Held, tuple[int, str]] = {}
        self.slots = 0  # free ones of all their clients

    def __len__(self) -> int:
        return len(self._held)

    def add(self, slots: int, client: str) -> Held:
        """A request of this client is held from now on, which has so many free slots."""
        future: Held = asyncio.get_running_loop().create_future()
        self._held[future] = slots, client
        self.slots += slots
        return future

    def remove(self, future: Held) -> None:
        """It is not held any more."""
        self.slots -= self._held.pop(future, (0, ""))[0]

    def call(self, client: str) -> None:
        """Whatever this client waits for, it hears at once that there is something else."""
        for future in [one for one, (_, whose) in self._held.items() if whose == client]:
            settle(future)

    def wake(self, count: int) -> None:
        """So many of them look again, those first that have waited longest."""
        while count > 0 and self._held:
            oldest = next(iter(self._held))
            self.remove(oldest)
            settle(oldest)
            count -= 1

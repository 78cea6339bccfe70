"""Long polls: requests that are held until something happens or their time is over.

What a request is held for, and for how long, is the desk's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LONG = 5.0  # seconds; a request that is held longer may be answered up to TOGETHER earlier
TOGETHER = 0.5  # seconds: requests that are due within so long are answered together
Held = asyncio.Future[bool]


async def hold(future: Held, seconds: float) -> bool:
    """Wait until `future` is settled; return False when that takes longer than `seconds`.

    Long times are rounded down, so that the requests of many idle clients are answered, and come
    again, in groups. A request that comes alone costs the master far more: nothing of what it needs
    is in the processor's cache then.
    """
    loop = asyncio.get_running_loop()
    moment = loop.time() + seconds
    if seconds > LONG:
        moment -= moment % TOGETHER
    timer = loop.call_at(moment, settle, future, False)
    try:
        return await future
    finally:
        timer.cancel()


def settle(future: Held, woken: bool = True) -> None:
    """Let the request go on that waits for this; `woken` False: its time is over."""
    if not future.done():  # the time may be over in the same turn in which something happens
        future.set_result(woken)


class Idle:
    """The held requests for tasks of all clients, the oldest first."""

    def __init__(self) -> None:
        self._held: dict[Held, tuple[int, str]] = {}  # request -> free slots and ID of its client
        self.slots = 0  # free slots of all clients whose requests are held

    def __len__(self) -> int:
        return len(self._held)

    def add(self, slots: int, client: str) -> Held:
        """Return a future for a request that is held from now on.

        Its client has so many free slots.
        """
        future: Held = asyncio.get_running_loop().create_future()
        self._held[future] = slots, client
        self.slots += slots
        return future

    def remove(self, future: Held) -> None:
        """Forget a request that has been answered, or whose client has hung up."""
        self.slots -= self._held.pop(future, (0, ""))[0]

    def call(self, client: str) -> None:
        """Answer all requests of this client: there is something for it that is no task."""
        for future in [one for one, (_, whose) in self._held.items() if whose == client]:
            settle(future)

    def wake_some(self, count: int, may_get: Callable[[str], bool]) -> None:
        """Let `count` requests look again, only those of clients that may get a task now."""
        if count <= 0:
            return
        for future, (_, client) in list(self._held.items()):
            if count > 0 and may_get(client):
                self.remove(future)
                settle(future)
                count -= 1

    def wake(self, count: int) -> None:
        """Let `count` requests look again for a task, those first that have waited longest."""
        while count > 0 and self._held:
            # Removed before it runs: a second wake in the same turn must reach the next one.
            oldest = next(iter(self._held))
            self.remove(oldest)
            settle(oldest)
            count -= 1

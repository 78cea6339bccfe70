"""Orders to clients: a look into a running task, a pause; what comes of one is passed on as it comes.

No HTTP and no decisions: an order lies here until its client fetches it (a held request is answered to say that there
is one), its pieces lie here until whoever gave it has read them. Nothing of this is kept: a master that dies loses
only questions.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from ..errors import SpeError

FETCH_TIME = 10.0  # seconds for a client to fetch an order; one that is there takes milliseconds
AGAIN = 3.0  # seconds after which an order that was fetched, and not answered at all, is told again
MOST_PIECES = 32  # that wait here for a slow reader, before the client waits too
MOST_OPEN = 200  # orders of all clients


class NotDone(SpeError):
    """Why an order was not carried out (to its end), in one sentence."""


class Order:
    """One of them: read its pieces with `async for`; then `exit` is the exit code."""

    def __init__(self, number: int, client: str, what: dict[str, Any], clock: Callable[[], float]) -> None:
        self.number, self.client, self.what = number, client, what
        self.exit: int | None = None
        self.told_at: float | None = None  # when the client fetched it last
        self.heard = False  # whether anything came of it
        self._clock, self._given_at = clock, clock()
        self._pieces: deque[bytes] = deque()
        self._reason, self._ended = "", False
        self._moved = asyncio.Condition()

    def is_due(self) -> bool:
        """Whether its client is to be told of it (again)."""
        return not self.heard and (self.told_at is None or self._clock() - self.told_at > AGAIN)

    async def take(self, data: bytes) -> None:
        """A piece came; waits while the reader has not caught up."""
        async with self._moved:
            self.heard = True
            await self._moved.wait_for(lambda: len(self._pieces) < MOST_PIECES or self._ended)
            if data:
                self._pieces.append(data)
            self._moved.notify_all()

    async def end(self, code: int | None, reason: str) -> None:
        """Nothing more comes."""
        async with self._moved:
            self.heard = self._ended = True
            self.exit, self._reason = code, reason
            self._moved.notify_all()

    async def pieces(self) -> AsyncIterator[bytes]:
        """What comes, as it comes. Raises NotDone."""
        while (piece := await self._next()) is not None:
            yield piece
        if self._reason:
            raise NotDone(self._reason)

    async def _next(self) -> bytes | None:
        async with self._moved:
            while not (self._pieces or self._ended):
                await self._wait()
            piece = self._pieces.popleft() if self._pieces else None
            self._moved.notify_all()
            return piece

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._moved.wait(), None if self.heard else FETCH_TIME)
        except TimeoutError:
            if not self.heard:
                raise NotDone(f"its client has not answered within {FETCH_TIME:.0f} s") from None


class Orders:
    """All that are open."""

    def __init__(self, call: Callable[[str], None], clock: Callable[[], float]) -> None:
        """`call`: have the held requests of a client answered."""
        self._call, self._clock = call, clock
        self._numbers = itertools.count(1)
        self._open: dict[int, Order] = {}

    def give(self, client: str, do: str, **more: Any) -> Order:
        """To one client. Raises NotDone when there are too many."""
        if len(self._open) >= MOST_OPEN:
            raise NotDone(f"{MOST_OPEN} questions are open already")
        number = next(self._numbers)
        order = self._open[number] = Order(number, client, {"id": number, "do": do, **more}, self._clock)
        self._call(client)
        return order

    def withdraw(self, order: Order) -> None:
        """Nobody waits for it any more."""
        self._open.pop(order.number, None)

    def due(self, client: str) -> int:
        """How many this client does not know of."""
        return sum(one.client == client and one.is_due() for one in self._open.values()) if self._open else 0

    def fetch(self, client: str) -> str:
        """Those that it has not answered, a JSON object a line."""
        found = [one for one in self._open.values() if one.client == client and not one.heard]
        for one in found:
            one.told_at = self._clock()
        return "".join(json.dumps(one.what) + "\n" for one in found)

    def find(self, client: str, number: int) -> Order | None:
        """One that this client may answer."""
        order = self._open.get(number)
        return order if order and order.client == client else None

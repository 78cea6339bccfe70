"""Orders to clients, such as a look into a running task, and the pieces of their answers.

An order lies here until its client fetches it; a held request of that client is answered to say
that there is one. The pieces of the answer lie here until whoever gave the order has read them.
Nothing of this is stored: a master that is killed loses only questions, and whoever asked can ask
again.
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
AGAIN = 3.0  # seconds after which an order that was fetched, but not answered at all, is told again
MOST_PIECES = 32  # pieces that lie here for a slow reader, before the client waits, too
MOST_OPEN = 200  # open orders of all clients


class NotDone(SpeError):
    """An order was not carried out, or not to its end; the sentence says why."""


class Order:
    """An order, from when it is given until its answer has been read.

    After the last piece, `exit` is the exit code.
    """

    def __init__(
        self, number: int, client: str, what: dict[str, Any], clock: Callable[[], float]
    ) -> None:
        self.number, self.client, self.what = number, client, what
        self.exit: int | None = None
        self.told_at: float | None = None  # time at which the client last fetched the order
        self.heard = False  # True once a part of the answer has come
        self._clock, self._given_at = clock, clock()
        self._pieces: deque[bytes] = deque()
        self._reason, self._ended = "", False
        self._moved = asyncio.Condition()

    def is_due(self) -> bool:
        """Tell whether its client is to be told of it, for the first time or again."""
        return not self.heard and (self.told_at is None or self._clock() - self.told_at > AGAIN)

    async def take(self, data: bytes) -> None:
        """Take a piece of the answer, and wait while the reader has not caught up."""
        async with self._moved:
            self.heard = True
            await self._moved.wait_for(lambda: len(self._pieces) < MOST_PIECES or self._ended)
            # The last piece of an answer is often empty, and says only that the answer has ended
            if data:
                self._pieces.append(data)
            self._moved.notify_all()

    async def end(self, code: int | None, reason: str) -> None:
        """Note the end of the answer.

        It is an exit code or, when the order was not carried out, a reason.
        """
        async with self._moved:
            self.heard = self._ended = True
            self.exit, self._reason = code, reason
            self._moved.notify_all()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the pieces of the answer as they come.

        Raises NotDone when the order was not carried out.
        """
        while (piece := await self._next()) is not None:
            yield piece
        if self._reason:
            raise NotDone(self._reason)

    async def _next(self) -> bytes | None:
        async with self._moved:
            while not (self._pieces or self._ended):
                await self._wait()
            self._moved.notify_all()
            return self._pieces.popleft() if self._pieces else None

    async def _wait(self) -> None:
        # An answer that has begun may take as long as it likes: a command may be silent for an
        # hour.
        limit = None if self.heard else FETCH_TIME
        try:
            await asyncio.wait_for(self._moved.wait(), limit)
        except TimeoutError:
            if not self.heard:
                raise NotDone(f"its client has not answered within {FETCH_TIME:.0f} s") from None


class Orders:
    """The open orders to all clients of one run."""

    def __init__(self, call: Callable[[str], None], clock: Callable[[], float]) -> None:
        """`call(client)` answers the held requests of that client."""
        self._call, self._clock = call, clock
        self._numbers = itertools.count(1)
        self._open: dict[int, Order] = {}

    def give(self, client: str, do: str, **more: Any) -> Order:
        """Return a new order to one client: `do` is its verb, `more` its arguments.

        Raises NotDone when too many orders are open.
        """
        if len(self._open) >= MOST_OPEN:
            raise NotDone(f"{MOST_OPEN} questions are open already")
        # Numbers are never used again: a late piece of an old answer must not get into a new one.
        number = next(self._numbers)
        order = self._open[number] = Order(
            number, client, {"id": number, "do": do, **more}, self._clock
        )
        self._call(client)
        return order

    def withdraw(self, order: Order) -> None:
        """Forget an order: nobody waits for its answer any more."""
        self._open.pop(order.number, None)

    def due(self, client: str) -> int:
        """Return how many orders this client is to be told of."""
        if not self._open:  # nearly always, and this is asked for every request of every client
            return 0
        return sum(one.client == client and one.is_due() for one in self._open.values())

    def fetch(self, client: str) -> str:
        """Return the orders that this client has not answered, a JSON object a line."""
        found = [one for one in self._open.values() if one.client == client and not one.heard]
        for one in found:
            one.told_at = self._clock()
        return "".join(json.dumps(one.what) + "\n" for one in found)

    def find(self, client: str, number: int) -> Order | None:
        """Return the order with this number, if it is open and was given to this client."""
        # Numbers can be guessed. A client must not answer what another one was asked.
        order = self._open.get(number)
        if order is None or order.client != client:
            return None
        return order

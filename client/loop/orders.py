"""Orders of people for running tasks: received here, carried out by carrier.py.

A request that the master holds is answered with the word that there are some; they are fetched by
`/orders`.
"""

import json
import threading
from typing import Any, Dict, List, Set

from .. import log
from ..wire.master import MasterConnection
from .carrier import Carrier
from .hands import Hands
from .talker import Shared


class ReceivedOrders:
    """The orders that came to this client. Lives as long as the client."""

    def __init__(self, shared: Shared, hands: Hands, allowed: List[str]) -> None:
        """Take the programs that people may run: `allowed`, as `ask:` in spe.yaml lists them."""
        self._shared, self._hands, self._allowed = shared, hands, allowed
        self._carriers: Set[Carrier] = set()
        # An order may come several times: when an answer to /orders was lost, and when two threads
        # hear of it. A program that a person runs must not run twice.
        self._seen: Set[int] = set()
        self._lock = threading.Lock()  # two threads may hear of the same order

    def fetch(self, connection: MasterConnection) -> None:
        """Fetch orders and begin with those that are new. After a lost answer some come again."""
        reply = connection.ask("/orders", [])
        if reply.status != 200:
            return
        with self._lock:
            for text in reply.body.splitlines():
                try:
                    order = json.loads(text.decode("utf-8"))
                    is_new = order["id"] not in self._seen
                except (KeyError, TypeError, ValueError) as fault:
                    log.say("an order of the master cannot be read: %r: %r" % (text[:100], fault))
                    continue
                if is_new:
                    self._seen.add(order["id"])
                    self._begin(order)

    def is_answering(self) -> bool:
        """Tell whether orders are being carried out."""
        return bool(self._carriers)

    def _begin(self, order: Dict[str, Any]) -> None:
        # A thread of its own for each: an order may follow the output of a task for hours.
        carrier = Carrier(self._shared, order, self._hands, self._allowed, self._carriers)
        self._carriers.add(carrier)
        try:
            carrier.start()
        except RuntimeError:  # the system gives no more threads
            carrier.refuse("this host has no memory for one more question")

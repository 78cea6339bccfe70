"""Orders of people for running tasks: received here, each carried out in a thread of its own
(carrier.py).

A request that the master holds is answered with the word that there are some; they are fetched by
`/orders`.
"""

import json
import threading
from typing import Any, Dict, List, Set

from ..wire.master import Line
from .carrier import Carrier
from .hands import Hands
from .talker import Shared


class ReceivedOrders:
    """The orders that came to this client. Lives as long as the client."""

    def __init__(self, shared: Shared, hands: Hands, allowed: List[str]) -> None:
        """`allowed`: the programs that people may run, as `ask:` in spe.yaml lists them."""
        self._shared, self._hands, self._allowed = shared, hands, allowed
        self._carriers: Set[Carrier] = set()
        self._seen: Set[int] = set()
        self._lock = threading.Lock()  # two threads may hear of the same order

    def fetch(self, line: Line) -> None:
        """Fetch orders and begin with those that are new; an answer that was lost brings some
        again.
        """
        reply = line.ask("/orders", [])
        if reply.status != 200:
            return
        with self._lock:
            for text in reply.body.splitlines():
                order = json.loads(text.decode("utf-8"))
                if order["id"] not in self._seen:
                    self._seen.add(order["id"])
                    self._begin(order)

    def is_answering(self) -> bool:
        """Tell whether orders are being carried out."""
        return bool(self._carriers)

    def _begin(self, order: Dict[str, Any]) -> None:
        carrier = Carrier(self._shared, order, self._hands, self._allowed, self._carriers)
        self._carriers.add(carrier)
        carrier.start()

"""The rule of `spe check`: one task for each kind of host. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import Ticket, TicketState

TRIES = 3  # tasks for one kind: an attempt that is lost with its host is made again, elsewhere if possible
_LOST = (TicketState.LOST, TicketState.EXPIRED)


class OneEach:
    """The task of each kind of host. Lives as long as the run of one `spe check`.

    Whichever host of a kind asks first gets the task: so a host that does not come up is no hindrance.
    """

    def __init__(self, kinds: Mapping[str, str]) -> None:
        """`kinds`: host -> kind. A host that is not among them is a kind of its own."""
        self.count = len(set(kinds.values()))  # kinds
        self._kinds = kinds
        self._tickets: dict[str, list[Ticket]] = {}

    def wants(self, host: str) -> bool:
        """Tell whether a task is to be handed out there: none of its kind is out, and none has ended."""
        tickets = self.tickets(host)
        if not tickets:
            return True
        return tickets[-1].state in _LOST and len(tickets) < TRIES

    def note(self, ticket: Ticket) -> None:
        """Note that this ticket was handed out."""
        # The tickets themselves and not their numbers: the board forgets those of tasks that have left.
        self._tickets.setdefault(self._kind(ticket.host), []).append(ticket)

    def tickets(self, host: str) -> list[Ticket]:
        """Return the attempts on hosts of this kind, the latest one last."""
        return self._tickets.get(self._kind(host), [])

    def _kind(self, host: str) -> str:
        return self._kinds.get(host, host)

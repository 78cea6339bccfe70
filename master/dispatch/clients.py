"""The clients that registered: who is here, which expired tickets each must hear of, and how many slots are taken.

Tickets and tasks are board.py's. The states of a client's life and the events that change them stand in the table of
lifecycle.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from ..model import Client, ClientState, Ticket, TicketState
from .changes import Change, ClientCame, ClientHeard, ClientLeft
from .lifecycle import ClientEvent, move_client

HEARD_PAUSE = 30.0  # seconds between two records of when the clients were heard last


class Clients:
    """The clients of one run by their IDs, also those that have left."""

    def __init__(self, next_id: int = 1) -> None:
        self.strangers: dict[str, float] = {}  # address of a client that did not register -> when it asked last
        self.last_word = 0.0  # time of the newest message of any client
        self.now = 0.0  # the latest time that an event brought
        self._by_id: dict[str, Client] = {}
        self._next_id = next_id
        self._per_host: Counter[str] = Counter()  # clients that are here
        self._expired: dict[str, set[int]] = {}  # client -> tickets whose expiry it has not heard of
        self._heard_noted = 0.0

    def __iter__(self) -> Iterator[Client]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, client_id: str) -> bool:
        return client_id in self._by_id

    def __getitem__(self, client_id: str) -> Client:
        return self._by_id[client_id]

    def get(self, client_id: str) -> Client | None:
        """Return the client with this ID, None for an ID that never registered."""
        return self._by_id.get(client_id)

    @property
    def hosts(self) -> Collection[str]:
        """The hosts on which a client is here."""
        return self._per_host.keys()

    def present(self) -> list[Client]:
        """Return the clients that have not left."""
        return [client for client in self if not client.state.is_gone]

    # -- a client's life

    def register(self, now: float, host: str, platform: str, slots: int, pings: bool, cores: int) -> Client:
        """Create a client with the next free ID. `cores`: of its host, 0 when the client did not say."""
        client = Client(str(self._next_id), host, platform, slots, cores or slots, now, now, pings)
        self._next_id += 1
        return client

    def enter(self, client: Client) -> None:
        """Take in a client: a new one, or one that registered with an earlier master of this run."""
        self._by_id[client.id] = client
        self._per_host[client.host] += 1

    def heard(self, now: float, client_id: str) -> Client | None:
        """Note a sign of life. Return the client, None when it never registered."""
        self.now = max(self.now, now)
        client = self._by_id.get(client_id)
        if client:
            client.word = self.last_word = now
            if client.state.is_cut_off:
                move_client(client, ClientEvent.WORD)
        return client

    def asked(self, client: Client, load: float | None) -> None:
        """Note that this client asked for tasks. `load`: of its host by others, None when it did not say."""
        client.load = load
        if client.state is not ClientState.AT_WORK:
            move_client(client, ClientEvent.ASK)

    def suspect(self, client_id: str) -> Client | None:
        """Note that a connection which this client held is broken. Return the client if it had not left."""
        client = self._by_id.get(client_id)
        if client is None or client.state.is_gone:
            return None
        move_client(client, ClientEvent.BREAK)
        return client

    def told_the_end(self, client_id: str) -> None:
        """Note that this client was told that the sweep is over."""
        client = self._by_id.get(client_id)
        if client:
            move_client(client, ClientEvent.END)

    def leave(self, client: Client) -> None:
        """Note that this client has left; it need not hear of its expired tickets."""
        move_client(client, ClientEvent.LEAVE)
        self._expired.pop(client.id, None)
        self._per_host[client.host] -= 1
        if not self._per_host[client.host]:
            del self._per_host[client.host]

    # -- tickets that have expired

    def note_expired(self, client_id: str, ticket_id: int) -> None:
        """Remember that this client must hear that one of its tickets has expired."""
        self._expired.setdefault(client_id, set()).add(ticket_id)

    def has_expired(self, client_id: str) -> bool:
        """Tell whether this client must hear of expired tickets."""
        return bool(self._expired.get(client_id))

    def to_call(self) -> list[str]:
        """Return the clients that must hear of expired tickets."""
        return [client_id for client_id, tickets in self._expired.items() if tickets]

    def take_expired(self, client_id: str) -> list[int]:
        """Return the expired tickets of which this client has not heard, once."""
        return sorted(self._expired.pop(client_id, ()))

    def told_expired(self, client_id: str, tickets: Iterable[int]) -> None:
        """Note that this client has just heard that these tickets expired."""
        if client_id in self._expired:
            self._expired[client_id].difference_update(tickets)

    # -- what the store is told

    @staticmethod
    def came(client: Client) -> Change:
        """Return the change that records a new client."""
        return ClientCame(client.id, client.host, client.platform, client.slots, client.pings)

    @staticmethod
    def left(client: Client, now: float) -> list[Change]:
        """Return the changes that record a client's goodbye."""
        return [ClientLeft(client.id, now - client.since), ClientHeard(client.id, 0.0)]

    def heard_since_noted(self, now: float, pause: float = HEARD_PAUSE) -> list[Change]:
        """Return when each client was heard last; [] until `pause` seconds after the last answer.

        Each is a row that is written, so every 30 s is enough while the sweep runs.
        """
        if now - self._heard_noted < pause:
            return []
        newer = [client for client in self.present() if client.word > self._heard_noted]
        self._heard_noted = now
        return [ClientHeard(client.id, now - client.word) for client in newer]


class Occupancy:
    """The number of tickets of each client and of tasks with a slot, kept up to date with each move of a ticket.

    Counting on demand would mean a look through all tickets, which is too slow for each commit. A client begins its
    oldest tickets first, as many as it has slots.
    """

    def __init__(self, clients: Clients, tickets: Mapping[int, Ticket], cores: int) -> None:
        self._clients, self._tickets, self._cores = clients, tickets, cores
        self._issued: Counter[str] = Counter()  # client -> tickets that it has, begun or prefetched
        self._begun = 0  # tickets that have a slot: of each client at most as many as it has slots
        self._copies = 0  # tickets beyond the first of one task

    @property
    def with_slot(self) -> int:
        """The number of tasks with a slot: a task and its copy count once."""
        return max(0, self._begun - self._copies)

    @property
    def out(self) -> int:
        """The number of tickets that clients have. It costs a look at each client, so only limited runs ask."""
        return sum(self._issued.values())

    @property
    def begun(self) -> int:
        """The number of tickets with a slot."""
        return self._begun

    def slots(self, client: Client) -> int:
        """Return how many tasks a client runs at once."""
        return max(1, client.slots // self._cores)

    def issued(self, client_id: str) -> int:
        """Return the number of tickets that a client has, begun or prefetched."""
        return self._issued[client_id]

    def resize(self, client: Client, tasks: int) -> None:
        """Note that a client runs so many tasks at once from now on."""
        before = self.slots(client)
        client.slots = tasks * self._cores
        issued = self._issued[client.id]
        self._begun += min(issued, self.slots(client)) - min(issued, before)

    def entered(self, client: Client) -> None:
        """Correct the counts for tickets that came before their client: they counted as begun, all of them."""
        self._begun -= max(0, self._issued[client.id] - self.slots(client))

    def count(self, ticket: Ticket, live: list[int], more: int) -> None:
        """Count a ticket that its client has now (`more`: 1), or no longer has (-1). `live`: those of its task."""
        held = self._issued[ticket.client] + more
        self._issued[ticket.client] = held
        client = self._clients.get(ticket.client)
        if client is None or max(held, held - more) <= self.slots(client):
            self._begun += more
        if len(live) > 1 or (live and ticket.id not in live):  # almost no task has a copy
            others = (self._tickets.get(number) for number in live if number != ticket.id)
            is_copy = any(other and other.state is TicketState.ISSUED for other in others)
            self._copies += more * is_copy

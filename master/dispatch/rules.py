"""The rules for the dispatch: how often a task may be tried, how long silence is borne; and that of `spe check`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..model import Licence, Task, Ticket, TicketState, Times
from ..record import record
from .pacing.back_offs import back_off

#: The parameter by which the copies of one set differ; none of the user's has this name, as it is no identifier.
COPY = "spe check"
TRIES = 3  # tasks for one kind: an attempt that is lost with its host is made again, elsewhere if possible
_LOST = (TicketState.LOST, TicketState.EXPIRED)


def number_for_programs(task: Task) -> int:
    """Return the number of a task that its program and the hooks see.

    The tasks of `spe check` are copies of the first set, and must compute the same.
    """
    return 1 if COPY in task.values else task.number


@record
class Rules:
    """Limits of one run: of attempts, silence, copies, failed sets, load and time."""

    attempts: int = 3
    retry: Callable[[str], int | None] = lambda kind: None  # a reason's own limit, e.g. of "timeout" or "exit:75"
    ping: float = 30.0
    copies: int = 1  # copies of a running task at the end, on other hosts; 0: `once: true`
    stop_after: Callable[[int, int], bool] = lambda failed, total: False  # (failed sets, all sets) -> give the sweep up
    stop_now: bool = False  # what runs is ended then, too; else it may finish
    max_load: float = 0.0  # share of a host's cores, used by others and us; 0: no such rule
    cores: int = 1  # slots that one task takes
    timeout: float | Times = 0.0  # seconds of an attempt, or times the median; 0: none
    at_once: int = 0  # tickets that are out at a time; 0: no such rule
    licences: tuple[Licence, ...] = ()  # licences that each ticket takes
    delay: float = 0.0  # seconds between two starts, over all hosts; 0: none
    retry_after: float = 0.0  # seconds between a failed attempt and the next one, doubled each time; 0: none
    stop_alike: int = 0  # attempts that fail alike at the beginning and end the run; 0: no such rule
    longest_first: bool = True  # waiting sets are ordered by their expected seconds, where that pays

    def back_off(self, attempts: int) -> float:
        """Return the seconds until a task with so many used-up attempts is tried again."""
        return back_off(self.retry_after, attempts)

    def spent(self, faults: Mapping[str, int], kind: str) -> bool:
        """Tell whether a task may not be tried again. `faults`: attempts used up, by reason; `kind`: the latest reason.

        A reason with a limit of its own counts by itself, all others count together.
        """
        limit = self.retry(kind)
        if limit is not None:
            return faults[kind] >= limit
        return sum(n for k, n in faults.items() if self.retry(k) is None) >= self.attempts


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

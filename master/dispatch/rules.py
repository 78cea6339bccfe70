"""The rules of spe.yaml for the dispatch: how often a task may be tried, how long silence is borne."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..model import Times
from ..record import record


@record
class Rules:
    """Limits of one run: of attempts, silence, copies, failed sets, load and time."""

    attempts: int = 3
    retry: Callable[[str], int | None] = lambda kind: None  # a reason's own limit, e.g. of "timeout" or "exit:75"
    ping: float = 30.0
    copies: int = 1  # of a running task, at the end, on other hosts; 0: `once: true`
    stop_after: Callable[[int, int], bool] = lambda failed, total: False  # of failed sets, of all: give the sweep up
    max_load: float = 0.0  # of a host's cores, by others and us together; 0: no such rule
    cores: int = 1  # that one task takes
    timeout: float | Times = 0.0  # of an attempt, in seconds or so many times the median; 0: none

    def spent(self, faults: Mapping[str, int], kind: str) -> bool:
        """Tell whether a task may not be tried again. `faults`: attempts used up, by reason; `kind`: the latest reason.

        A reason with a limit of its own counts by itself, all others count together.
        """
        limit = self.retry(kind)
        if limit is not None:
            return faults[kind] >= limit
        return sum(n for k, n in faults.items() if self.retry(k) is None) >= self.attempts

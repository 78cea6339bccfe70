"""Jobs of which nothing is heard, and where it is known that none of their clients is left. Pure.

A silent job keeps what it held: it may only be cut off, and its programs may run on. What it held on
a host is free once the host's watcher has found no client of it, twice, or once the host was started
anew. A master that the farm has not heard for a minute starts no client where it has none, so what
a watcher says after two minutes is final. Times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .watch.seen import Seen

SILENT = 95.0  # seconds without a report after which a job gets nothing new: three pings and 5 s
NO_START = 60.0  # seconds without a report after which a master starts no client where it has none
FINAL = 120.0  # seconds without a report after which no client can be started behind a watcher
APART = 10.0  # seconds between the two looks of a watcher that find no client
MOST_CLIENTS = 200  # that a watcher tells of; with so many it is no word that one is not named
Place = tuple[int, str]  # number of a job, host


class Silence:
    """The silence of all jobs. Lives as long as the farm."""

    def __init__(self, now: float) -> None:
        """now: from when on the jobs of an earlier farm can have been silent for this one."""
        self._began = now
        self._heard: dict[int, float] = {}  # job -> when its master was heard last
        # Boot ID of the host in the first look after which no client was started there any more
        self._boots: dict[Place, str] = {}
        self._missed: dict[Place, float] = {}  # time of the first look that found no client

    def hear(self, now: float, job: int) -> None:
        """Note that a job's master was heard."""
        self._heard[job] = now
        self._forget(job)

    def end(self, jobs: Iterable[int]) -> None:
        """Forget jobs that hold nothing."""
        for job in jobs:
            self._heard.pop(job, None)
            self._forget(job)

    def _forget(self, job: int) -> None:
        self._boots = {place: boot for place, boot in self._boots.items() if place[0] != job}
        self._missed = {place: at for place, at in self._missed.items() if place[0] != job}

    def of(self, now: float, job: int) -> float:
        """Return the seconds for which nothing was heard of a job."""
        return max(0.0, now - self._heard.get(job, self._began))

    def left(
        self, now: float, held: Mapping[int, Iterable[str]], seen: Mapping[str, tuple[float, Seen]]
    ) -> list[Place]:
        """Return where silent jobs have no client any more. held: job -> hosts where it holds slots.

        seen: host -> (when, what its watcher saw).
        """
        found = []
        for job, hosts in held.items():
            silence = self.of(now, job)
            if silence < NO_START:
                continue
            heard = now - silence
            for host in hosts:
                when, look = seen.get(host, (0.0, None))
                if look is None or when < heard + NO_START:
                    continue
                self._boots.setdefault((job, host), look.boot)
                if when >= heard + FINAL and self._is_left(job, host, when, look):
                    found.append((job, host))
        return found

    def _is_left(self, job: int, host: str, when: float, look: Seen) -> bool:
        boot = self._boots[job, host]
        if boot and look.boot and boot != look.boot:
            return True
        has_no_word = not look.sees_others or len(look.clients) >= MOST_CLIENTS
        if has_no_word or is_there(job, look):
            self._missed.pop((job, host), None)
            return False
        return when - self._missed.setdefault((job, host), when) >= APART


def is_there(job: int, look: Seen) -> bool:
    """Tell whether a watcher has seen a client of a job, or one that may be of it."""
    # By the number alone: after `--new-id` clients still carry the farm's earlier ID.
    return any(client.job.rpartition("/")[2] == str(job) for client in look.clients)

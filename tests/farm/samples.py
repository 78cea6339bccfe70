"""Samples of the process tables of all hosts, taken beside a drill."""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import TracebackType

from .town import Town


class Samples:
    """Counts the tasks on each host, again and again, in a thread of its own. Use it as a context manager.

    `tasks` is what the last sample has seen on all hosts. `most` has the greatest number of tasks of each host;
    `over` what was seen above the limit.
    """

    def __init__(self, town: Town, limit: int, pause: float = 0.02) -> None:
        """limit: tasks on a host. pause: seconds between two samples."""
        self._town, self._limit, self._pause = town, limit, pause
        self.count = self.tasks = 0
        self.most: Counter[str] = Counter()
        self.over: list[str] = []
        self.first: dict[str, float] = {}  # account -> when its first task was seen
        self._tasks: list[tuple[float, Counter[str]]] = []  # (time, account -> tasks)
        self._fault: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Samples:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        if self._fault and error is None:
            raise self._fault

    def _run(self) -> None:
        try:
            while not self._ended.wait(self._pause):
                self._take()
        except BaseException as error:  # told in the thread of the test
            self._fault = error

    def _take(self) -> None:
        everywhere: Counter[str] = Counter()
        for host in self._town.hosts:
            tasks = self._town.tasks(host)
            there = sum(tasks.values())
            self.most[host.name] = max(self.most[host.name], there)
            if there > self._limit:
                self.over.append(f"{host}: {tasks}")
            everywhere.update(tasks)
        now = time.monotonic()
        for who in everywhere:
            self.first.setdefault(who, now)
        self._tasks.append((now, everywhere))
        self.tasks = everywhere.total()
        self.count += 1

    def mean(self, who: str, since: float) -> float:
        """Return the mean number of tasks of an account since a time."""
        found = [tasks[who] for when, tasks in self._tasks if when >= since]
        return sum(found) / len(found)

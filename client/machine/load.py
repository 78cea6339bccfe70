"""The load, memory and disk of this host, as the master is told; our own tasks do not count."""

import math
import os
import re
import time
from typing import Callable, List, Optional, Tuple

from .facts import content

MINUTE = 60.0
OFTEN = 0.1  # seconds: a mean over a minute does not change in less


def system_load() -> Optional[float]:
    """Return the mean number of running and waiting processes in the last minute; None if unknown."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def memory() -> Optional[Tuple[int, int]]:
    """Return (total, free) bytes of this host's memory; None if unknown."""
    text = content("/proc/meminfo")
    # MemAvailable, not MemFree: the kernel gives its cache of files away when a program needs it.
    found = dict(re.findall(r"^(MemTotal|MemAvailable): +([1-9][0-9]*) kB$", text, re.M))
    if len(found) < 2:
        return None
    return int(found["MemTotal"]) * 1024, int(found["MemAvailable"]) * 1024


def memory_used() -> Optional[float]:
    """Return the share of this host's memory that is in use, 0 to 1; None if unknown."""
    found = memory()
    return None if found is None else 1.0 - found[1] / found[0]


def disk_used(folder: str) -> Optional[float]:
    """Return the share of the disk under this folder that is in use, 0 to 1; None if unknown."""
    try:
        disk = os.statvfs(folder)
        return 1.0 - disk.f_bavail / disk.f_blocks
    except (OSError, ZeroDivisionError):
        return None


class Load:
    """The part of this host's load that our own tasks make. Lives as long as the client.

    It fades as slowly as the kernel forgets its load, so that the difference is the load of others.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, cores: int = 1) -> None:
        """Start at no load of our own. `cores`: how many one task takes."""
        self._clock, self._at = clock, clock()
        self.cores = cores
        self._own = 0.0

    def note(self, tasks: int) -> None:
        """Count that `tasks` of our tasks ran since the last note."""
        now = self._clock()
        if now - self._at < OFTEN:
            return
        # The formula of the kernel: a mean whose weights fall by 1/e within a minute.
        kept = math.exp(-(now - self._at) / MINUTE)
        self._own = self._own * kept + tasks * self.cores * (1.0 - kept)
        self._at = now

    def of_others(self, total: Optional[float]) -> Optional[float]:
        """Return the part of a total load that is not ours; None when the total is unknown."""
        if total is None:
            return None
        return max(0.0, total - self._own)

    def told(self, folder: str) -> List[Tuple[str, str]]:
        """Return what the master is told of this host, as parts of a query.

        `folder` lies on the disk that tasks use.
        """
        told = {
            "load": self.of_others(system_load()),
            "memory": memory_used(),
            "disk": disk_used(folder),
        }
        return [(name, "%.2f" % value) for name, value in told.items() if value is not None]

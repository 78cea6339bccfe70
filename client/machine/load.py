"""What others do on this host: the 1-minute load, our own tasks not counted."""

import math
import os
import re
import time
from typing import Callable, List, Optional, Tuple

from .facts import content

MINUTE = 60.0
OFTEN = 0.1  # seconds


def system_load() -> Optional[float]:
    """None where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def memory_used() -> Optional[float]:
    """Of all memory of this host, which share is not to be had; None where the system does not tell."""
    found = dict(re.findall(r"^(MemTotal|MemAvailable): +([1-9][0-9]*) kB$", content("/proc/meminfo"), re.M))
    return 1.0 - int(found["MemAvailable"]) / int(found["MemTotal"]) if len(found) == 2 else None


def disk_used(folder: str) -> Optional[float]:
    """Of the disk under this folder, which share is not to be had."""
    try:
        disk = os.statvfs(folder)
        return 1.0 - disk.f_bavail / disk.f_blocks
    except (OSError, ZeroDivisionError):
        return None


class Load:
    """What our own tasks added is forgotten as slowly as the kernel forgets its load."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, cores: int = 1) -> None:
        """`cores`: how many one task takes."""
        self._clock, self._at = clock, clock()
        self.cores = cores
        self._own = 0.0

    def note(self, tasks: int) -> None:
        """So many of our tasks ran since the last note."""
        now = self._clock()
        if now - self._at < OFTEN:  # a minute's mean does not care
            return
        kept = math.exp(-(now - self._at) / MINUTE)
        self._own, self._at = self._own * kept + tasks * self.cores * (1.0 - kept), now

    def of_others(self, total: Optional[float]) -> Optional[float]:
        """What of a total load is not ours."""
        return None if total is None else max(0.0, total - self._own)

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

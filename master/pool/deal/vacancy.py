"""How many cores of a host jobs may hold now, beside what others do there; and why not more. Pure.

Others' load is the host's 1-minute load without what the farm's own tasks make of it. The kernel
forgets tasks that have ended slowly: 40 that end at once still are 15 of the load a minute later. So
the farm forgets its tasks in the same way (client/machine/load.py does so for one client).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

from ...record import record
from ...text import counted

MINUTE = 60.0
SAMPLE = 5  # seconds between two samples of the kernel
KEPT = math.exp(-SAMPLE / MINUTE)  # of a load from one sample to the next
FORGOTTEN = 900  # seconds after which nothing of a load is left
LATE = 3  # seconds by which the report of a master may come after the line of a watcher
TOLERANCE = 0.5  # cores of others' load that count as none: a login, the watcher itself
MISSED = 3  # intervals of a watcher after which its host counts as not heard


@record
class Vacancy:
    """What may be granted on a host.

    cores: that jobs may hold there, what they hold already included; 0 where nothing may be added
    whatever they hold. free: of these, what nobody holds. why: the reason why it is not more, as one
    sentence; "" where all its slots may be granted.
    """

    cores: int
    free: int
    why: str = ""

    @property
    def is_vacant(self) -> bool:
        """True when a task of one core may be begun there."""
        return self.free > 0


@record
class Look:
    """What is known of a host at one moment.

    most: slots that jobs may use. busy: cores that jobs hold, from the moment of the grant on, so
    that tasks of the last minute count in full although the load does not show them yet. silence:
    seconds since the watcher was heard, None for never. others: the load of the last minute that is
    not of the farm's tasks, None for unknown. aside: why the host is set aside, or "". unheard: why
    the watcher is not heard, or "".
    """

    slots: int
    most: int
    busy: int = 0
    active: bool = True
    silence: float | None = None
    interval: float = 10.0
    cores: int = 0
    others: float | None = None
    aside: str = ""
    unheard: str = ""


def vacant(look: Look) -> Vacancy:
    """Return what may be granted on a host that looks so."""
    shut = _why_shut(look)
    if shut:
        return Vacancy(0, 0, shut)
    most = max(0, min(look.slots, look.most))
    others = look.cores if look.others is None else look.others
    cores = min(most, max(0, math.floor(look.cores - others + TOLERANCE)))
    free = max(0, cores - look.busy)
    if cores < min(most, look.cores):
        of = counted(look.cores, "core")
        return Vacancy(cores, free, f"others have a load of {others:.1f} there, on {of}")
    if look.busy >= most:
        return Vacancy(cores, 0, f"full: jobs hold {look.busy} of {counted(most, 'slot')}")
    if cores < most:
        return Vacancy(cores, free, f"it has {counted(look.cores, 'core')} for {most} slots")
    return Vacancy(cores, free)


def _why_shut(look: Look) -> str:
    """Return why no slot of the host may be granted, whatever its load; "" when they may."""
    if not look.active:
        return "it is drained: no new tasks"
    if look.aside:
        return look.aside
    if look.silence is None:
        return look.unheard or "its watcher was not heard yet"
    if look.silence > MISSED * look.interval:
        return look.unheard or f"its watcher was not heard for {look.silence:.0f} s"
    if look.others is None:
        return "its load is unknown"
    return ""


class HostLoad:
    """The load of one host, told apart into that of our own tasks and that of others.

    The kernel takes a sample each SAMPLE seconds, and counts the tasks of that moment for all of
    them. The moment is not known, so our load is counted for each second in which it may be, and
    the greatest counts: a mean would show up to a tenth of a full host as others' for a while. A
    report that comes late is the same as a sample that comes early. Lives as long as the farm knows
    the host. Times are monotonic seconds.
    """

    def __init__(self, now: float) -> None:
        """Start at no load."""
        self._second = math.floor(now)  # up to which is counted
        self._tasks = 0.0  # cores of our tasks from then on
        self._phases = [0.0] * SAMPLE  # our load, if samples are taken in these seconds
        self._most = {self._second: 0.0}  # second -> the greatest of them then
        self._read: deque[tuple[float, float]] = deque()  # (time, load) of the watcher's lines

    def note(self, now: float, cores: float) -> None:
        """Count that our begun tasks take these cores from now on: all jobs' reports, summed."""
        last = math.floor(now)
        # After so long a time only the tasks that run count.
        self._second = max(self._second, last - FORGOTTEN)
        while self._second < last:
            self._second += 1
            phase = self._second % SAMPLE
            # The formula of the kernel: a mean whose weights fall by 1/e within a minute.
            self._phases[phase] = self._phases[phase] * KEPT + self._tasks * (1.0 - KEPT)
            self._most[self._second] = max(self._phases)
        self._most = {one: most for one, most in self._most.items() if one > last - MINUTE}
        self._tasks = cores

    def hear(self, now: float, load: float) -> None:
        """Take in a 1-minute load that the watcher has just read."""
        self._read.append((now, load))
        while len(self._read) > 1 and self._read[1][0] <= now - LATE:
            self._read.popleft()

    def others(self, now: float) -> float | None:
        """Return the load of others in the last minute; None when no load was heard.

        A load counts when it is LATE seconds old: by then all jobs have reported what ran then.
        """
        if not self._read:
            return None
        settled = [one for one in self._read if one[0] <= now - LATE]
        when, load = settled[-1] if settled else self._read[0]
        second = math.floor(when)
        seconds = [min(one, self._second) for one in range(second, second + LATE + 1)]
        own = [self._most.get(one, 0.0) for one in seconds]
        return max(0.0, load - max(own))


class HostLoads:
    """The loads of all hosts of a farm."""

    def __init__(self) -> None:
        self._hosts: dict[str, HostLoad] = {}

    def note(self, now: float, cores: Mapping[str, float]) -> None:
        """Count the cores of our begun tasks on each host, 0 for hosts that are not named."""
        for host in cores:
            self._of(now, host)
        for host, load in self._hosts.items():
            load.note(now, cores.get(host, 0.0))

    def hear(self, now: float, host: str, load: float) -> None:
        """Take in a 1-minute load that the watcher of a host has just read."""
        self._of(now, host).hear(now, load)

    def others(self, now: float, host: str) -> float | None:
        """Return the load of others on a host; None when no load was heard."""
        return self._hosts[host].others(now) if host in self._hosts else None

    def _of(self, now: float, host: str) -> HostLoad:
        if host not in self._hosts:
            self._hosts[host] = HostLoad(now)
        return self._hosts[host]

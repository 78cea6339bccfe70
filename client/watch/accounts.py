"""The processor time of each account, and the processes that take most of it, as far as /proc shows.

A process that was started and has ended between two looks is counted by its parent, which has its
time as that of ended children.
"""

import os
import pwd
from collections import Counter, deque
from functools import lru_cache
from typing import Deque, Dict, List, NamedTuple, Tuple

from ..machine import facts, process_tree

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")
SPAN = 300.0  # seconds of the mean
MOST_TOP = 10


class Process(NamedTuple):
    """A process at one look. own, ended: ticks of itself, and of its children that have ended."""

    user: int
    parent: int
    own: int
    ended: int
    terminal: int
    memory: int  # bytes


Key = Tuple[int, str]  # its number and its start: a number is given again
Processes = Dict[Key, Process]


def processes() -> Processes:
    """Return the processes that /proc shows."""
    found = {}
    for pid in process_tree.all_processes():
        stat = facts.stat_of(pid)
        user = process_tree.user_of(pid)
        if not stat or user is None:  # it has just ended
            continue
        ticks = [int(word) for word in stat[11:15]]
        parent, terminal, pages = int(stat[1]), int(stat[4]), int(stat[21])
        found[pid, stat[19]] = Process(
            user, parent, sum(ticks[:2]), sum(ticks[2:]), terminal, pages * PAGE
        )
    return found


class Accounts:
    """The processor time of all accounts, look by look. Lives as long as the watcher."""

    def __init__(self, now: float) -> None:
        """Take the first look: what was used before does not count."""
        self._at = now
        self._last = processes()
        self._used: Dict[Key, int] = {}  # ticks since the look before
        self._spans: Deque[Tuple[float, Dict[int, int]]] = deque()  # seconds, user -> ticks
        self._seconds = 0.0  # between the last two looks

    def look(self, now: float) -> None:
        """Take another look."""
        found = processes()
        self._used = used(self._last, found)
        ticks = Counter()  # type: Counter[int]
        for key, more in self._used.items():
            ticks[found[key].user] += more
        self._seconds = max(0.001, now - self._at)
        self._at, self._last = now, found
        self._spans.append((self._seconds, ticks))
        while sum(seconds for seconds, _ in self._spans) - self._spans[0][0] >= SPAN:
            self._spans.popleft()

    @property
    def span(self) -> float:
        """Return of how many seconds `cores` is a mean."""
        return sum(seconds for seconds, _ in self._spans)

    def cores(self) -> Dict[int, float]:
        """Return user number -> cores used, as a mean of the last minutes."""
        total = Counter()  # type: Counter[int]
        for _, ticks in self._spans:
            total.update(ticks)
        span = max(0.001, self.span)
        return {user: count / TICK / span for user, count in total.items()}

    def top(self) -> List[Tuple[str, str, float, int]]:
        """Return (account, program, cores, bytes) of the processes that took most since the last look.

        Without arguments: everybody may read them here, but not on other hosts.
        """
        most = sorted(self._used.items(), key=lambda one: -one[1])[:MOST_TOP]
        found = []
        for key, ticks in most:
            if ticks:
                process = self._last[key]
                program = facts.content("/proc/%d/comm" % key[0]).strip() or "(ended)"
                cores = ticks / TICK / self._seconds
                found.append((account(process.user), program, round(cores, 2), process.memory))
        return found

    def at_terminals(self) -> int:
        """Return how many accounts have a process with a terminal, beside those of the system."""
        return len({one.user for one in self._last.values() if one.terminal and one.user})

    def sees_others(self) -> bool:
        """Tell whether processes of other accounts are shown at all (hidepid of /proc)."""
        return any(one.user != os.getuid() for one in self._last.values()) or not os.getuid()


def used(before: Processes, after: Processes) -> Dict[Key, int]:
    """Return the ticks that each process has used between two looks, with its ended children."""
    counted = _counted(before, after)
    found, ended = {}, {}
    for key, now in after.items():
        old = before.get(key)
        found[key] = max(0, now.own - (old.own if old else 0))
        more = now.ended - (old.ended if old else 0)
        ended[key] = max(0, more - counted[key[0]])
        counted[key[0]] -= min(more, counted[key[0]])
    # What no parent has got is of orphans, for which the first process waits.
    left = sum(counted.values())
    for key, more in ended.items():
        found[key] += max(0, more - left) if key[0] == 1 else more
    return found


def _counted(before: Processes, after: Processes) -> "Counter[int]":
    """Return what ended processes had used at the look before, by the number of who waited for them.

    It was counted then as theirs, and now is a part of what the living process above them has.
    """
    parents = {key[0]: one.parent for key, one in before.items() if key not in after}
    found = Counter()  # type: Counter[int]
    for key in before.keys() - after.keys():
        above, seen = before[key].parent, {key[0]}
        while above in parents and above not in seen:
            seen.add(above)
            above = parents[above]
        found[above] += before[key].own + before[key].ended
    return found


@lru_cache(maxsize=1000)
def account(user: int) -> str:
    """Return the name of an account; its number where it has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except (KeyError, OSError):
        return str(user)

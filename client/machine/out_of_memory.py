"""The reason why the system ended a program: no memory (SIGKILL), or a file too large (SIGXFSZ)."""

import signal
from typing import Iterator, Tuple

from .facts import FILE_LIMIT, content

OWN = "/proc/self/cgroup"
MACHINE = "/proc/vmstat"
WORDS = ", out of memory"
SCORE = "/proc/self/oom_score_adj"
EARLIER = 100  # added to the score: a tenth of the memory, so that the guard is ended last


def _places() -> Iterator[str]:
    """Yield files that count such ends: of our control group (version 2 or 1), then of the machine."""
    # The own group first: the count of the machine also rises for others' programs.
    for line in content(OWN).split("\n"):
        number, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        if number == "0":
            yield "/sys/fs/cgroup%s/memory.events" % path.rstrip("/")
        elif "memory" in kinds.split(","):
            yield "/sys/fs/cgroup/memory%s/memory.oom_control" % path.rstrip("/")
    yield MACHINE


def kills() -> Tuple[str, int]:
    """Return (file, count) of programs ended for want of memory; ("", 0) where that is unknown."""
    for place in _places():
        for line in content(place).split("\n"):
            if line.startswith("oom_kill "):
                return place, int(line.split()[1])
    return "", 0


# Counted when the client starts: only what comes after that may be ours.
_seen = kills()


def has_run_out() -> bool:
    """Tell whether the system has ended a program for want of memory since this was asked last."""
    global _seen
    before, _seen = _seen, kills()
    return before[0] == _seen[0] and before[1] < _seen[1]


def why_killed(exit_code: int) -> str:
    """Return what to add to the reason of a program that ended so: out of memory, a limit, or "".

    The exit code is -9 for SIGKILL, 137 where a shell says the same of its command.
    """
    if exit_code in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ):
        return ", " + FILE_LIMIT
    if exit_code in (-9, 137) and has_run_out():
        return WORDS
    return ""


def go_first() -> None:
    """Have this process and its programs ended before its guard, when memory runs out."""
    try:
        with open(SCORE, "r+") as file:
            score = min(1000, int(file.read()) + EARLIER)
            file.seek(0)
            file.write("%d\n" % score)
    except (OSError, ValueError):  # a system without such a score
        return

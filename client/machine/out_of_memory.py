"""Why the system ended a program: memory ran out (SIGKILL), or a file came to the limit of its size (SIGXFSZ)."""

import signal
from typing import Iterator, Tuple

from .facts import FILE_LIMIT, content

OWN = "/proc/self/cgroup"
MACHINE = "/proc/vmstat"
WORDS = ", out of memory"
SCORE, EARLIER = "/proc/self/oom_score_adj", 100


def _places() -> Iterator[str]:
    """Files that count such ends: of our control group (version 2, version 1), then of the whole machine."""
    for line in content(OWN).split("\n"):
        number, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        if number == "0":
            yield "/sys/fs/cgroup%s/memory.events" % path.rstrip("/")
        elif "memory" in kinds.split(","):
            yield "/sys/fs/cgroup/memory%s/memory.oom_control" % path.rstrip("/")
    yield MACHINE


def kills() -> Tuple[str, int]:
    """Where they are counted, and how many there were; ("", 0) where the system does not tell."""
    for place in _places():
        for line in content(place).split("\n"):
            if line.startswith("oom_kill "):
                return place, int(line.split()[1])
    return "", 0


_seen = kills()


def has_run_out() -> bool:
    """Whether there was one since the last time that this was asked."""
    global _seen
    before, _seen = _seen, kills()
    return before[0] == _seen[0] and before[1] < _seen[1]


def why_killed(exit_code: int) -> str:
    """What to say of a program that ended so, -9 or a shell's 137: ", out of memory", a limit, or nothing."""
    if exit_code in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ):
        return ", " + FILE_LIMIT
    return WORDS if exit_code in (-9, 137) and has_run_out() else ""


def go_first() -> None:
    """When memory runs out, this process and its programs are ended before its guard."""
    try:
        with open(SCORE, "r+") as file:
            score = min(1000, int(file.read()) + EARLIER)
            file.seek(0)
            file.write("%d\n" % score)
    except (OSError, ValueError):  # no such thing here
        return

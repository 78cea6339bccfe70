"""Neighbours: other accounts whose clients of spe work on this host, as far as /proc shows them.

Any user may write any command line, so it is text to be doubted: at worst a neighbour is told who
is none. `spe doctor` sends this file to hosts as it is, so it needs the standard library alone.
"""

import os
import re
from collections import Counter
from glob import glob
from typing import List, Tuple

# A Python with options, the client's file, and the option that every client has. The words before
# the file must be options: `sudo`, `timeout` and the like stay above a client, with all its words.
CLIENT = rb"[^\0]+\0(-[^\0]*\0)*[^\0]*client([\w-]{0,40}\.pyz|/installed\.py)\0(?s:.*)--master[\0=]"


def neighbours() -> List[Tuple[int, int]]:
    """Return (user number, slots) of the accounts with most slots here, beside our own."""
    most = Counter()  # type: Counter[int]
    for user, slots, _ in clients():
        if user != os.getuid():
            most[user] += slots
    return most.most_common(20)


def clients() -> List[Tuple[int, int, str]]:
    """Return (user number, slots, FARM/JOB or "") of all clients here, our own among them."""
    lines = {}
    for path in glob(b"/proc/[0-9]*"):
        try:
            with open(path + b"/cmdline", "rb", 0) as file:
                # By the words: guard and hands are forks of one client, with the same ones.
                lines[os.stat(path).st_uid, file.read(4096)] = path
        except OSError:  # not for us to read, or it has just ended
            pass
    found = []
    for (user, line), path in lines.items():
        if re.match(CLIENT, line) and _is_here(path):
            slots = re.findall(rb"\0--slots[\0=](\d{1,5})\0", line)
            job = re.findall(rb"\0--job[\0=]([A-Za-z0-9-]{1,64}/\d{1,15})\0", line)
            # The cores that a client may use are fewer where a batch system or taskset says so.
            many = int(slots[-1]) if slots else os.cpu_count() or 1
            found.append((user, many, job[-1].decode() if job else ""))
    return found


def _is_here(path: bytes) -> bool:
    """Tell whether a process is none of a container, which counts as a host of its own."""
    try:
        return os.readlink(path + b"/ns/pid") == os.readlink(b"/proc/self/ns/pid")
    except OSError:  # only root sees that of others
        return True

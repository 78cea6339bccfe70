"""The names of what the system says when a file cannot grow, and what people can do about each.

A full disk, a quota and the limit of a shell are three things: making room helps against the first one only.
"""

from __future__ import annotations

import errno
import os
import resource

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: BaseException | None) -> bool:
    """Whether one of these errors lies behind this one."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__
    return False


def reason(error: OSError) -> str:
    """What a disk that takes nothing more is called."""
    if error.errno == errno.EFBIG:
        return f"the file size limit of this shell (`ulimit -f`{_limit()}) is reached"
    if error.errno == errno.EDQUOT:
        return "your disk quota is used up"
    return error.strerror or str(error)


def remedy(error: OSError) -> str:
    """What to do before the next start, as a clause."""
    if error.errno == errno.EFBIG:
        return "run it where `ulimit -f` says more"
    if error.errno == errno.EDQUOT:
        return "remove files of yours (`quota -s` says how much), or ask for a larger quota"
    return "make room" if error.errno == errno.ENOSPC else "make room, or mend what it says"


def todo(error: OSError) -> str:
    """The same as a sentence."""
    text = remedy(error)
    return f"{text[0].upper()}{text[1:]}."


def way_on(error: OSError) -> str:
    """What to do so that this process, which waits, goes on; as a clause."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if error.errno != errno.EFBIG:
        return f"{remedy(error)} and it goes on"
    if soft != hard:
        return f"`prlimit --pid {os.getpid()} --fsize={_text(hard)}` raises it, and it goes on"
    return f"end this run (Ctrl-C twice), and {remedy(error)}"


def sentence(error: OSError) -> str:
    """The same as `reason`, with the disk as its subject."""
    return "the disk is full" if error.errno == errno.ENOSPC else reason(error)


def _limit() -> str:
    soft = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return "" if soft == resource.RLIM_INFINITY else f", {soft // 1024} kB"


def _text(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)

"""Words for a file that cannot grow: what is wrong, and what the user can do about it.

A full disk, a used-up quota and the file size limit of a shell differ: making room helps against
the first one only.
"""

from __future__ import annotations

import errno
import os
import resource
import sys

# EFBIG too: a file at the limit of `ulimit -f` stops a run as a full disk does.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: BaseException | None) -> bool:
    """Return whether this error, or one that caused it, says that a file cannot grow."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        # not __context__: an error that merely came up while another was handled is another fault
        error = error.__cause__
    return False


def reason(error: OSError) -> str:
    """Return what is wrong, as a clause: "your disk quota is used up"."""
    if error.errno == errno.EFBIG:
        return f"the file size limit of this shell (`ulimit -f`{_limit()}) is reached"
    if error.errno == errno.EDQUOT:
        return "your disk quota is used up"
    return error.strerror or str(error)


def remedy(error: OSError) -> str:
    """Return what the user does before the next start, as a clause."""
    if error.errno == errno.EFBIG:
        return "run it where `ulimit -f` says more"
    if error.errno == errno.EDQUOT:
        return "remove files of yours (`quota -s` says how much), or ask for a larger quota"
    if error.errno == errno.ENOSPC:
        return "make room"
    return "make room, or mend what it says"


def todo(error: OSError) -> str:
    """Return the same as `remedy`, as a sentence."""
    text = remedy(error)
    return f"{text[0].upper()}{text[1:]}."


def way_on(error: OSError) -> str:
    """Return what the user does so that this waiting process goes on, as a clause."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if error.errno != errno.EFBIG:
        return f"{remedy(error)} and it goes on"
    if soft != hard:
        # The limit of a running process can be raised from outside, up to its hard limit.
        return f"`prlimit --pid {os.getpid()} --fsize={_text(hard)}` raises it, and it goes on"
    # Who reads the log of a detached run has no terminal of it to press Ctrl-C on.
    how = "Ctrl-C twice" if sys.stderr.isatty() else "`spe stop --now`"
    return f"end this run ({how}), and {remedy(error)}"


def sentence(error: OSError) -> str:
    """Return the same as `reason`, with the disk as its subject."""
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    return reason(error)


def _limit() -> str:
    soft = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if soft == resource.RLIM_INFINITY:  # raised since the error: then there is no figure to tell
        return ""
    return f", {soft // 1024} kB"


def _text(limit: int) -> str:
    if limit == resource.RLIM_INFINITY:
        return "unlimited"
    return str(limit)

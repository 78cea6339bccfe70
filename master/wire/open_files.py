"""The open files of this process: how many the system allows, and how many connections may take.

Each connection is an open file, and so is each result that is being written.
"""

from __future__ import annotations

import contextlib
import os
import resource

MOST_FILES = 65536  # open files and connections that the master asks the system for


def files_for_connections() -> int:
    """Return the number of open files up to which connections are accepted.

    The rest is kept for the work: results, the database.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        limit = MOST_FILES
    return limit - max(32, min(256, limit // 4))


def open_files() -> int:
    """Return how many files this process has open; the most allowed when none is left to look."""
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:
        return MOST_FILES


def ask_for_files() -> None:
    """Raise the limit of open files: each connection is one, and many systems allow 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # then the limit stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

"""Which process a number means: numbers come again, the moment in which a process began does not."""

from __future__ import annotations

from pathlib import Path


def began(pid: int) -> str:
    """When the process of this number began, in the system's own count; "" when there is none, or it is not told."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""

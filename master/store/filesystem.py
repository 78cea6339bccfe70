"""Finds what kind of file system a folder lies on.

It decides whether a database there can have a write-ahead log: that log needs shared memory beside
the database, which does not work where the file is another machine's.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..record import record

MOUNTS = Path("/proc/self/mountinfo")
#: Kinds whose files several machines may have open: network file systems, then cluster file
#: systems.
REMOTE = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "coda", "davfs", "vboxsf"),
    *("lustre", "gpfs", "beegfs", "panfs", "orangefs", "pvfs2", "ocfs2", "gfs2", "fuse"),
}


@record
class FileSystem:
    """A mount, as the kernel describes it."""

    kind: str  # nfs4, ext4, fuse.sshfs
    source: str  # server:/export

    @property
    def is_remote(self) -> bool:
        """Tell whether another machine may have the files.

        Of FUSE nobody knows, so that counts too.
        """
        return self.kind in REMOTE or self.kind.startswith("fuse.")

    def __str__(self) -> str:
        return f"{self.kind} ({self.source})"


def of(folder: Path, mounts: Path = MOUNTS) -> FileSystem | None:
    """Return the file system that the folder lies on; None where the system does not tell."""
    place = folder.resolve()
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError:
        return None
    found = None
    best = -1  # parts of the longest mount point that leads to the folder
    # Not splitlines: a name may have other characters that Python takes for the end of a line.
    for line in filter(None, lines):
        left, _, right = line.partition(" - ")
        point = Path(_unescaped(left.split(" ")[4]))
        # If two mounts have one place, the later one is seen.
        if place.is_relative_to(point) and len(point.parts) >= best:
            kind, source = right.split(" ")[:2]
            found = FileSystem(kind, _unescaped(source))
            best = len(point.parts)
    return found


def _unescaped(text: str) -> str:
    """Return a name in a list of mounts, where blanks and their like are octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def remote(folder: Path) -> FileSystem | None:
    """Return the file system of the folder if a write-ahead log cannot be used there."""
    found = of(folder)
    if found is None or not found.is_remote:
        return None
    return found


def warnings(folder: Path) -> list[str]:
    """Return what the user is told about the file system of this folder: one sentence or none."""
    found = remote(folder)
    if not found:
        return []
    return [
        f"{folder} lies on {found}: the database goes without its write-ahead log, "
        "which is not safe there, and many short tasks take longer; "
        "run the sweep in a folder on a disk of this machine if you can"
    ]

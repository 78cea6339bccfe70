"""What kind of file system a folder lies on, and whether a database there can use shared memory beside its file.

SQLite's write-ahead log needs that, and it does not work where the file is another machine's.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..record import record

MOUNTS = Path("/proc/self/mountinfo")
REMOTE = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "coda", "davfs", "vboxsf",
    "lustre", "gpfs", "beegfs", "panfs", "orangefs", "pvfs2", "ocfs2", "gfs2", "fuse",
}  # fmt: skip


@record
class FileSystem:
    """One mount."""

    kind: str  # nfs4, ext4, fuse.sshfs
    source: str  # server:/export

    @property
    def is_remote(self) -> bool:
        """Whether another machine may have the files. Of FUSE nobody knows, so that counts too."""
        return self.kind in REMOTE or self.kind.startswith("fuse.")

    def __str__(self) -> str:
        return f"{self.kind} ({self.source})"


def of(folder: Path, mounts: Path = MOUNTS) -> FileSystem | None:
    """What the folder lies on; None where the system does not tell."""
    place = folder.resolve()
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError:
        return None
    found, best = None, -1
    for line in filter(None, lines):  # a name may have other characters that Python takes for the end of a line
        left, _, right = line.partition(" - ")
        point = Path(_unescaped(left.split(" ")[4]))
        if place.is_relative_to(point) and len(point.parts) >= best:  # of two at one place the later one is seen
            kind, source = right.split(" ")[:2]
            found, best = FileSystem(kind, _unescaped(source)), len(point.parts)
    return found


def _unescaped(text: str) -> str:
    """The kernel writes blanks and their like as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def remote(folder: Path) -> FileSystem | None:
    """The file system of the folder if a write-ahead log cannot be used there."""
    found = of(folder)
    return found if found and found.is_remote else None


def warnings(folder: Path) -> list[str]:
    """What the user is told about it, if anything."""
    found = remote(folder)
    if not found:
        return []
    return [
        f"{folder} lies on {found}: the database goes without its write-ahead log, which is not safe there, and many "
        "short tasks take longer; run the sweep in a folder on a disk of this machine if you can"
    ]

"""A limit of memory for processes, as a control group of the kernel's: whoever wants more is ended by the system."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from needs import need, need_root
from waiting import wait_until

from .host import CGROUPS

VERSION_1 = Path("/sys/fs/cgroup/memory")


class MemoryGroup:
    """Processes that have so many bytes together."""

    def __init__(self, folder: Path, limit: str, usage: str, size: int) -> None:
        self.folder, self._limit, self._usage = folder, folder / limit, folder / usage
        self.size = size
        self.allow(size)

    @property
    def before(self) -> tuple[str, ...]:
        """Words before a command that make it begin in the group."""
        return ("sh", "-c", f'echo $$ > {self.folder}/cgroup.procs; exec "$@"', "sh")

    @contextlib.contextmanager
    def ballast(self, size: int) -> Iterator[None]:
        """So many bytes are in use by no process.

        By how much a process is to go before others is a part of all memory: of a few megabytes it would be nothing.
        """
        with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
            words = (*self.before, "sh", "-c", f"head -c {size} /dev/zero > {file.name}")
            subprocess.run(words, check=True)
            yield

    def allow(self, size: int) -> None:
        self._limit.write_text(str(size))

    def squeeze(self) -> None:
        """Take away what is free, and a little more: the system ends the largest process when that wants any."""
        with contextlib.suppress(OSError):  # version 1 of control groups refuses to take what is in use
            self.allow(max(1 << 20, int(self._usage.read_text()) - (256 << 10)))


@contextlib.contextmanager
def memory_group(size: int) -> Iterator[MemoryGroup]:
    """A group that is there for a while."""
    need_root()
    top, limit, usage = _kind()
    folder = top / f"spe-tests-{os.getpid()}"
    folder.mkdir()
    try:
        yield MemoryGroup(folder, limit, usage, size)
    finally:
        wait_until(lambda: not (folder / "cgroup.procs").read_text(), "the group is empty")
        folder.rmdir()


def _kind() -> tuple[Path, str, str]:
    """Where groups are made, and the names of the files with the limit and with what is in use."""
    offered = CGROUPS / "cgroup.controllers"
    if offered.exists() and "memory" in offered.read_text().split():
        (CGROUPS / "cgroup.subtree_control").write_text("+memory")
        return CGROUPS, "memory.max", "memory.current"
    need((VERSION_1 / "memory.limit_in_bytes").exists(), "needs control groups of the kernel with a limit of memory")
    return VERSION_1, "memory.limit_in_bytes", "memory.usage_in_bytes"

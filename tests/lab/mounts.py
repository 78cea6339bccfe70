"""Mounts of stalefs.py: one folder as several hosts see it over NFS, and mounts that hang."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from needs import need, need_program, need_root
from waiting import wait_until

SECONDS = 3.0  # as old as the kernel's NFS keeps what it has seen of files, at least


class Mount:
    """One host's view of the folder."""

    def __init__(self, served: Path, path: Path, seconds: float = SECONDS, name: str = "stale") -> None:
        self.path = path
        self._full = served.with_name(f"{served.name}.full")
        path.mkdir(parents=True, exist_ok=True)
        program = Path(__file__).with_name("stalefs.py")
        words = [sys.executable, str(program), str(served), str(path), str(seconds), name, str(self._full)]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, cwd="/")
        wait_until(self._is_up, f"a mount on {path}")

    def _is_up(self) -> bool:
        assert self.process.poll() is None, "the mount's process has ended"
        return os.path.ismount(self.path)

    def fill(self, number: int = errno.ENOSPC) -> None:
        """The server's disk is full, or with EDQUOT a quota is used up, as is said when something is synced."""
        made = self._full.with_suffix(".made")
        made.write_text(str(number))
        made.rename(self._full)

    def make_room(self) -> None:
        self._full.unlink()

    def hang(self) -> None:
        """The server is away: whoever touches this mount waits."""
        self.process.send_signal(signal.SIGSTOP)

    def heal(self) -> None:
        """It is back."""
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Who still waits is told that the mount is gone."""
        self.heal()
        self.process.kill()
        self.process.wait()
        subprocess.run(["umount", "-l", str(self.path)], check=True)


@contextlib.contextmanager
def mounts(served: Path, paths: Sequence[Path], seconds: float = SECONDS, name: str = "stale") -> Iterator[list[Mount]]:
    """One mount of the folder at each path."""
    need_root()
    need_program("fusermount3", "fuse3")
    need(importlib.util.find_spec("mfusepy"), "needs mfusepy: pip install mfusepy")
    need(Path("/dev/fuse").exists(), "needs /dev/fuse in the kernel")
    made: list[Mount] = []
    try:
        for path in paths:
            made.append(Mount(served, path, seconds, name))
        yield made
    finally:
        for mount in made:
            mount.close()

"""A real client of the packed kind, started in folders of the test's own; and how to look at processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .pretended_master import SESSION


class Started:
    """A client that was started, and the folders that it may use."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.workdir, self.cache = folder / "work", folder / "cache"
        self.pyz = folder / "spe-client.pyz"
        self.process: subprocess.Popen[str] | None = None

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, "SHELL": "/bin/sh", "XDG_CACHE_HOME": str(self.cache), **more}

    def start(self, *arguments: str, python: str = sys.executable, session: str = SESSION, **more: str) -> Started:
        words = [python, str(self.pyz), "--master", self.url, "--workdir", str(self.workdir), "--host", "h", *arguments]
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(**more),
        )
        assert self.process.stdin
        self.process.stdin.write(session + "\n")
        self.process.stdin.close()
        self.process.stdin = None
        return self

    def end(self, seconds: float = 30) -> tuple[int, str]:
        """Wait until it has ended: exit code and what it said."""
        assert self.process
        try:
            _, said = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            raise AssertionError(f"the client did not end: {self.process.communicate()}") from None
        return self.process.returncode, said

    def run(self, *arguments: str, **more: Any) -> tuple[int, str]:
        return self.start(*arguments, **more).end()

    def base(self) -> Path:
        """The client's folder, once it is there."""
        wait_until(lambda: any(self.workdir.glob("spe-*/client.lock")))
        (found,) = self.workdir.glob("spe-*/client.lock")
        return found.parent


def is_alive(pid: int) -> bool:
    """A process that runs; a zombie is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(condition: Callable[[], Any], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not so in time"
        time.sleep(0.01)

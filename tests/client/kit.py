"""A real client of the packed kind, started in folders of the test's own; and how to look at processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from waiting import wait_until

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

    def end(self, seconds: float = 60) -> tuple[int, str]:
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
        wait_until(lambda: any(self.workdir.glob("spe-*/client.lock")), "the client has its folder")
        (found,) = self.workdir.glob("spe-*/client.lock")
        return found.parent


def python_that(folder: Path, changes: str) -> str:
    """Return a Python that makes these changes to the client, whose package it calls spe_client, and then runs it."""
    first = "import runpy, sys\nsys.argv = sys.argv[1:]\nsys.path.insert(0, sys.argv[0])\n"
    last = "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    (folder / "changed.py").write_text(f"{first}{changes}\n{last}")
    wrapper = folder / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} {folder}/changed.py "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper)

"""A terminal in tmux: what is on its screen, and windows that change their size."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from needs import need_program
from waiting import wait_until

from .kit import Bench

HEIGHT = 24


class Window:
    """One command in a window of a tmux server of its own."""

    def __init__(self, bench: Bench, width: int, words: list[str], **variables: str) -> None:
        socket = str(bench.root / f"tmux-{width}-{len(words)}")
        self._tmux = [need_program("tmux", "tmux"), "-S", socket, "-f", "/dev/null"]
        environment = {**bench.environment, "TERM": "screen-256color", **variables}
        # The prompt at the end is a line that the test can wait for, below what the command has left.
        line = f"{shlex.join(words)}; echo; echo ended $?; exec sleep 1000"
        size = ("-x", str(width), "-y", str(HEIGHT))
        clean = ("env", "-i", *(f"{name}={value}" for name, value in environment.items()))
        self.call("new-session", "-d", *size, "-c", str(bench.folder), *clean, "sh", "-c", line)

    def call(self, *words: str) -> str:
        done = subprocess.run([*self._tmux, *words], capture_output=True, text=True, timeout=30, check=True)
        return done.stdout

    def resize(self, width: int, height: int = HEIGHT) -> None:
        self.call("resize-window", "-x", str(width), "-y", str(height))

    @property
    def screen(self) -> str:
        return self.call("capture-pane", "-p")

    @property
    def everything(self) -> str:
        """What has ever been on the screen, with its control sequences for colours."""
        return self.call("capture-pane", "-p", "-e", "-S", "-")

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.screen, text)

    def press(self, key: str) -> None:
        self.call("send-keys", key)

    def end(self) -> None:
        self.call("kill-server")


@contextmanager
def window(bench: Bench, width: int, *words: str, **variables: str) -> Iterator[Window]:
    """Run `spe WORDS` in a window; `variables` are added to its environment."""
    made = Window(bench, width, [sys.executable, "-m", "spe", *words], **variables)
    try:
        yield made
    finally:
        made.end()

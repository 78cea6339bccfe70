"""The line and bar on a terminal. What it says is progress.py's; only here is rich."""

from __future__ import annotations

import io

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Bar:
    """Shown from when it is made until `stop`; lines come above it."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True, highlight=False, soft_wrap=True),
            transient=True,
        )
        self._sweep = self._bar.add_task("starting", total=None)
        self._bar.start()

    def line(self, text: str) -> None:
        """One line for the user."""
        self._bar.console.print(text, markup=False, emoji=False)

    def show(self, text: str, finished: int, total: int | None) -> None:
        """How far the sweep is."""
        self._bar.update(self._sweep, description=text, completed=finished, total=total)

    def stop(self, terminal: bool = True) -> None:
        """The terminal is as before; one that is gone cannot be written to."""
        if not terminal:
            self._bar.console.file = io.StringIO()
        self._bar.stop()

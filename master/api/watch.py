"""A consistent copy of how a running sweep stands, for programs in Python: `spe.watch`. The stream is calling.py's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..session.calling import Event, events, find
from ..state.patch import apply

Changed = Callable[[dict[str, Any], dict[str, Any]], object]
Noted = Callable[[dict[str, Any]], object]


class Watch:
    """`copy` is it, never half changed: each change makes a new one."""

    def __init__(self, folder: Path, changed: Changed | None = None, noted: Noted | None = None) -> None:
        """`changed(state, change)` is called for each change, `noted(note)` for each event of the run."""
        self.folder, self._copy = folder, dict[str, Any]()
        self._changed, self._noted = changed, noted
        self._thread: threading.Thread | None = None
        self._fault: Exception | None = None
        find(folder)  # who mistypes a name wants to hear it now

    @property
    def state(self) -> dict[str, Any]:
        """How the sweep stands, as far as it was heard; empty before the first word."""
        return self._copy

    def __iter__(self) -> Iterator[Event]:
        """Each event after it was applied, until the run has ended."""
        for event, data in events(self.folder):
            if event == "state":
                self._copy = data
            elif event == "change":
                self._copy = apply(self._copy, data)
            self._call(event, data)
            yield event, data

    def _call(self, event: str, data: dict[str, Any]) -> None:
        if event == "note" and self._noted:
            self._noted(data)
        elif event != "note" and self._changed:
            self._changed(self._copy, data)

    def run(self) -> dict[str, Any]:
        """Follow until the run has ended; the last state."""
        for _ in self:
            continue
        return self._copy

    def start(self) -> Watch:
        """The same in a thread: the caller goes on, and reads `state` when it likes."""
        self._thread = threading.Thread(target=self._work, name="spe.watch", daemon=True)
        self._thread.start()
        return self

    def _work(self) -> None:
        try:
            self.run()
        except Exception as error:  # it belongs to whoever waits
            self._fault = error

    def wait(self, seconds: float | None = None) -> bool:
        """Wait, after `start`, for the end of the run; False when it goes on. Raises what went wrong meanwhile."""
        if self._thread:
            self._thread.join(seconds)
        if self._fault:
            raise self._fault
        return self._thread is None or not self._thread.is_alive()


def folder_of(sweep: str | Path) -> Path:
    """runs/<name>/ of a name, or that folder itself."""
    given = Path(sweep)
    if (given / "sweep.db").exists() or (given / "master.json").exists():
        return given
    return Path("runs") / given

"""Follow a running sweep from a Python program: `spe.watch`. session/calling.py reads the stream of events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..session.calling import Event, events, find
from ..session.known_runs import unknown_run
from ..state.lines import counts
from ..state.patch import apply

Changed = Callable[[dict[str, Any], dict[str, Any]], object]
Noted = Callable[[dict[str, Any]], object]


class Watch:
    """A copy of one running sweep's state, kept up to date from its stream until the run ends.

    Each change makes a new copy, so a reader in another thread never sees one that is half changed.
    """

    def __init__(
        self, folder: Path, changed: Changed | None = None, noted: Noted | None = None
    ) -> None:
        """Raise UsageError when no master works in `folder` now.

        `changed(state, change)` is called for each change, `noted(note)` for each event of the run.
        """
        self.folder = folder
        self._copy = dict[str, Any]()
        self._changed = changed
        self._noted = noted
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        find(folder)  # here and not at the first event: a mistyped name is reported at once

    def __repr__(self) -> str:
        """Return the name and how far the run was at the last event."""
        said = counts(self._copy) if "sweep" in self._copy else "not followed yet"
        return f"watch of {self.folder.name}: {said}"

    @property
    def state(self) -> dict[str, Any]:
        """State of the sweep after the last event; empty before the first one."""
        return self._copy

    def __iter__(self) -> Iterator[Event]:
        """Yield each event after it was applied to `state`, until the run has ended."""
        for event, data in events(self.folder):
            if event == "state":
                self._copy = data
            elif event == "change":
                # not in place: a dict that another thread iterates over must not change under it
                self._copy = apply(self._copy, data)
            self._call(event, data)
            yield event, data

    def _call(self, event: str, data: dict[str, Any]) -> None:
        if event == "note" and self._noted:
            self._noted(data)
        elif event != "note" and self._changed:
            self._changed(self._copy, data)

    def run(self) -> dict[str, Any]:
        """Follow the sweep until the run has ended, and return its last state."""
        for _ in self:  # the callbacks do the work; the events themselves are of no use here
            continue
        return self._copy

    def start(self) -> Watch:
        """Follow the sweep in a thread and return at once; `state` may be read at any time."""
        # A daemon thread: a program that ends without wait() must not hang until the sweep is over.
        self._thread = threading.Thread(target=self._follow, name="spe.watch", daemon=True)
        self._thread.start()
        return self

    def _follow(self) -> None:
        try:
            self.run()
        except Exception as error:  # kept for wait(): printed by the thread it would be lost
            self._error = error

    def wait(self, seconds: float | None = None) -> bool:
        """Return True when the run has ended, False when it still goes on after `seconds`.

        Only after `start`. Raises the error that ended the thread, if there was one.
        """
        if self._thread:
            self._thread.join(seconds)
        if self._error:
            raise self._error
        return self._thread is None or not self._thread.is_alive()


def folder_of(sweep: str | Path) -> Path:
    """Return runs/<name>/ for the name of a sweep; a folder of a sweep is returned as it is.

    Raises UsageError for what is neither.
    """
    given = Path(sweep)
    for folder in (given, Path("runs") / given):
        # The session, too: a run that has just begun may not have made its database yet.
        if any((folder / one).exists() for one in ("sweep.db", "master.json", "session")):
            return folder
    raise unknown_run(str(sweep), Path("runs"))

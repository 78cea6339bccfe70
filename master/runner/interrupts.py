"""A run that is told to end: Ctrl-C and SIGTERM drain it, a second one stops it; a closed terminal ends nothing."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

from ..desk.desk import Desk
from ..session.detached import LOG, leave_terminal
from ..session.run_folder import Folder, anchor_of
from ..state.progress import Progress

BY_HAND = "the run was stopped by hand (`spe stop`)"
BY_SIGNAL = {
    signal.SIGINT: "the run was interrupted (Ctrl-C)", signal.SIGTERM: "the run was ended by a signal (SIGTERM)",
}  # fmt: skip


class Interrupts:
    """How often it was told so: by a signal, or by people on the page."""

    def __init__(self, desk: Desk, progress: Progress, folder: Folder) -> None:
        self.desk, self.progress, self.folder = desk, progress, folder
        self.count = 0
        self._pending: set[asyncio.Task[None]] = set()

    def _signalled(self, number: signal.Signals) -> None:
        self.interrupt(by=BY_SIGNAL[number])

    def interrupt(self, now: bool = False, by: str = BY_HAND) -> None:
        """What Ctrl-C does; `now`: what a second one does. `by`: why sets wait afterwards."""
        self.count = max(self.count + 1, 2 if now else 1)
        self.desk.shortfall.note(by + (" while the sweep was paused" if self.desk.dispatch.steering.paused else ""))
        self.progress.interrupted(self.count, self.desk.dispatch.board.with_slot)
        if self.count > 1:
            self.desk.store.disk.end()
        task = asyncio.ensure_future(self.desk.drain() if self.count == 1 else self.desk.stop())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    def _hung_up(self) -> None:
        self.progress.end(terminal=False)
        leave_terminal(anchor_of(self.folder))
        self.progress.line(f"the terminal is gone; the sweep goes on, this is {self.folder}/{LOG}")

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Signals are taken for that meanwhile."""
        loop = asyncio.get_running_loop()
        for number in BY_SIGNAL:
            loop.add_signal_handler(number, self._signalled, number)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        try:
            yield
        finally:
            for number in (*BY_SIGNAL, signal.SIGHUP):
                loop.remove_signal_handler(number)

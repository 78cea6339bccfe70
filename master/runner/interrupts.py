"""The signals that tell a run to end: Ctrl-C and SIGTERM drain it, and a second one stops it.

A closed terminal (SIGHUP) ends nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from datetime import datetime

from ..desk.desk import Desk
from ..session.detached import LOG, leave_terminal
from ..session.run_folder import Folder, anchor_of
from ..state.progress import Progress

LOOK = 10.0  # seconds between two looks at the clock, at most
BY_HAND = "the run was stopped by hand (`spe stop`)"
BY_SIGNAL = {
    signal.SIGINT: "the run was interrupted (Ctrl-C)",
    signal.SIGTERM: "the run was ended by a signal (SIGTERM)",
}


class Interrupts:
    """The interrupts of one run, by signals or by people. `count`: how often it was told to end."""

    def __init__(self, desk: Desk, progress: Progress, folder: Folder) -> None:
        self.desk, self.progress, self.folder = desk, progress, folder
        self.count = 0
        self._pending: set[asyncio.Task[None]] = set()  # asyncio itself keeps no task alive

    def _signalled(self, number: signal.Signals) -> None:
        self.interrupt(by=BY_SIGNAL[number])

    def interrupt(self, now: bool = False, by: str = BY_HAND) -> None:
        """Drain the run, or stop it when it is told so again.

        `now`: stop it at once. `by`: why sets wait afterwards.
        """
        self.count += 1
        if now:
            self.count = max(2, self.count)
        if self.desk.dispatch.steering.paused:
            by += " while the sweep was paused"
        self.desk.shortfall.note(by)
        self.progress.interrupted(self.count, self.desk.dispatch.board.with_slot)
        ending = self.desk.drain
        if self.count > 1:
            # A full disk may never take what is left: whoever presses twice must not wait for it.
            self.desk.store.disk.end()
            ending = self.desk.stop
        task = asyncio.ensure_future(ending())  # a signal handler cannot wait
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def drain_at(self, moment: float) -> None:
        """Drain the run at a time, in seconds since 1970, as `spe stop` does."""
        while (left := moment - time.time()) > 0:
            # In short steps: the clock goes on while the machine sleeps, and a timer does not.
            await asyncio.sleep(min(left, LOOK))
        shown = datetime.fromtimestamp(moment).strftime("%H:%M")
        self.interrupt(by=f"the run was to go until {shown} (`--until`)")
        await asyncio.Event().wait()  # nothing more to do here; the run ends this task at its end

    def _hung_up(self) -> None:
        self.progress.end(terminal=False)
        leave_terminal(anchor_of(self.folder))
        self.progress.line(
            f"the terminal was closed; the run goes on, and its output goes to {self.folder}/{LOG}"
        )

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Take signals as interrupts while the context is open."""
        loop = asyncio.get_running_loop()
        for number in BY_SIGNAL:
            loop.add_signal_handler(number, self._signalled, number)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        try:
            yield
        finally:
            for number in (*BY_SIGNAL, signal.SIGHUP):
                loop.remove_signal_handler(number)

"""How a loop is woken: by signals, by other processes, and by other threads that post what it is to do."""

import os
import select
import signal
from typing import Any, Callable, List, Optional, Sequence

from ..machine import process_tree
from .channel import Channel

ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # signals by which a client, or its whole host, is ended
CHILD = int(signal.SIGCHLD)


class WakeupPipe:
    """The wake-up pipe of a loop, the signals that ring it, and the messages that other threads have posted."""

    def __init__(self) -> None:
        bell, self._ring = os.pipe()
        os.set_blocking(self._ring, False)
        os.set_blocking(bell, False)
        self._bells = [bell]
        self._signals: List[int] = []  # files of signals
        self._told_to_end: Callable[[int, int], None] = lambda number, sender: None

    def hear_signals(self, ended: Callable[[int, Any], None]) -> None:
        """Children that end ring; the signals that end a client ring and call `ended`. For the main thread."""
        signal.set_wakeup_fd(self._ring)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler of ours, or else the bell would not ring
        for number in ENDS:
            signal.signal(number, ended)

    def hear_by_file(self, told_to_end: Callable[[int, int], None]) -> None:
        """Hear signals by a file, where the system has such a thing: a handler would have `wait` begin anew.

        `told_to_end` gets the number of a signal that ends hosts, and the process that sent it.
        """
        self._told_to_end = told_to_end
        self._signals = process_tree.file_of_signals([signal.SIGCHLD, *ENDS])

    def ring(self) -> None:
        """Wake the loop. For any thread, and for signal handlers."""
        try:
            os.write(self._ring, b"\0")
        except BlockingIOError:  # full: the bell rings already
            return

    def wait(self, patience: Optional[float], channels: Sequence[Channel] = ()) -> List[Channel]:
        """Until the bell rings, or one of these can be read (or has room for what it could not send), or so long.

        Those that can be read.
        """
        ends: List[Any] = [*self._bells, *self._signals, *channels]
        found = select.select(ends, [one for one in channels if one.unsent], [], patience)
        for bell in self._bells:
            if bell in found[0]:
                os.read(bell, 4096)
        for file in self._signals:
            if file in found[0]:
                self._hear_signals_of(file)
        for channel in found[1]:
            channel.flush()
        return [one for one in channels if one in found[0]]

    def _hear_signals_of(self, file: int) -> None:
        content = os.read(file, 4096)
        if len(content) == process_tree.SIGNAL and content[0] == CHILD:  # so it is after each short task
            return
        for number, sender in process_tree.signals_in(content):
            if number != signal.SIGCHLD:
                self._told_to_end(number, sender)

"""The wake-up pipe of a loop, rung by signals, by children that end and by other threads."""

import os
import select
import signal
from typing import Any, Callable, List, Optional, Sequence

from ..machine import process_tree
from .channel import Channel

# Signals by which a client, or its whole host, is ended.
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
CHILD = int(signal.SIGCHLD)


class WakeupPipe:
    """The pipe on which one loop waits, beside its channels. Lives as long as its process."""

    def __init__(self) -> None:
        bell, self._ring = os.pipe()
        os.set_blocking(self._ring, False)
        os.set_blocking(bell, False)
        self._bells = [bell]  # the end that is read, as a list like the other things to wait for
        self._signals: List[int] = []  # files of signals
        self._told_to_end: Callable[[int, int], None] = lambda number, sender: None

    def hear_signals(self, ended: Callable[[int, Any], None]) -> None:
        """Have children that end ring, and signals that end a client ring and call `ended`.

        Only the main thread may do so.
        """
        signal.set_wakeup_fd(self._ring)
        # Python writes into the pipe only for signals that have a handler in Python.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in ENDS:
            signal.signal(number, ended)

    def hear_by_file(self, told_to_end: Callable[[int, int], None]) -> None:
        """Hear signals by a file (signalfd), where the system has such files.

        Handlers remain for the others.

        A handler costs more: Python calls it, then begins `select` anew. `told_to_end` gets the
        number of a signal that ends hosts, and the process that sent it.
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
        """Wait for a ring or a channel, at most `patience` seconds, None for ever.

        Return the readable channels.

        A channel that has unsent messages is flushed when there is room for them.
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
        # The usual case, after each short task, is not worth unpacking.
        if len(content) == process_tree.SIGNAL and content[0] == CHILD:
            return
        for number, sender in process_tree.signals_in(content):
            if number != signal.SIGCHLD:
                self._told_to_end(number, sender)

"""One host: its watcher is started, heard, and started again. A thread of its own for each host."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

from ...errors import Fault, LaunchError
from ...launch import Options
from ...model import Host
from . import program
from .here import HereTalk
from .line import WrongLine, read_line
from .seen import Seen
from .turns import Turns

FIRST_PAUSE, MOST_PAUSE = 2.0, 60.0  # seconds between two starts
MISSED = 3  # intervals without a line, after which a watcher is started again
LEASE = 6  # intervals without a sign of life from us, after which a watcher ends
log = logging.getLogger("spe.farm.watch")


class Talking(Protocol):
    """A program that runs on a host: launch/ssh/programs/talk.Talk, or a child process."""

    def send(self, data: bytes, limit: float) -> None:
        """Send bytes to the program."""

    def read_line(self, limit: float) -> bytes:
        """Return the next line of its output."""

    def close(self) -> None:
        """End the talk."""


class OneHost:
    """The watcher of one host, from `start` to `close`.

    Nothing that the host does reaches others: the thread alone waits for it.
    """

    def __init__(
        self,
        name: str,
        host: Host,
        options: Options,
        turns: Turns,
        interval: float,
        tell: Callable[[str, float, Seen], None],
    ) -> None:
        """`name`: in the farm. `tell` is called in the thread of this host with it, the time, and what was seen."""
        self.name, self.host = name, host
        self.fault: LaunchError | None = None  # why it is not heard now
        self._options, self._turns = options, turns
        self._interval, self._tell = interval, tell
        self._closed = threading.Event()
        self._talk: Talking | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"watch-{host.name}")

    def start(self) -> None:
        """Begin to keep a watcher there."""
        self._thread.start()

    def close(self) -> None:
        """End the watcher. Returns at once; a start on its way ends by itself."""
        self._closed.set()
        with self._lock:
            talk = self._talk
        if talk:
            talk.close()

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread, but not for a host that hangs."""
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._closed.is_set():
            began = time.monotonic()
            try:
                self._watch()
            except LaunchError as error:
                self._note(error)
            except Exception as error:
                # A fault of ours at one host: said, and tried again like any other.
                log.exception("%s: its watcher", self.host.name)
                self._note(LaunchError(Fault.START, repr(error), where=self.host.name))
            if time.monotonic() - began > 10 * self._interval:
                pause = FIRST_PAUSE
            # Random, so that hosts that were lost together do not all come back at once.
            self._closed.wait(pause * random.uniform(0.7, 1.3))
            pause = min(MOST_PAUSE, pause * 2)

    def _note(self, error: LaunchError) -> None:
        if self._closed.is_set():
            return
        if self.fault is None or self.fault.what != error.what:
            log.warning("%s", error.line)
        self.fault = error

    def _watch(self) -> None:
        """Start a watcher and take in its lines. Raises LaunchError when it is not heard any more."""
        with self._turns.turn():
            if self._closed.is_set():
                return
            talk = self._open()
        with self._lock:
            self._talk = talk
        try:
            while not self._closed.is_set():
                self._hear(talk)
        finally:
            talk.close()

    def _open(self) -> Talking:
        first = program.sent_first(self._interval, max(1, round(LEASE * self._interval)))
        if self.host.is_here:
            return HereTalk(program.PROGRAM, first)
        # Imported here: paramiko takes a third of a second to load.
        from ...launch.ssh.programs.talk import Talk

        return Talk(self.host, self._options, program.PROGRAM, first)

    def _hear(self, talk: Talking) -> None:
        line = self._next_line(talk)
        now = time.monotonic()
        try:
            seen = read_line(line)
        except WrongLine as error:
            what = f"its watcher sends what cannot be understood: {error}"
            raise LaunchError(Fault.START, what, where=self.host.name) from error
        talk.send(b"\n", MISSED * self._interval)
        if self.fault is not None:
            log.info("%s: its watcher is heard again", self.host.name)
        self.fault = None
        self._tell(self.name, now, seen)

    def _next_line(self, talk: Talking) -> bytes:
        """Return the next line of the watcher itself.

        Others are words of its shell or its Python, which are in the error of its end.
        """
        limit = MISSED * self._interval
        end = time.monotonic() + limit
        while True:
            line = talk.read_line(limit)
            if line.startswith(b"{"):
                return line
            if time.monotonic() > end:
                what = f"its watcher told nothing for {limit:.0f} s"
                raise LaunchError(Fault.TIMEOUT, what, where=self.host.name)

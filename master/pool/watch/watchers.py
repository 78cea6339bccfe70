"""The watchers of all hosts of a farm."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from ...launch import Options
from ...model import Host
from .one_host import OneHost
from .seen import Seen
from .turns import Turns

INTERVAL = 10.0  # seconds between two lines of a watcher


class Watchers:
    """One watcher a host, and the last that each has told. Lives until `close`.

    Its methods may be called from any thread; none waits for a host.
    """

    def __init__(
        self, options: Options, interval: float = INTERVAL, turns: Turns | None = None
    ) -> None:
        self.interval = interval
        self._options, self._turns = options, turns or Turns()
        self._hosts: dict[str, OneHost] = {}
        self._seen: dict[str, tuple[float, Seen]] = {}
        self._lock = threading.Lock()

    def watch(self, hosts: Mapping[str, Host], interval: float = 0.0) -> None:
        """Watch these hosts from now on, and no others. A changed line is a new start.

        hosts: name in the farm -> the way there, which for the farm's own host is `localhost`.
        interval: seconds between two lines of a watcher, 0 for as before.
        """
        if interval and interval != self.interval:
            self.interval = interval
            self.watch({})  # a watcher is told its interval once, when it starts
        for name, watched in list(self._hosts.items()):
            if hosts.get(name) != watched.host:
                watched.close()
                del self._hosts[name]
                with self._lock:
                    self._seen.pop(name, None)
        for name, host in hosts.items():
            if name not in self._hosts:
                made = OneHost(name, host, self._options, self._turns, self.interval, self._note)
                self._hosts[name] = made
                made.start()

    def _note(self, name: str, now: float, seen: Seen) -> None:
        with self._lock:
            self._seen[name] = now, seen

    @property
    def seen(self) -> Mapping[str, tuple[float, Seen]]:
        """Host -> (monotonic time, what its watcher told last)."""
        with self._lock:
            return dict(self._seen)

    def unheard(self, name: str) -> str:
        """Return why the watcher of a host is not heard, as one sentence; "" while it is."""
        watched = self._hosts.get(name)
        if watched is None:
            return "it is not watched"
        fault = watched.fault
        return fault.what if fault else ""

    def close(self, seconds: float = 5.0) -> None:
        """End all watchers. Waits so long for their threads, in all."""
        end = time.monotonic() + seconds
        for watched in self._hosts.values():
            watched.close()
        for watched in self._hosts.values():
            watched.join(max(0.0, end - time.monotonic()))
        self._hosts = {}

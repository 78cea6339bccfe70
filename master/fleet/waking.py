"""Notices that this master was suspended: a laptop that slept, Ctrl-Z, a stopped container."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..desk.events import Events
from ..dispatch.losses import Naps
from ..text import seconds, span

STOPPED = 5.0  # seconds between two looks after which the master must have been suspended meanwhile
# A clock that goes on while the machine sleeps. Linux stops CLOCK_MONOTONIC then, macOS does not.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def sleepless() -> float:
    """Return seconds of a clock that goes on while the machine sleeps."""
    return time.clock_gettime(CLOCK)


class Waking:
    """The look at two clocks, at least once a second while this process runs.

    Whoever judges the end of a client looks first: its goodbye may be read before the next regular look.
    """

    def __init__(
        self,
        naps: Naps,
        events: Events,
        tell: Callable[[str], None],
        grace: float,
        clock: Callable[[], float],
        sleepless: Callable[[], float] = sleepless,
    ) -> None:
        """`clock` is that of the desk; `sleepless` goes on while the machine sleeps.

        `tell` shows the user a sentence. `grace`: seconds that clients wait for this master.
        """
        self._naps, self._events, self._tell, self._grace = naps, events, tell, grace
        self._clock, self._sleepless = clock, sleepless
        self._looked = sleepless()

    def look(self) -> None:
        """Note the time since the last look, if this master was suspended in it."""
        last, self._looked = self._looked, self._sleepless()
        slept = self._looked - last
        if slept <= STOPPED:
            return
        self._naps.note(self._clock())
        if slept > self._grace:  # a shorter one ends no client: master.log is enough for it
            line = f"this machine slept for {seconds(round(slept))} (or the master was stopped); clients have ended as "
            line += f"`grace:` says ({span(self._grace)}), and are started again"
            self._tell(line)
            self._events.note("slept", line)

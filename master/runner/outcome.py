"""The outcome of a run, and the reasons why sets still wait after it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from ..desk.desk import Desk
from ..dispatch import shortfall
from ..dispatch.black_holes import Trust
from ..dispatch.shortfall import Reason
from ..errors import LaunchError, SpeError
from ..record import record
from ..store.sessions import ASIDE, RunEnd, note_end
from ..store.statistics import Statistics
from ..store.store import Store

INTERRUPTED = 130  # the exit code of a run that was told to end, as of a shell: 128 + SIGINT


@record
class Outcome:
    """The outcome of one run."""

    folder: Path
    statistics: Statistics
    interrupted: bool
    began: int  # sets that this run had to do
    gather_faults: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()  # hosts whose clients did not say goodbye
    # Host that was set aside at the end -> why, in a few words
    aside: Mapping[str, str] = field(default_factory=dict)
    # Host of `unheard` -> folder there that may be left, as far as it is known
    left_at: Mapping[str, str] = field(default_factory=dict)
    waiting_because: tuple[Reason, ...] = ()
    # Host -> why it was not started any more
    benched: Mapping[str, str] = field(default_factory=dict)
    # Host -> why it is not up
    faults: Mapping[str, LaunchError] = field(default_factory=dict)
    stranded: str = ""  # no host was left, and this says why
    stopped: str = ""  # sentence about a folder that was moved or removed during the run
    unprinted: tuple[str, ...] = ()  # what is missing on stdout (`--lines`), a sentence each
    database: Path | None = None  # path of a sweep.db that was moved away alone

    @property
    def exit_code(self) -> int:
        """The exit code of `spe run`.

        0: all sets are done. 1: some failed, are not collected or have an empty cell, or what they
        printed is not whole on stdout. 3: no host was left. 130: Ctrl-C.
        """
        if self.interrupted:
            return INTERRUPTED
        if self.stranded and self.statistics.waiting:
            return 3
        return self.statistics.exit_code or int(bool(self.unprinted))


async def keep_aside(desk: Desk, faults: Mapping[str, LaunchError]) -> dict[str, str]:
    """Return why hosts were set aside at the end, by their names, and store it for those who look later."""
    aside = {host: str(error.fault) for host, error in faults.items()}
    aside |= {host: str(how) for host, how in desk.dispatch.steering.aside.items()}
    records = desk.dispatch.guard.records
    failing = (host for host, one in records.items() if one.trust is Trust.BENCHED)
    aside |= {host: "benched: it fails what succeeds elsewhere" for host in failing if host not in aside}
    await desk.store.set_meta(ASIDE, json.dumps(aside))
    return aside


async def explain(desk: Desk, waiting: int) -> tuple[Reason, ...]:
    """Return why `waiting` sets wait at the end, and store it for `spe status`."""
    because = desk.shortfall.explain(waiting)
    if because:
        await desk.store.set_meta(shortfall.META, shortfall.written(because))
    return because


def code_of(error: BaseException) -> int:
    """Return the exit code of a run that this error ends."""
    if isinstance(error, asyncio.CancelledError):  # Ctrl-C, as asyncio.run passes it on
        return INTERRUPTED
    return error.exit_code if isinstance(error, SpeError) else SpeError.exit_code


async def record_end(store: Store, code: int) -> None:
    """Store the exit code of this run, which `spe attach` gives when it comes too late."""
    # The process too: while it ends, the lock alone does not tell this run from the next one.
    end = RunEnd(code, os.getpid())
    await store.call(lambda connection: note_end(connection, end))

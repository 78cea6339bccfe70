"""The reasons why hosts get no work now, in the file session/blockers.json.

The run writes it, why.py reads it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping

from ..disk_errors import reason
from ..dispatch.black_holes import Trust
from ..dispatch.dispatch import Dispatch
from ..errors import HostBenched, LaunchError
from ..logs import RateLimitedLog
from ..session.run_folder import Folder, anchor_of, private_write
from .why import FILE, LONGEST_FIRST

log = logging.getLogger("spe.blockers")
PAUSE = 1.0  # seconds between two writes of a run with limits


class BlockersFile:
    """The file of one run.

    It is written only when its content has changed: the loop asks for it each second.
    """

    def __init__(self, folder: Folder) -> None:
        """`folder` is runs/<name>/."""
        self._path = anchor_of(folder) / FILE
        self._next = 0.0
        self._written: dict[str, str] | None = None
        self._limited_log = RateLimitedLog(log)

    def note(self, dispatch: Dispatch, faults: Mapping[str, LaunchError]) -> None:
        """Write down what keeps hosts from getting work now.

        `faults`: why hosts are not up, by their names.
        """
        # With a limit, what sets wait for may change with each task: it is written once a second.
        if dispatch.handout.limits.is_set and time.monotonic() < self._next:
            return
        blockers = of(dispatch, faults)
        if blockers != self._written:
            self._write(blockers)
            self._next = time.monotonic() + PAUSE

    def _write(self, blockers: dict[str, str]) -> None:
        try:
            private_write(self._path, json.dumps(blockers))
            self._written = blockers
        except OSError as error:
            # A full disk, say. Ending the run would be worse than a `spe why` that tells less.
            self._limited_log.say(f"{FILE} cannot be written: {reason(error)}")


def of(dispatch: Dispatch, faults: Mapping[str, LaunchError]) -> dict[str, str]:
    """Return a sentence for each host that gets nothing, by its name; under "" one for all of them.

    Under LONGEST_FIRST it says in which order sets begin, where that is not the order of the parameters.
    """
    # A host with a fault may have another client that somebody started by hand: then it is not
    # down.
    down = {host: error for host, error in faults.items() if host not in dispatch.clients.hosts}
    found = {host: f"is {_how(error)}: {error.what}" for host, error in down.items()}
    found |= dict.fromkeys(dispatch.handout.loaded, "is loaded by others")
    found |= dict.fromkeys(
        dispatch.steering.on_trial - down.keys(), "is on trial: its clients did not stay before"
    )
    found |= {
        host: f"is {how} by hand: `spe hosts use {host}` brings it back"
        for host, how in dispatch.steering.aside.items()
    }
    # Later reasons replace earlier ones of the same host: these say most
    found |= _doubted(dispatch)
    if dispatch.handout.longest_first.orders:
        found[LONGEST_FIRST] = "the sets that are expected to take longest begin first (`order: given` keeps the order)"
    run = _whole_run(dispatch)
    if run:
        found[""] = run
    return found


def _doubted(dispatch: Dispatch) -> dict[str, str]:
    """Return a sentence for each host that the guard trusts no more.

    What people have said of a host comes first.
    """
    found = {}
    for host, record in dispatch.guard.records.items():
        if record.trust is Trust.TRUSTED or host in dispatch.steering.aside:
            continue
        if record.trust is Trust.BENCHED:
            found[host] = f"is benched, it fails what succeeds elsewhere: {record.reason}"
        else:
            found[host] = "is under suspicion, its last tasks failed; others try them first"
    return found


def _whole_run(dispatch: Dispatch) -> str:
    """Return a sentence about what keeps all hosts from getting work; "" when nothing does."""
    if dispatch.board.draining:
        return "the run ends: nothing more is handed out"
    if dispatch.steering.paused:
        return "the sweep is paused: `spe resume` goes on"
    if dispatch.handout.alike.waits_since is not None:
        return dispatch.handout.alike.waiting_sentence(dispatch.board.running)
    if any((dispatch.clients.hosts, dispatch.clients.strangers, dispatch.steering.aside)):
        limit = dispatch.handout.limits.waits_for(dispatch.clients.now)
        return limit and f"it waits for {limit}"
    return "no host is up yet"


def _how(error: LaunchError) -> str:
    return "benched" if isinstance(error, HostBenched) else "not up"

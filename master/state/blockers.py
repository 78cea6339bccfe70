"""What keeps hosts from getting work now, written down by the run for why.py: runs/<name>/session/standing.json."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

from ..disk_errors import reason
from ..dispatch.black_holes import Trust
from ..dispatch.dispatch import Dispatch
from ..errors import HostBenched, LaunchError
from ..logs import Nagging
from ..session.run_folder import Folder, anchor_of, private_write
from .why import FILE

log = logging.getLogger("spe.standing")


class Standing:
    """Written when it has changed."""

    def __init__(self, folder: Folder) -> None:
        """`folder` is runs/<name>/."""
        self._path = anchor_of(folder) / FILE
        self._written: dict[str, str] | None = None
        self._nagging = Nagging(log)

    def note(self, dispatch: Dispatch, faults: Mapping[str, LaunchError]) -> None:
        """Remember how things stand now."""
        standing = of(dispatch, faults)
        if standing != self._written:
            self._write(standing)

    def _write(self, standing: dict[str, str]) -> None:
        try:
            private_write(self._path, json.dumps(standing))
            self._written = standing
        except OSError as error:  # a full disk, say: then `spe why` tells less
            self._nagging.say(f"{FILE} cannot be written: {reason(error)}")


def of(dispatch: Dispatch, faults: Mapping[str, LaunchError]) -> dict[str, str]:
    """A sentence for each host that gets nothing, by its name; under "" one for all of them."""
    down = {host: error for host, error in faults.items() if host not in dispatch.clients.hosts}
    found = {host: f"is {_how(error)}: {error.what}" for host, error in down.items()}
    found |= dict.fromkeys(dispatch.handout.loaded, "is loaded by others")
    found |= dict.fromkeys(dispatch.steering.on_trial - down.keys(), "is on trial: its clients did not stay before")
    found |= {
        host: f"is {how} by hand: `spe hosts use {host}` brings it back"
        for host, how in dispatch.steering.aside.items()
    }
    doubted = [(h, record) for h, record in dispatch.guard.records.items() if record.trust is not Trust.TRUSTED]
    for host, record in doubted:
        if host in dispatch.steering.aside:
            continue
        if record.trust is Trust.BENCHED:
            found[host] = f"is benched, it fails what succeeds elsewhere: {record.reason}"
        else:
            found[host] = "is under suspicion, its last tasks failed; others try them first"
    if dispatch.board.draining:
        found[""] = "the run ends: nothing more is handed out"
    elif dispatch.steering.paused:
        found[""] = "the sweep is paused: `spe resume` goes on"
    elif not dispatch.clients.hosts and not dispatch.clients.strangers and not dispatch.steering.aside:
        found[""] = "no host is up yet"
    return found


def _how(error: LaunchError) -> str:
    return "benched" if isinstance(error, HostBenched) else "not up"

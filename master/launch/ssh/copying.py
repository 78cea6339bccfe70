"""Copy the client to a host that lacks it, one host of a shared home at a time."""

from __future__ import annotations

import logging
from typing import Protocol

from ...errors import Fault, LaunchError
from ...model import Host
from .. import faults
from ..offer import START_LIMIT, Offer, Options
from ..outcome import Code, CommandOutcome, CopyTarget
from ..pasteable import words_for
from . import remote, transfer
from .connection import Connection
from .traces import Traces

log = logging.getLogger("spe.launch")


class RunScript(Protocol):
    """Run a script on the host; raises LaunchError when the host is lost or runs nothing of ours."""

    def __call__(self, connection: Connection, script: str, stdin: str = "") -> CommandOutcome: ...


class Copying:
    """Copies of the client for one host; lives as long as its launcher."""

    def __init__(
        self,
        host: Host,
        offer: Offer,
        options: Options,
        traces: Traces,
        run: RunScript,
        holds: bool,
    ) -> None:
        self._host = host
        self._offer = offer
        self._options = options
        self._traces = traces
        self._run = run
        self._holds = holds
        self.number = 1  # of the first place to be tried (places.py)

    def copy_and_start(
        self, connection: Connection, said: CommandOutcome, url: str
    ) -> CommandOutcome:
        """Return the outcome of the start, or `said` when the client still has to be started.

        `said` is the outcome of a start that did not find the client. Hosts that share a home copy
        one at a time. A host that waited for its turn looks again first: by then the client may be
        there. A host alone in its home copies and starts in one go, which saves a round trip; the
        others start after they have given the turn away, so that nobody waits for their start.
        """
        place: CopyTarget | None = self._target(said)
        assert place is not None
        alone = place.seen == (self._traces.nonce,)
        # A start that builds an environment may take minutes, which others would wait for.
        quick = self._options.start_limit <= START_LIMIT
        with self._options.homes.turn(self._traces.nonce, place.seen) as first:
            # The first one need not look: its failed start has just looked.
            if not first:
                place = self._target(self._run(connection, self._look_script()))
            if place is None:
                return said
            self._copy(connection, place)
            if alone and first and quick:
                return self._give_name(connection, place, self._place_and_start_script(place, url))
            self._give_name(connection, place, self._place_script(place))
        return said

    def _target(self, said: CommandOutcome) -> CopyTarget | None:
        """Return the folder to copy the client to; None when the client is there."""
        if said.code == Code.STARTED:  # the script that looks has found the client there
            return None
        if said.code != Code.NO_CLIENT or said.place is None:
            raise faults.from_outcome(said, self._host)
        return said.place

    def _look_script(self) -> str:
        run = self._options.homes.run
        return remote.look_script(self._host, self._offer, run, self._traces.nonce, self.number)

    def _place_script(self, place: CopyTarget) -> str:
        return remote.place_script(
            place,
            copied=self._traces.copied,
            nonce=self._traces.nonce,
            host=self._host,
            offer=self._offer,
        )

    def _place_and_start_script(self, place: CopyTarget, url: str) -> str:
        return remote.place_and_start_script(
            place,
            copied=self._traces.copied,
            nonce=self._traces.nonce,
            host=self._host,
            offer=self._offer,
            url=url,
            holds=self._holds,
        )

    def _copy(self, connection: Connection, place: CopyTarget) -> None:
        """Copy the client under a temporary name."""
        log.info("%s: copying the client to %s", self._host.name, place.folder)
        # Noted before the copy begins: whatever happens, the launcher knows what to remove.
        self._traces.copied = transfer.temporary(self._offer)
        path = f"{place.folder}/{self._traces.copied}"
        try:
            transfer.copy(
                connection.transport,
                path,
                self._offer.client,
                self._host.name,
                self._options.copy_limit,
            )
        except transfer.BrokenOff as error:
            what = f"while the client was copied ({error})"
            todo = f"Try: ssh {words_for(self._host.name)} true"
            raise LaunchError(Fault.LOST, what, where=self._host.name, todo=todo) from error
        except transfer.Failed as error:
            raise self._not_copied(connection, place, str(error)) from error

    def _give_name(self, connection: Connection, place: CopyTarget, script: str) -> CommandOutcome:
        """Return the outcome of the script that gives the copy its own name."""
        said = self._run(connection, script, self._offer.session + "\n")
        if said.code == Code.NOT_PLACED:
            raise self._not_copied(connection, place, said.last)
        return said

    def _not_copied(self, connection: Connection, place: CopyTarget, words: str) -> LaunchError:
        """Return the fault that the host's words mean, after the rest of the copy was removed."""
        # Now, not at the end of the start: on a full disk the rest takes room that others need.
        self._traces.remove_copy(connection.transport, self._options.copy_limit)
        fault = faults.from_message(words) or Fault.COPY
        name = self._host.name
        what = f"the client cannot be copied to {place.folder}: {words}"
        return LaunchError(fault, what, where=name, todo=faults.todo(fault, name))

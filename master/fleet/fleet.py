"""The hosts of a run: each is started in parallel, looked after (by upkeep.py), and listened to until it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..desk.desk import Desk
from ..dispatch.clients import Clients
from ..errors import NOTHING_RUNS, Fault, HostBenched, LaunchError, NothingRuns
from ..launch import Offer, Options, faults
from ..launch.outcome import Code, CommandOutcome
from ..launch.pasteable import words_for
from ..model import Host
from ..state.progress import Progress
from ..text import named
from .same_faults import SameFaults
from .upkeep import Upkeep

log = logging.getLogger("spe.fleet")
MOST_REASON = 300  # characters of what the software of a host lacks, in the last line of a run
LONG = (
    5.0  # seconds that no host takes to come up, unless something is wrong with it or its network
)


class Fleet:
    """Starts the hosts when there is work, and knows who came up and who is still to come."""

    def __init__(
        self,
        hosts: Sequence[Host],
        offer: Offer,
        options: Options,
        desk: Desk,
        progress: Progress,
        was_told: Callable[[str, str], bool] = lambda host, fault: False,
        failed_builds: Mapping[str, str] | None = None,
    ) -> None:
        """`was_told` returns True for the software fault of a host that the user has read.

        `failed_builds`: host -> why it could not make a build, as its client has told.
        """
        self.hosts, self.desk, self.progress = list(hosts), desk, progress
        self.unheard: list[str] = []  # hosts whose client did not say goodbye
        self._offer, self._options = offer, options
        self._upkeep: dict[
            Host, Upkeep
        ] = {}  # hosts that were to be started; a name may stand for several ports
        # False while a farm is silent, which counts no client that is started meanwhile.
        self.may_start: Callable[[], bool] | None = None
        self._started = False
        self._began = 0.0
        self._same_faults = SameFaults(progress.fault, lambda: not self.awaited())
        self._was_told = was_told
        self._failed_builds = failed_builds if failed_builds is not None else {}

    def start(self) -> None:
        """Bring up all hosts, once."""
        if not self._started:
            self._started, self._began = True, time.monotonic()
            self._start(self.hosts)

    def _start(self, hosts: Iterable[Host]) -> bool:
        """Return whether any of them had to be started."""
        started = False
        for host in hosts:
            if host not in self._upkeep:
                self._upkeep[host] = Upkeep(
                    host,
                    self._offer,
                    self._options,
                    self.desk,
                    self.progress,
                    self._note_software_fault,
                    self.may_start,
                )
            started = self._upkeep[host].start() or started
        return started

    def add(self, hosts: Sequence[Host]) -> None:
        """Take these hosts in from now on."""
        self.hosts += hosts
        if self._started:
            self._start(hosts)

    def use(self, name: str) -> bool:
        """Let a host of this name take part again; return whether it had to be started."""
        return self._started and self._start([host for host in self.hosts if host.name == name])

    def _note_software_fault(self, host: str, error: LaunchError) -> None:
        if not self._was_told(host, error.detail):
            self._same_faults.note({host: error})

    def _note_failed_builds(self) -> None:
        """Note hosts whose clients have told that a build failed and have not ended yet.

        Such a client stays for some seconds, and a short sweep is over before it ends.
        """
        found: dict[str, LaunchError] = {}
        for host, one in self._upkeep.items():
            text = self._failed_builds.get(host.name)
            if text and one.fault is None:
                one.fault = faults.from_outcome(CommandOutcome(Code.SOFTWARE, (text,)), host)
                log.info("%s", one.fault.line)
                self.desk.events.note("host_fault", one.fault.line, host.name)
                found[host.name] = one.fault
        if found:
            self._same_faults.note(found)

    def tell_faults(self) -> None:
        """Tell software faults of hosts once no other host may have the same one."""
        self._same_faults.look()

    # -- who is up

    def awaited(self) -> set[str]:
        """Return the names of the hosts of which it is not yet known whether they come up."""
        return {host.name for host, one in self._upkeep.items() if one.is_awaited}

    @property
    def faults(self) -> dict[str, LaunchError]:
        """The reasons why hosts are not up, by their names."""
        return {host.name: one.fault for host, one in self._upkeep.items() if one.fault}

    @property
    def benched(self) -> dict[str, HostBenched]:
        """The faults of hosts that are not started any more, because their starts came to nothing."""
        return {
            name: fault for name, fault in self.faults.items() if isinstance(fault, HostBenched)
        }

    def stranded(self) -> NothingRuns | None:
        """Return the error that ends the run where no host is up or may come up, and no other client is here."""
        if self.may_start:  # a farm's job: other hosts may be granted
            return None
        if not (self._upkeep and all(one.is_out for one in self._upkeep.values())):
            return None
        out = {host.name for host, one in self._upkeep.items() if one.is_given_up}
        if any(
            not c.state.is_gone and (c.host not in out or self.desk.is_there(c))
            for c in self._clients
        ):
            return None
        self._same_faults.tell()
        why = "".join(f"; {name}: {error.fault}" for name, error in self.benched.items())
        look = "`spe doctor` looks at all of them."
        if any("setup" in error.detail for error in self.faults.values()):
            look = "`spe check` tries `setup:` on all of them."
        if any(error.fault is Fault.SOFTWARE for error in self.faults.values()):
            look = "`spe check` tries it on all of them."
        todo = f"Mend what is said above for one host, then `spe run` again; {look}"
        if any(work.done or work.failed for work in self.desk.dispatch.tally.hosts.values()):
            return NothingRuns(f"no host is left{why}", todo=todo, faults=self.faults)
        what = _without_software(self.faults) or f"no host came up{why}"
        return NothingRuns(NOTHING_RUNS + what, todo=todo, faults=self.faults)

    @property
    def _clients(self) -> Clients:
        return self.desk.dispatch.clients

    def all_tried(self) -> bool:
        """Return whether it is known of every host that it has come up or has not."""
        return all(host in self._upkeep and self._upkeep[host].was_tried for host in self.hosts)

    def all_answered(self) -> bool:
        """Return whether each host has come up or has failed to, be it for a moment."""
        return all(
            (one := self._upkeep.get(host)) and (one.has_been_up or one.fault)
            for host in self.hosts
        )

    def used(self) -> list[str]:
        """Return the hosts that have come up and have not been given up since."""
        return [host.name for host, one in self._upkeep.items() if one.has_been_up]

    @property
    def untried(self) -> int:
        """Number of hosts of which it is not known yet whether they come up."""
        return sum(not one.was_tried for one in self._upkeep.values())

    def alone(self) -> bool:
        """Return whether only clients that we started here took part: nobody else waits for us."""
        names = {host.name for host in self.hosts}
        return (
            bool(names)
            and all(host.is_here for host in self.hosts)
            and all(c.host in names and c.pings for c in self._clients)
        )

    def all_gone(self) -> bool:
        """Return whether all our clients said goodbye; `close` ends a child that never asked for work."""
        here = {host.name for host in self.hosts if host.is_here}
        awaited = (
            c for c in self._clients if c.pings and (c.state.has_asked or c.host not in here)
        )
        return not any(self.desk.is_there(c) for c in awaited)

    # -- the end

    def note_unheard(self) -> None:
        """Remember the hosts whose last client did not say goodbye; it had cleared up after those before it."""
        last = {c.host: c for c in self._clients if c.pings}
        naps, now = self.desk.dispatch.losses.naps, self.desk.clock()
        # A client that ended while this master heard nobody has cleared up: it could not say so.
        self.unheard = sorted(
            host
            for host, client in last.items()
            if not (client.state.is_gone or naps.has_ended(client, now))
        )

    def folders_of_unheard(self, session: str) -> dict[str, str]:
        """Return the folder of each host's last client that did not say goodbye, where we started it."""
        # As client/host/own_folder.py names it.
        public = hashlib.sha256(session.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        found = {}
        for host in self.hosts:
            if host.name in self.unheard:
                name = "spe-{}-{}".format(public, re.sub(r"[^\w.-]", "_", host.name))
                found[host.name] = f"{host.workdir}/{name}" if host.workdir else f"/tmp/{name} (or its $TMPDIR)"
        return found

    def give_up(self) -> None:
        """Wait no longer for hosts that are not up, as the run ends, and name all of them."""
        self._note_failed_builds()
        self._same_faults.tell()
        took = time.monotonic() - self._began
        hung = {host: _hangs(host.name, took) if took > LONG else None for host in self._upkeep}
        late = [host.name for host, one in self._upkeep.items() if one.end(hung[host])]
        if late:
            verb = "was" if len(late) == 1 else "were"
            self.progress.line(
                f"{named(late)} {verb} still being started when the run ended"
            )
            log.info("still being started when the run ended: %s", ", ".join(late))

    async def close(self) -> None:
        """Let go of all hosts."""
        self._note_failed_builds()
        self._same_faults.tell()
        ending = [task for one in self._upkeep.values() if (task := one.cancel())]
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*ending, return_exceptions=True)


def _without_software(faults: Mapping[str, LaunchError]) -> str:
    """Return why no host can work, where hosts came up and lack the software; "" where none did."""
    lacking = {host: one for host, one in faults.items() if one.fault is Fault.SOFTWARE}
    if not lacking:
        return ""
    host, first = next(iter(lacking.items()))
    # Its first sentence: what to do stands above, with the hosts.
    reason = " ".join(first.detail.split()).split(". ")[0]
    if len(reason) > MOST_REASON:
        reason = f"{reason[: MOST_REASON - 1]}…"
    is_same = len({one.detail for one in faults.values()}) == 1
    where = "" if is_same else f"{host}: "
    others = "".join(f"; {name}: {one.fault}" for name, one in faults.items() if name != host)
    return f"no host can work: {where}{first.fault}: {reason}{'' if is_same else others}"


def _hangs(host: str, seconds: float) -> LaunchError:
    return LaunchError(
        Fault.TIMEOUT,
        f"it was still being started after {seconds:.0f} s, when the run ended",
        where=host,
        todo=f"Is its home or the machine hung? Look there: ssh {words_for(host)}",
    )

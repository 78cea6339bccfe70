"""What is wrong with hosts: judges what was seen on them. Pure; the looking is launch/examine.py's.

Each finding has the name of a Fault, what was seen, and the one step that mends it. Some only slow a host down or are
worth knowing: with those it works all the same.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import Fault, LaunchError
from ..model import Host, Worker
from ..record import record
from ..text import span, volume

CLOCK_OFF = 60.0  # seconds; nothing in spe depends on clocks, but makefiles and logs of users do
SLOW = 2.0  # seconds until the first word of a host
SLOW_TIMES = 3.0  # and so many times what the others take, as this machine may be the slow one
SPARE = 1 << 20  # bytes that must be free beside client and worker
_DENIED = re.compile(r"no space|quota", re.IGNORECASE)


@record
class Needs:
    """What the sweep wants of a host."""

    worker: Worker | None = None
    cores: int = 1
    port: int = 0  # where the master would listen, 0: any
    client: int = 0  # bytes


@dataclass(slots=True)
class Room:
    """A folder, what is free on its file system, and what came of writing there."""

    path: str
    size: int | None = None  # bytes
    free: int | None = None
    files: int | None = None  # inodes
    files_free: int | None = None
    fault: str = ""  # the system's words; "" = it can be written


@dataclass(slots=True)
class Sighting:
    """What was seen of one host. What is None could not be seen."""

    host: Host
    error: LaunchError | None = None  # it was not reached, or did not answer all
    seconds: float | None = None  # until its first word
    clock_off: float | None = None
    platform: str = ""
    user: str = ""
    cores: int | None = None
    load: float | None = None
    ours: int = 0  # clients of spe that run there
    python: str = ""  # "/usr/bin/python3 3.11.2"
    python_error: LaunchError | None = None
    python_elsewhere: str = ""  # one that would do, where nobody looks for it
    home: Room | None = None
    workdir: Room | None = None
    runs_programs: bool | None = None  # in the workdir
    everybody: str = ""  # where all users may write: the workdir, or a folder above it
    writers: tuple[str, str] = ("", "")  # who else may, and where
    address: str | None = None  # of the master, as the host would be given it; None: only through SSH
    reached: bool | None = None
    unreached_why: str = ""
    forwards: bool | None = None  # its SSH server carries a port
    nonce: str = ""
    seen: frozenset[str] = frozenset()  # the nonces in its home


@record
class Finding:
    """One thing that is wrong. `stops`: the host cannot work with it."""

    fault: Fault
    what: str
    todo: str
    stops: bool = True


@record
class Report:
    """One host: what was seen, and what is wrong with it."""

    sighting: Sighting
    findings: tuple[Finding, ...] = ()
    home: int | None = None  # the number of the home that it shares with others

    @property
    def works(self) -> bool:
        """Whether tasks can run there."""
        return not any(finding.stops for finding in self.findings)

    @property
    def master(self) -> str:
        """How it reaches the master: direct, ssh, no; "" unknown."""
        seen = self.sighting
        if seen.reached:
            return "direct"
        return "" if seen.forwards is None else "ssh" if seen.forwards else "no"

    def record(self) -> dict[str, object]:
        """The row of the table, for programs."""
        seen = self.sighting
        return {
            "host": seen.host.name,
            "verdict": ", ".join(finding.fault for finding in self.findings) or "ok",
            "works": self.works,
            "platform": seen.platform or None,
            "python": seen.python or None,
            "cores": seen.cores,
            "load": seen.load,
            "home_free": seen.home.free if seen.home else None,
            "workdir_free": seen.workdir.free if seen.workdir else None,
            "master": self.master or None,
            "shared_home": self.home,
            "seconds": None if seen.seconds is None else round(seen.seconds, 2),
            "findings": [
                {"fault": str(f.fault), "what": f.what, "todo": f.todo, "stops": f.stops} for f in self.findings
            ],
        }


@dataclass(slots=True)
class Examined:
    """All hosts of a look."""

    reports: list[Report] = field(default_factory=list)
    homes: list[list[str]] = field(default_factory=list)  # names of hosts that share one, number 1 first


def judge(sightings: Sequence[Sighting], needs: Needs) -> Examined:
    """What is wrong with each, and who shares a home with whom."""
    usual = usual_seconds([seen.seconds for seen in sightings if seen.seconds is not None])
    homes = shared_homes(sightings)
    number = {id(seen): place for place, home in enumerate(homes, 1) for seen in home}
    return Examined(
        [Report(seen, tuple(findings(seen, needs, usual)), number.get(id(seen))) for seen in sightings],
        [[seen.host.name for seen in home] for home in homes],
    )


def usual_seconds(seconds: Sequence[float]) -> float:
    """What an answer takes from here; with few hosts nothing can be said about this machine."""
    return statistics.median(seconds) if len(seconds) > 3 else 0.0


def shared_homes(sightings: Sequence[Sighting]) -> list[list[Sighting]]:
    """Hosts of which one saw the other's nonce, in the order of the hosts; those who are alone are in none."""
    homes: list[tuple[set[str], list[Sighting]]] = []
    for seen in sightings:
        names = {seen.nonce, *seen.seen} if seen.nonce and seen.seen else set()
        mine = [home for home in homes if home[0] & names]
        if names:
            homes = [home for home in homes if home not in mine]
            homes.append((names.union(*(h[0] for h in mine)), [s for h in mine for s in h[1]] + [seen]))
    order = {id(seen): place for place, seen in enumerate(sightings)}
    groups = [sorted(members, key=lambda s: order[id(s)]) for _, members in homes if len(members) > 1]
    return sorted(groups, key=lambda group: order[id(group[0])])


def findings(seen: Sighting, needs: Needs, usual: float) -> list[Finding]:
    """All that is wrong with a host, what stops it first."""
    if seen.error is not None:
        error = seen.error
        return [Finding(error.fault, error.what.removeprefix(f"{error.fault}: "), error.todo)]
    stopping = (*_python(seen), *_disks(seen, needs), *_worker(seen, needs), *_master(seen, needs))
    return sorted((*stopping, *_remarks(seen, needs, usual)), key=lambda finding: not finding.stops)


# -- one question each ------------------------------------------------------------------------------------


def _python(seen: Sighting) -> list[Finding]:
    error = seen.python_error
    if error is None:
        return []
    todo = error.todo
    if seen.python_elsewhere:
        todo = f"It has one elsewhere; name it in the hosts file: {seen.host.name} python={seen.python_elsewhere}"
    return [Finding(error.fault, error.what.removeprefix(f"{error.fault}: "), todo)]


def _disks(seen: Sighting, needs: Needs) -> list[Finding]:
    found = []
    wanted = needs.client + max((file.size for file in needs.worker.files.values()), default=0) if needs.worker else 0
    if seen.home is not None:
        found += _room(seen, seen.home, Fault.HOME, wanted + needs.client)
    if seen.workdir is not None:
        found += _room(seen, seen.workdir, Fault.WORKDIR, wanted)
        if seen.runs_programs is False and not seen.workdir.fault:
            todo = f"Name another folder in the hosts file: {seen.host.name} workdir=PATH"
            what = f"{seen.workdir.path} is mounted noexec: workers cannot be started there"
            found.append(Finding(Fault.NO_EXEC, what, todo))
        found += _writers(seen)
    return list(dict.fromkeys(found))  # both may lie on the same full disk


def _writers(seen: Sighting) -> list[Finding]:
    """Who could put another folder in the place of the client's."""
    name = seen.host.name
    if seen.host.trust_workdir:
        return []
    if seen.everybody:
        todo = f"Name a folder of your own in the hosts file: {name} workdir=PATH; or trust them: "
        todo += f"{name} trust_workdir=yes"
        return [Finding(Fault.OTHERS, f"all users may write into {seen.everybody}, without a sticky bit", todo)]
    who, where = seen.writers
    if not who:
        return []
    todo = f"They can disturb a sweep, and no more; {name} trust_workdir=yes in the hosts file ends this remark"
    return [Finding(Fault.OTHERS, f"{who} may write into {where}", todo, stops=False)]


def _room(seen: Sighting, room: Room, denied: Fault, wanted: int) -> list[Finding]:
    short = room.free is not None and room.free < wanted + SPARE
    if not room.fault and not short:
        return []
    if room.fault and not _DENIED.search(room.fault):
        stops = denied is not Fault.HOME or not seen.host.is_here  # a client on this machine lies in runs/
        return [Finding(denied, f"{room.path}: {_reason(room)}", _mend(seen, room, denied), stops)]
    if room.files and not room.files_free:
        what = f"{room.path}: none of {room.files} inodes is free, so no file can be made"
        return [Finding(Fault.INODES_FULL, what, _look(seen, f"du --inodes -x {room.path} | sort -n | tail"))]
    free = volume(room.free) or "?"
    quota = " (your quota)" if "quota" in room.fault.lower() else ""
    what = f"{room.path}: {free} free of {volume(room.size) or '?'}{quota}"
    return [Finding(Fault.DISK_FULL, what, _look(seen, f"du -x {room.path} | sort -n | tail"))]


def _reason(room: Room) -> str:
    """The system's reason without the command and path before it."""
    return room.fault.rpartition(": ")[2].strip() or room.fault


def _mend(seen: Sighting, room: Room, denied: Fault) -> str:
    if denied is Fault.WORKDIR:
        return f"Name a folder that can be written, in the hosts file: {seen.host.name} workdir=PATH"
    return f"Give it back to {seen.user or 'its user'}: {_on(seen, f'sudo chown {seen.user} {room.path}')}"


def _look(seen: Sighting, command: str) -> str:
    return f"Make room; what takes it: {_on(seen, command)}"


def _on(seen: Sighting, command: str) -> str:
    if seen.host.is_here:
        return command
    return f"ssh {'-t ' if command.startswith('sudo') else ''}{seen.host.name} '{command}'"


def _worker(seen: Sighting, needs: Needs) -> list[Finding]:
    if needs.worker is None or not seen.platform or needs.worker.for_platform(seen.platform):
        return []
    there = ", ".join(sorted(needs.worker.files))
    todo = f"Build one and name it in spe.yaml: worker: {{{seen.platform}: PATH}}"
    return [Finding(Fault.NO_WORKER, f"for {seen.platform}; there is one for {there}", todo)]


def _master(seen: Sighting, needs: Needs) -> list[Finding]:
    if seen.reached is not False or seen.forwards is None:
        return []
    where = f"at {seen.address}" if seen.address else "at any address of this machine"
    what = f"not from there {where} ({seen.unreached_why})" if seen.unreached_why else f"not from there {where}"
    port = f"port {needs.port}" if needs.port else "a port, and name it with `listen:`,"
    if seen.forwards:
        todo = f"Nothing has to be done. For large results open {port} in this machine's firewall."
        return [Finding(Fault.UNREACHABLE, f"{what}: it will go through the SSH connection", todo, stops=False)]
    todo = f"Open {port} in this machine's firewall, or there in sshd_config: AllowTcpForwarding yes"
    return [Finding(Fault.UNREACHABLE, f"{what}, and its SSH server forbids forwarding", todo)]


def _remarks(seen: Sighting, needs: Needs, usual: float) -> list[Finding]:
    found, name = [], seen.host.name
    if seen.clock_off is not None and abs(seen.clock_off) > CLOCK_OFF:
        what = f"{span(abs(seen.clock_off))} {'ahead' if seen.clock_off > 0 else 'behind'}; spe does not mind"
        found.append(Finding(Fault.CLOCK, what, f"Set it: {_on(seen, 'sudo timedatectl set-ntp true')}", stops=False))
    if seen.load is not None and seen.cores and seen.load + needs.cores > seen.cores and seen.load >= 0.5:
        own = f" ({seen.ours} clients of spe are among it)" if seen.ours else ""
        what = f"load {seen.load:g} on {seen.cores} cores{own}: less than {needs.cores} free"
        found.append(Finding(Fault.LOADED, what, f"Who it is: {_on(seen, 'top -b -n 1 | head -20')}", stops=False))
    if seen.seconds is not None and seen.seconds > max(SLOW, SLOW_TIMES * usual):
        rest = f", the others {usual:.1f} s" if usual else ""
        what = f"{seen.seconds:.1f} s until its first word{rest}"
        found.append(Finding(Fault.SLOW, what, f"Where the time goes: ssh -v {name} true", stops=False))
    return found


# -- words -----------------------------------------------------------------------------------------------

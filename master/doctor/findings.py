"""Findings about one host: each question is a function that reads a sighting. Pure.

A finding has the name of a Fault, what was seen, and the one step that mends it. Some findings only
slow a host down or are worth knowing: the host works in spite of them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import PurePosixPath

from ..errors import Fault, LaunchError
from ..launch.neighbours import ROOM
from ..launch.pasteable import words_for
from ..record import record
from ..text import counted, named, span, volume
from .sighting import FolderState, Needs, Sighting

CLOCK_OFF = 60.0  # seconds; nothing in spe depends on clocks, but makefiles and logs of users do
SLOW = 2.0  # seconds until the first line of a host
SLOW_TIMES = (
    3.0  # and this many times the median of the others, as this machine may be the slow one
)
SPARE = 1 << 20  # bytes that must be free beside client and worker
IDLE_LOAD = 0.5  # load below which nobody else works there, however few cores there are
_NO_SPACE = re.compile(r"no space|quota", re.IGNORECASE)


@record
class Finding:
    """A thing that is wrong with a host. `stops`: the host cannot work because of it."""

    fault: Fault
    what: str
    todo: str
    stops: bool = True


def find_faults(seen: Sighting, needs: Needs, usual: float) -> list[Finding]:
    """Return all that is wrong with a host, faults that stop it first.

    `usual`: seconds that hosts usually take to answer, 0 when unknown.
    """
    # A host that was not reached has no other findings: guesses would hide the cause.
    if seen.error is not None:
        return [_from_error(seen.error, seen.error.todo)]
    found = [
        *_python(seen),
        *_disks(seen, needs),
        *_worker(seen, needs),
        *_program(seen, needs),
        *_master(seen, needs),
        *_clock(seen),
        *_load(seen, needs),
        *_neighbours(seen),
        *_speed(seen, usual),
    ]
    return sorted(found, key=lambda finding: not finding.stops)


def _from_error(error: LaunchError, todo: str) -> Finding:
    return Finding(error.fault, error.detail, todo)


# -- one question each ---------------------------------------------------------------------------


def _python(seen: Sighting) -> Iterator[Finding]:
    error = seen.python_error
    if error is None:
        return
    todo = error.todo
    if seen.python_elsewhere:
        todo = "It has a suitable one elsewhere; name it in the hosts file: "
        todo += f"{seen.host.name} python={seen.python_elsewhere}"
    elif seen.python_module:
        todo = _module_todo(seen)
    yield _from_error(error, todo)


def _module_todo(seen: Sighting) -> str:
    """Return how to use a Python that needs its module: by a script, as `python=` is one path."""
    script = f"#!/bin/bash -l\\nmodule load {seen.python_module}\\nexec python3 \"$@\"\\n"
    command = f"printf '{script}' >~/spe-python; chmod 755 ~/spe-python"
    quoted = command if seen.host.is_here else f"ssh {seen.host.name} {shlex.quote(command)}"
    return (
        f"A login shell there has one after `module load {seen.python_module}`. Make a script that "
        f"starts it: {quoted} and name it in the hosts file: {seen.host.name} python=~/spe-python"
    )


def _program(seen: Sighting, needs: Needs) -> Iterator[Finding]:
    if seen.program_in_login is None:
        return
    what = f"{needs.program} is not in the PATH of its tasks"
    if seen.program_in_login:
        what += f", but a login shell there finds {seen.program_in_login}"
        todo = 'Give tasks the environment of a login shell, in spe.yaml: setup: "true"'
    else:
        todo = f"Install it there, or set PATH by setup: in spe.yaml; look with: {_on(seen, 'echo $PATH')}"
    yield Finding(Fault.NO_PROGRAM, what, todo)


def _disks(seen: Sighting, needs: Needs) -> list[Finding]:
    wanted = _bytes_for_worker(needs)
    remarks = _home(seen, wanted + needs.client)
    if remarks or seen.host.workdir:  # then the client is copied there, too
        wanted += needs.client
    found: list[Finding] = []
    if seen.workdir is not None:
        found += _folder(seen, seen.workdir, Fault.WORKDIR, wanted)
        found += _noexec(seen, seen.workdir)
        found += _writers(seen)
    # Once: home and workdir may lie on the same full disk.
    told = {finding.what for finding in found}
    return [*(one for one in remarks if one.what not in told), *found]


def _home(seen: Sighting, wanted: int) -> list[Finding]:
    """Return what is wrong with the home, as remarks: a home that takes no files stops no host."""
    if seen.home is None or seen.host.workdir:
        return []
    found = _folder(seen, seen.home, Fault.HOME, wanted)
    there = seen.workdir.path if seen.workdir else "/tmp"
    then = "" if seen.host.is_here else f"Until then spe's files go below {there}. "
    return [Finding(one.fault, one.what, f"{then}{one.todo}", stops=False) for one in found]


def _bytes_for_worker(needs: Needs) -> int:
    """Return the room for client and worker in a workdir; 0 without a worker.

    The largest file counts, as the platform of a host need not be known.
    """
    if needs.worker is None:
        return 0
    return needs.client + max((file.size for file in needs.worker.files.values()), default=0)


def _noexec(seen: Sighting, workdir: FolderState) -> Iterator[Finding]:
    # A folder that cannot be written was not tried, and has a finding of its own.
    if seen.runs_programs is not False or workdir.fault:
        return
    todo = f"Name another folder in the hosts file: {seen.host.name} workdir=PATH"
    what = f"{workdir.path} is mounted noexec: workers cannot be started there"
    yield Finding(Fault.NO_EXEC, what, todo)


def _writers(seen: Sighting) -> Iterator[Finding]:
    """Yield a finding when others could replace the client's folder by one of their own."""
    name = seen.host.name
    if seen.host.trust_workdir:
        return
    if seen.everybody:
        todo = f"Name a folder of your own in the hosts file: {name} workdir=PATH; "
        todo += f"or trust them: {name} trust_workdir=yes"
        what = f"all users may write into {seen.everybody}, without a sticky bit"
        yield Finding(Fault.OTHERS, what, todo)
        return
    who, where = seen.writers
    if not who:
        return
    # Only a remark: a group is chosen by the host's owner, and shared folders of a lab are common.
    todo = "They can disturb a sweep, and no more; "
    todo += f"{name} trust_workdir=yes in the hosts file silences this remark"
    yield Finding(Fault.OTHERS, f"{who} may write into {where}", todo, stops=False)


def _folder(seen: Sighting, folder: FolderState, denied: Fault, wanted: int) -> Iterator[Finding]:
    """Yield what is wrong with a folder that must take `wanted` bytes."""
    if folder.fault and not _NO_SPACE.search(folder.fault):
        what = f"{_shown(seen, folder, denied)}: {_reason(folder)}"
        yield Finding(denied, what, _mend(seen, folder, denied))
    elif folder.fault or _is_short(folder, wanted):
        yield _full(seen, folder)


def _is_short(folder: FolderState, wanted: int) -> bool:
    return folder.free is not None and folder.free < wanted + SPARE


def _full(seen: Sighting, folder: FolderState) -> Finding:
    # Inodes first: `df -h` shows gigabytes free then, and the user would not believe "disk full".
    if folder.has_no_inodes:
        what = f"{folder.path}: none of {folder.files} inodes is free, so no file can be made"
        todo = _look(seen, f"du --inodes -x {folder.path} | sort -n | tail")
        return Finding(Fault.INODES_FULL, what, todo)
    what = f"{folder.path}: {_size(folder.free)} free of {_size(folder.size)}"
    if "quota" in folder.fault.lower():
        what += " (your quota)"
    return Finding(Fault.DISK_FULL, what, _look(seen, f"du -x {folder.path} | sort -n | tail"))


def _size(count: int | None) -> str:
    if count is None:
        return "?"
    return volume(count)


def _reason(folder: FolderState) -> str:
    """Return the system's reason, without the command and the path before it."""
    return folder.fault.rpartition(": ")[2].strip() or folder.fault


def _mend(seen: Sighting, folder: FolderState, denied: Fault) -> str:
    if denied is Fault.WORKDIR:
        name = seen.host.name
        return f"Name a folder that can be written, in the hosts file: {name} workdir=PATH"
    name = seen.host.name
    other = f"name another folder in the hosts file: {name} workdir=PATH"
    home = seen.home_path.rstrip("/")
    is_below = bool(home) and folder.path.startswith(f"{home}/")
    # Never a folder above the home, nor a home like / or /home that others have, too.
    is_own_home = folder.path == home and PurePosixPath(home).name == seen.user
    if "Permission denied" in folder.fault and seen.user and (is_below or is_own_home):
        command = _on(seen, f"sudo chown {seen.user} {shlex.quote(folder.path)}")
        return f"Give it back to {seen.user}: {command}"
    if not is_below and folder.path != home:
        return f"Have its administrator make the home of {seen.user or 'this account'}, or {other}"
    return f"Have its administrator make it writable, or {other}"


def _shown(seen: Sighting, folder: FolderState, denied: Fault) -> str:
    """Return the path that cannot be written, also a home that is not there."""
    if denied is Fault.HOME and seen.home_path.startswith(folder.path.rstrip("/") + "/"):
        return f"there is no {seen.home_path}, and {folder.path}"
    return folder.path


def _look(seen: Sighting, command: str) -> str:
    return f"Make room; see what takes it: {_on(seen, command)}"


def _on(seen: Sighting, command: str) -> str:
    """Return the command line that runs a command on the host, as a person types it here."""
    if seen.host.is_here:
        return command
    terminal = "-t " if command.startswith("sudo") else ""  # sudo asks for a password
    return f"ssh {terminal}{words_for(seen.host.name)} {shlex.quote(command)}"


def _worker(seen: Sighting, needs: Needs) -> Iterator[Finding]:
    if needs.worker is None or not seen.platform or needs.worker.for_platform(seen.platform):
        return
    there = ", ".join(sorted(needs.worker.files))
    todo = f"Build one and name it in spe.yaml: worker: {{{seen.platform}: PATH}}"
    yield Finding(Fault.NO_WORKER, f"for {seen.platform}; there is one for {there}", todo)


def _master(seen: Sighting, needs: Needs) -> Iterator[Finding]:
    # No fault where a port can be forwarded: the client reaches the master through its SSH connection.
    if seen.reached is not False or seen.forwards is not False:
        return
    what = f"not from that host, {_at_address(seen)}"
    if seen.unreached_why:
        what += f" ({seen.unreached_why})"
    what += ", and its SSH server forbids forwarding"
    port = f"port {needs.port}" if needs.port else "a port, and name it with `listen:`,"
    todo = f"Open {port} in this machine's firewall, "
    todo += "or there in sshd_config: AllowTcpForwarding yes"
    yield Finding(Fault.UNREACHABLE, what, todo)


def _at_address(seen: Sighting) -> str:
    if seen.address:
        return f"at {seen.address}"
    return "at any address of this machine"


def _clock(seen: Sighting) -> Iterator[Finding]:
    off = seen.clock_off
    if off is None or abs(off) <= CLOCK_OFF:
        return
    side = "ahead" if off > 0 else "behind"
    what = f"{span(abs(off))} {side}; spe itself does not depend on clocks"
    todo = f"Set it: {_on(seen, 'sudo timedatectl set-ntp true')}"
    yield Finding(Fault.CLOCK, what, todo, stops=False)


def _load(seen: Sighting, needs: Needs) -> Iterator[Finding]:
    if seen.load is None or not seen.cores or seen.load < IDLE_LOAD:
        return
    if seen.load + needs.cores <= seen.cores:
        return
    what = f"load {seen.load:g} on {seen.cores} cores"
    if seen.ours:
        what += f", including {seen.ours} clients of spe"
    what += f": less than {needs.cores} free"
    todo = f"See who uses it: {_on(seen, 'top -b -n 1 | head -20')}"
    yield Finding(Fault.LOADED, what, todo, stops=False)


def _neighbours(seen: Sighting) -> Iterator[Finding]:
    """Yield a finding when clients of spe of other people work there."""
    if not seen.neighbours:
        return
    who = [f"{one.account} ({counted(one.slots, 'slot')})" for one in seen.neighbours]
    todo = f"To share it: {ROOM}"
    yield Finding(Fault.SHARED, f"{named(who)} {'runs' if len(who) == 1 else 'run'} spe there, too", todo, stops=False)


def _speed(seen: Sighting, usual: float) -> Iterator[Finding]:
    if seen.seconds is None or seen.seconds <= max(SLOW, SLOW_TIMES * usual):
        return
    what = f"{seen.seconds:.1f} s until its first word"
    if usual:
        what += f", the others {usual:.1f} s"
    todo = f"See where the time goes: ssh -v {words_for(seen.host.name)} true"
    yield Finding(Fault.SLOW, what, todo, stops=False)

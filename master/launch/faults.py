"""The fault that an exit code or a message of a host means, and what mends it."""

from __future__ import annotations

import contextlib
import re
import shlex
import signal

from ..errors import Fault, LaunchError, SilentStart
from ..model import Host
from .login_faults import PROCESSES_TODO, no_processes, words_of_no_process
from .outcome import Code, CommandOutcome
from .pasteable import words_for

SIGNALLED = 128  # exit codes of a shell, and of the client, above it name a signal
DIED = (
    "it died before it had registered"  # message of a client in the foreground (client/detach.py)
)
_AS_STARTED = "as it was started"
# Parts of the system's messages in English: the scripts run with LC_ALL=C.
_DENIED = (
    "denied",
    "read-only",
    "not permitted",
    "not a directory",
    "cannot make",
    "no such file",
    "nonexistent",
)
_DF = re.compile(r"\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s")


def from_outcome(said: CommandOutcome, host: Host) -> LaunchError:
    """Return the error of a start that ended so; a SilentStart when the host gave no reason."""
    words = words_of_no_process(said.lines)
    if said.code and words:
        return no_processes(host.name, f"its shell says: {words}", said.processes)
    if said.code > SIGNALLED or (said.code == Code.OTHER and said.last.endswith(DIED)):
        return _killed(said, host)
    if said.code == Code.KILLED:
        what = said.last.removeprefix("spe-client: ")
        return SilentStart(Fault.KILLED, what, where=host.name, todo=todo(Fault.KILLED, host.name))
    fault, what, remedy = _meaning(said, host)
    return LaunchError(fault, what, where=host.name, todo=remedy or todo(fault, host.name))


def at_work(said: CommandOutcome, host: Host, seconds: float) -> LaunchError:
    """Return the error of a client that had worked, and ended `seconds` after it had registered."""
    if said.code < 0:
        what = f"its client was killed by signal {_signal(-said.code)} after {seconds:.0f} s"
        return LaunchError(Fault.KILLED, what, where=host.name)
    if said.code > SIGNALLED:
        what = f"its client was ended by signal {_signal(said.code - SIGNALLED)} after {seconds:.0f} s"
        return LaunchError(Fault.ENDED, what, where=host.name)
    what = f"after {seconds:.0f} s: {said.last.removeprefix('spe-client: ')}"
    match said.code:
        case Code.KILLED:
            return LaunchError(Fault.KILLED, what, where=host.name)
        case Code.UNREACHABLE:
            # It had reached the master before: nothing is in between, and its last words may be of its goodbye.
            what = f"after {seconds:.0f} s: the master was silent for longer than `grace:`"
            return LaunchError(Fault.ENDED, what, where=host.name)
        case Code.FAULT:
            remedy = "That is a fault of spe's own: please report it, with what master.log says."
            return LaunchError(Fault.ENDED, what, where=host.name, todo=remedy)
        case Code.OTHER:
            return LaunchError(Fault.ENDED, what, where=host.name)
        case _:
            return _of_work(from_outcome(said, host), seconds)


def _of_work(error: LaunchError, seconds: float) -> LaunchError:
    """Return the error as that of a client that had worked: then its start had not failed."""
    if error.fault is not Fault.START:
        return error
    what = f"after {seconds:.0f} s: {error.detail.removeprefix('spe-client: ')}"
    return LaunchError(Fault.ENDED, what, where=error.where, todo=error.todo)


def once_registered(error: SilentStart, seconds: float) -> SilentStart:
    """Return the error of a start whose client had registered and was killed `seconds` later."""
    if not error.detail.endswith(_AS_STARTED):
        return error
    what = f"{error.detail.removesuffix(_AS_STARTED)}{seconds:.0f} s after it had registered"
    return SilentStart(error.fault, what, where=error.where, todo=error.todo)


def _signal(number: int) -> str:
    """Return number and name of a signal: `15 (SIGTERM)`."""
    with contextlib.suppress(ValueError):
        return f"{number} ({signal.Signals(number).name})"
    return str(number)


def _killed(said: CommandOutcome, host: Host) -> SilentStart:
    how = ""
    if said.code > SIGNALLED:
        how = f" by signal {said.code - SIGNALLED}"
    return SilentStart(
        Fault.NO_STAY,
        f"its client was killed{how} {_AS_STARTED}",
        where=host.name,
        todo=todo(Fault.NO_STAY, host.name),
    )


def from_message(words: str) -> Fault | None:
    """Return the fault that the system's message about a file in the home means; None if unknown."""
    text = words.lower()
    # Before the others: "cannot make …: No space left on device" has words of both.
    if "no space" in text or "quota" in text:
        return Fault.DISK_FULL
    if any(word in text for word in _DENIED):
        return Fault.HOME
    return None


def command_on(name: str, command: str) -> str:
    """Return the command line that runs a command on the host, as a person types it here."""
    if name == "localhost":
        return command
    if re.search("[~;&|$*<>]", command):  # the shell here would take these for itself
        command = shlex.quote(command)
    return f"ssh {words_for(name)} {command}"


def todo(fault: Fault, name: str) -> str:
    """Return what mends the fault, as far as the host's name is all that must be known."""
    # Any host that fails under spe alone is best looked at with plain ssh.
    default = "" if name == "localhost" else f"Try: ssh {words_for(name)} true"
    return _todos(name).get(fault, default)


def _todos(name: str) -> dict[Fault, str]:
    def look(command: str) -> str:
        return command_on(name, command)

    return {
        Fault.DISK_FULL: f"Make room there; look with: {look('df -h')}",
        Fault.INODES_FULL: "Remove files there, there can be no more of them; "
        f"look with: {look('df -i')}",
        Fault.HOME: f"Make it writable again; look with: {look('ls -ld ~ ~/.cache')}",
        Fault.WORKDIR: f"Name a folder that can be written, in the hosts file: {name} workdir=PATH",
        Fault.OTHERS: f"Name a folder of your own in the hosts file: {name} workdir=PATH; "
        f"or trust them: {name} trust_workdir=yes",
        Fault.NO_EXEC: f"Name another folder in the hosts file: {name} workdir=PATH",
        Fault.COPY: f"Look there: {look('ls -ld ~ ~/.cache; df -h ~')}",
        Fault.NO_PYTHON: "Install Python 3.6 or newer there, "
        f"or name it in the hosts file: {name} python=PATH; `spe doctor` looks for one elsewhere",
        Fault.PROCESSES: PROCESSES_TODO,
        Fault.KILLED: f"Is memory short there? Look with: {look('dmesg | tail')}",
        Fault.NO_STAY: "Something there may kill the processes of this account: KillUserProcesses "
        "of systemd-logind, a cleaning script, a limit. Ask its administrator; "
        f"look there: {look('ulimit -a')}",
        Fault.OLD_PYTHON: "Python 3.6 or newer is needed; "
        f"name it in the hosts file: {name} python=PATH",
    }


def with_fault(error: LaunchError, fault: Fault) -> LaunchError:
    """Return the same error under another fault, with what mends that one."""
    return LaunchError(fault, error.detail, where=error.where, todo=todo(fault, error.where))


def parse_df(line: str) -> tuple[int, int] | None:
    """Return (all, free) of a line of `df -P`, in its units.

    None when the line does not say: file systems without a fixed number of inodes report 0 of them.
    """
    match = _DF.search(line)
    if match is None or int(match[1]) == 0:
        return None
    return int(match[1]), int(match[3])


def _meaning(said: CommandOutcome, host: Host) -> tuple[Fault, str, str]:
    """Return (fault, what, todo) of an exit code; todo "" stands for the usual one of the fault."""
    # Two matches, here and below: the script's codes first, then those of a client that was started.
    match said.code:
        case Code.NO_PYTHON:
            return Fault.NO_PYTHON, _no_python(said, host), _remedy_of_python(host)
        case Code.TOO_OLD:
            return Fault.OLD_PYTHON, said.last, ""
        case Code.BAD_PYTHON:
            remedy = "Install the rest of it (Debian: python3), "
            remedy += f"or name another: {host.name} python=PATH"
            return Fault.NO_PYTHON, said.last, remedy
        case Code.NO_FOLDER:
            return _no_folder(said, host), said.last, ""
        case Code.NO_CLIENT:
            what = "the client's file vanished each time after it was copied"
            return Fault.COPY, what, f"Look there: {command_on(host.name, 'ls -l ~/.cache/spe')}"
        case _:
            return _meaning_of_the_client(said, host)


def _remedy_of_python(host: Host) -> str:
    """Return what mends the `python=` of a host; "" where it has none."""
    if not host.python:
        return ""
    return (
        f"Correct python={host.python} in the line of {host.name} in the hosts file, or leave it "
        "out: then the first python3 of 3.6 or newer in the PATH there is taken"
    )


def _no_folder(said: CommandOutcome, host: Host) -> Fault:
    fault = from_message(said.last) or Fault.COPY
    if host.workdir and fault is not Fault.DISK_FULL:
        return Fault.WORKDIR
    return fault


def _no_python(said: CommandOutcome, host: Host) -> str:
    if said.lines:
        return said.last
    if host.python:
        return f"{host.python} is not there"
    return "none in its PATH"


def _meaning_of_the_client(said: CommandOutcome, host: Host) -> tuple[Fault, str, str]:
    """Return the same for the codes with which a client ends that was started."""
    match said.code:
        case Code.WORKDIR:
            return _workdir(said.last), said.last, ""
        case Code.NO_PROCESS:
            return Fault.PROCESSES, said.last.removeprefix("spe-client: "), ""
        case Code.OTHERS:
            return Fault.OTHERS, said.last, ""
        case Code.WORKER:
            remedy = "Name an executable for its platform under `worker:` in spe.yaml."
            return Fault.NO_WORKER, said.last, remedy
        case Code.SOFTWARE:
            remedy = "No task is started there until that is mended."
            return Fault.SOFTWARE, said.last.removeprefix("spe-client: "), remedy
        case Code.UNREACHABLE:
            return _unreachable(said, host)
        case _:
            return _failed_start(said, host)


def _unreachable(said: CommandOutcome, host: Host) -> tuple[Fault, str, str]:
    if host.is_here:
        return Fault.UNREACHABLE, said.last, "Is a firewall in between on this machine?"
    what = f"not even through its SSH connection: {said.last}"
    return Fault.UNREACHABLE, what, f"Try: ssh -v {words_for(host.name)}"


def _failed_start(said: CommandOutcome, host: Host) -> tuple[Fault, str, str]:
    match said.code:
        case Code.SESSION:
            remedy = "Another spe may answer on this port; start the sweep again."
            return Fault.START, "the master refused the session", remedy
        case Code.CERTIFICATE:
            what = f"somebody else answers in the master's place: {said.last}"
            return Fault.START, what, "Find out who that is before you go on."
        case Code.FAULT:
            return Fault.START, f"a fault of spe's own: {said.last}", "Please report it."
        case Code.SETUP:
            remedy = f"Try it there: {command_on(host.name, '$SHELL -l -c SETUP')}"
            return Fault.START, said.last, remedy
        case _:
            return Fault.START, f"exit {said.code}: {said.last}", ""


def _workdir(words: str) -> Fault:
    if "mounted noexec" in words:
        return Fault.NO_EXEC
    if from_message(words) is Fault.DISK_FULL:
        return Fault.DISK_FULL
    return Fault.WORKDIR

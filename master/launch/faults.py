"""What a host said, by an exit code or in words, as a fault with its name and what mends it."""

from __future__ import annotations

import contextlib
import re
import shlex
import signal

from ..errors import Fault, LaunchError, SilentStart
from ..model import Host
from .outcome import Code, Outcome

SIGNALLED = 128  # beyond it exit codes of a shell, and of the client, name a signal
DIED = "it died before it had registered"  # what a client says in the foreground (client/detach.py)
_DENIED = ("denied", "read-only", "not permitted", "not a directory", "cannot make", "no such file", "nonexistent")
_DF = re.compile(r"\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s")


def of(said: Outcome, host: Host) -> LaunchError:
    """The fault of a start that ended with this code. A SilentStart where nobody said why."""
    if not said.begun:
        return _not_begun(said, host)
    if said.code > SIGNALLED or (said.code == Code.OTHER and said.last.endswith(DIED)):
        how = f" by signal {said.code - SIGNALLED}" if said.code > SIGNALLED else ""
        what, todo_ = f"its client was killed{how} as it was started", todo(Fault.NO_STAY, host.name)
        return SilentStart(Fault.NO_STAY, what, where=host.name, todo=todo_)
    fault, what, todo_ = _meaning(said, host)
    return LaunchError(fault, what, where=host.name, todo=todo_ or todo(fault, host.name))


def at_work(said: Outcome, host: Host, seconds: float) -> LaunchError:
    """Return what is known of a client that had worked, and has ended so many seconds after it had registered."""
    words, todo_ = f"after {seconds:.0f} s: {said.last.removeprefix('spe-client: ')}", ""
    match said.code:
        case code if code < 0 or code > SIGNALLED:
            number = -code if code < 0 else code - SIGNALLED
            fault, verb = (Fault.KILLED, "killed") if code < 0 else (Fault.ENDED, "ended")
            words = f"its client was {verb} by signal {number} ({_signal_name(number)}) after {seconds:.0f} s"
        case Code.KILLED:
            fault = Fault.KILLED
        case Code.FAULT:
            fault, todo_ = Fault.ENDED, "That is a fault of spe's own: please report it, with what master.log says."
        case Code.OTHER:
            fault = Fault.ENDED
        case _:
            return of(said, host)
    return LaunchError(fault, words, where=host.name, todo=todo_)


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"SIG{number}"


def of_words(words: str) -> Fault | None:
    """The fault that a message of the system about a file in the home means; None: none that has a name."""
    text = words.lower()
    if "no space" in text or "quota" in text:
        return Fault.DISK_FULL
    return Fault.HOME if any(word in text for word in _DENIED) else None


def on(name: str, command: str) -> str:
    """The command line that runs a command there, as a person types it here."""
    if name == "localhost":
        return command
    return f"ssh {name} {shlex.quote(command) if re.search('[~;&|]', command) else command}"


def todo(fault: Fault, name: str) -> str:
    """What mends it, where the host's name is all that has to be known."""
    return {
        Fault.DISK_FULL: f"Make room there; look with: {on(name, 'df -h')}",
        Fault.INODES_FULL: f"Remove files there, there can be no more of them; look with: {on(name, 'df -i')}",
        Fault.HOME: f"Make it writable again; look with: {on(name, 'ls -ld ~ ~/.cache')}",
        Fault.WORKDIR: f"Name a folder that can be written, in the hosts file: {name} workdir=PATH",
        Fault.OTHERS: "Name a folder of your own in the hosts file: "
        f"{name} workdir=PATH; or trust them: {name} trust_workdir=yes",
        Fault.NO_EXEC: f"Name another folder in the hosts file: {name} workdir=PATH",
        Fault.COPY: f"Look there: {on(name, 'ls -ld ~ ~/.cache; df -h ~')}",
        Fault.NO_PYTHON: f"Install Python 3.6 or newer there, or name it in the hosts file: {name} python=PATH",
        Fault.NO_COMMANDS: f"Look for exit, exec or read in its ~/.bashrc, ~/.zshenv or ~/.cshrc; "
        f"this must say hello: ssh {name} echo hello",
        Fault.NO_STAY: "Something there may kill the processes of this account: KillUserProcesses of systemd-logind, a "
        f"cleaning script, a limit. Ask its administrator; look there: {on(name, 'ulimit -a')}",
        Fault.OLD_PYTHON: f"Python 3.6 or newer is needed; name it in the hosts file: {name} python=PATH",
    }.get(fault, f"Try: ssh {name} true" if name != "localhost" else "")


def _not_begun(said: Outcome, host: Host) -> LaunchError:
    """The login ended before it had run anything of ours, as with `exit` in a start-up file of the shell."""
    if said.code != Code.STARTED and said.lines:  # an account without a shell, or one that is locked, says so
        what = f"exit {said.code}: {said.last}"
        return LaunchError(Fault.START, what, where=host.name, todo=todo(Fault.START, host.name))
    words = f" and said: {said.last}" if said.lines else ", without a word"
    what = f"its login ended with exit {said.code}{words}, before it had run anything of ours"
    return SilentStart(Fault.NO_COMMANDS, what, where=host.name, todo=todo(Fault.NO_COMMANDS, host.name))


def renamed(error: LaunchError, fault: Fault) -> LaunchError:
    """The same under its nearer name."""
    return LaunchError(fault, error.detail, where=error.where, todo=todo(fault, error.where))


def room(df: str) -> tuple[int, int] | None:
    """(all, free) of a line of `df -P`, in its units; None: it does not say, as file systems without inodes."""
    match = _DF.search(df)
    return (int(match[1]), int(match[3])) if match and int(match[1]) else None


def _meaning(said: Outcome, host: Host) -> tuple[Fault, str, str]:
    """(fault, what, todo) of an exit code; no todo: the usual one of the fault."""
    match said.code:
        case Code.NO_PYTHON:
            asked = f"{host.python} is not there" if host.python else "none in its PATH"
            return Fault.NO_PYTHON, said.last if said.lines else asked, ""
        case Code.TOO_OLD:
            return Fault.OLD_PYTHON, said.last, ""
        case Code.BAD_PYTHON:
            todo_ = f"Install the rest of it (Debian: python3), or name another: {host.name} python=PATH"
            return Fault.NO_PYTHON, said.last, todo_
        case Code.NO_FOLDER:
            return of_words(said.last) or Fault.COPY, said.last, ""
        case Code.NO_CLIENT:
            what = "the client vanished again and again after it was copied"
            return Fault.COPY, what, f"Look there: ssh {host.name} ls -l ~/.cache/spe"
        case Code.WORKDIR:
            return _workdir(said.last), said.last, ""
        case Code.OTHERS:
            return Fault.OTHERS, said.last, ""
        case Code.WORKER:
            return Fault.NO_WORKER, said.last, "Name an executable for its platform under `worker:` in spe.yaml."
        case _:
            return _start(said, host)


def _workdir(words: str) -> Fault:
    if "mounted noexec" in words:
        return Fault.NO_EXEC
    return Fault.DISK_FULL if of_words(words) is Fault.DISK_FULL else Fault.WORKDIR


def _start(said: Outcome, host: Host) -> tuple[Fault, str, str]:
    """What a client said that was there and ended at once."""
    name = host.name
    match said.code:
        case Code.UNREACHABLE if host.is_here:
            return Fault.UNREACHABLE, said.last, "Is a firewall in between on this machine?"
        case Code.UNREACHABLE:
            return Fault.UNREACHABLE, f"not even through its SSH connection: {said.last}", f"Try: ssh -v {name}"
        case Code.SESSION:
            todo_ = "Another spe may answer on this port; start the sweep again."
            return Fault.START, "the master refused the session", todo_
        case Code.CERTIFICATE:
            what = f"somebody else answers in the master's place: {said.last}"
            return Fault.START, what, "Do not go on before you know who."
        case Code.FAULT:
            return Fault.START, f"a fault of spe's own: {said.last}", "Please report it."
        case Code.SETUP:
            return Fault.START, said.last, f"Try it there: {on(name, '$SHELL -l -c SETUP')}"
        case _:
            return Fault.START, f"exit {said.code}: {said.last}", ""

"""The fault that an exit code or a message of a host means, and what mends it."""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
from collections.abc import Sequence

from ..errors import Fault, LaunchError, SilentStart
from ..model import Host
from .outcome import Code, CommandOutcome
from .pasteable import words_for

SIGNALLED = 128  # exit codes of a shell, and of the client, above it name a signal
DIED = (
    "it died before it had registered"  # message of a client in the foreground (client/detach.py)
)
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
# The start-up file of each shell that is read for a command, too.
_START_FILES = {
    "bash": "~/.bashrc",
    "zsh": "~/.zshenv",
    "fish": "~/.config/fish/config.fish",
    "tcsh": "~/.tcshrc",
    "csh": "~/.cshrc",
    "ksh": "the file that $ENV names",
}
_NO_SHELL = ("not available", "restricted", "nologin", "sftp", "interactive", "disabled", "expired")
# The words of sh, bash, zsh, fish and csh for fork's EAGAIN.
_NO_PROCESS = re.compile(
    r"(?:cannot|can't) fork|fork(?: failed)?: (?:retry: )?resource temporarily unavailable"
    r"|no more processes|pthread_create: resource temporarily unavailable|out of process slots"
    r"|failed to execute process .* error number 11",
    re.IGNORECASE,
)
_LINES = 3  # of a login's words in a message
_LINE = 100  # characters of each
_DF = re.compile(r"\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s")


def from_outcome(said: CommandOutcome, host: Host) -> LaunchError:
    """Return the error of a start that ended so; a SilentStart when the host gave no reason."""
    words = _words_of_no_process(said.lines)
    if said.code and words:
        return no_processes(host.name, f"its shell says: {words}", said.processes)
    if said.code > SIGNALLED or (said.code == Code.OTHER and said.last.endswith(DIED)):
        return _killed(said, host)
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
        case Code.FAULT:
            remedy = "That is a fault of spe's own: please report it, with what master.log says."
            return LaunchError(Fault.ENDED, what, where=host.name, todo=remedy)
        case Code.OTHER:
            return LaunchError(Fault.ENDED, what, where=host.name)
        case _:
            return from_outcome(said, host)


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
        f"its client was killed{how} as it was started",
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
        Fault.PROCESSES: "End processes of this account there, or have its administrator raise the limit "
        "(ulimit -u in /etc/security/limits.conf, TasksMax of systemd).",
        Fault.NO_STAY: "Something there may kill the processes of this account: KillUserProcesses "
        "of systemd-logind, a cleaning script, a limit. Ask its administrator; "
        f"look there: {look('ulimit -a')}",
        Fault.OLD_PYTHON: "Python 3.6 or newer is needed; "
        f"name it in the hosts file: {name} python=PATH",
    }


def no_processes(where: str, words: str, limit: str = "") -> LaunchError:
    """Return the error of a host that starts no more processes for this account.

    `limit`: the account's, where it is known.
    """
    what = words
    if limit:
        what += f"; the limit on processes of this account (ulimit -u) is {limit}"
    return LaunchError(Fault.PROCESSES, what, where=where, todo=todo(Fault.PROCESSES, where))


def _words_of_no_process(lines: Sequence[str]) -> str:
    """Return a shell's words for a fork that failed, without its name and line number; else ""."""
    found = [match[0] for line in lines if (match := _NO_PROCESS.search(line))]
    return found[-1] if found else ""


def login_ran_nothing(where: str, printed: Sequence[str], code: int | None) -> LaunchError:
    """Return the error of a login whose shell did not run our command.

    `code`: with which it ended; None when it waits for input. A SilentStart when it ended without a
    reason, as it may do once.
    """
    what = "the login shell of this account did not run spe's command"
    if code is None:
        what += ": it waits for input (a question, a menu, another shell)"
    elif code >= 0:
        what += f" and ended with exit {code}"
    else:
        what += " and ended without an exit code"
    if printed:
        what += f"; it printed: {_first_words(printed)}"
    else:
        what += ", and it printed nothing" if code is None else ", without any output"
    words = _words_of_no_process(printed)
    if words:
        return no_processes(where, f"its login shell says: {words}")
    # An account without a shell, or a locked one, says so, and says it again when tried again.
    is_silent = code is not None and (code <= 0 or not printed)
    kind = SilentStart if is_silent else LaunchError
    remedy = _login_todo(where, printed, waits=code is None)
    return kind(Fault.NO_COMMANDS, what, where=where, todo=remedy)


def _first_words(printed: Sequence[str]) -> str:
    """Return the first lines of a login, in one line that a terminal can show."""
    lines = (re.sub(r"\x1b\[[\d;?]*[A-Za-z]|[^\x20-\x7e\xa0-\uffff]", "", line) for line in printed)
    return " | ".join([line.strip()[:_LINE] for line in lines if line.strip()][:_LINES])


def _login_todo(where: str, printed: Sequence[str], waits: bool) -> str:
    """Return where to look for what a login does instead of running commands."""
    text = " ".join(printed).lower()
    if not waits and any(word in text for word in _NO_SHELL):
        return "Ask its administrator for a login shell that runs commands (chsh -s /bin/bash)."
    files = [f"{file} ({shell})" for shell, file in _START_FILES.items() if _names(shell, text)]
    look = "read, a menu or exec" if waits else "exit, exec or return"
    # bash reads its file for each command that comes by SSH; that surprises most.
    remedy = f"Look for {look} in ~/.bashrc there, which bash also reads for commands by SSH"
    if files:
        remedy = f"Look for {look} in {', '.join(files)} there"
    else:
        others = ", ".join(f"{shell}: {file}" for shell, file in _START_FILES.items() if shell != "bash")
        remedy += f" ({others})"
    if waits:
        remedy += ", and let it come only in a terminal: [ -t 0 ] || return"
    return f"{remedy}; this must say hello: ssh {where} echo hello"


def _names(shell: str, text: str) -> bool:
    """Return whether the login's words are of this shell: `fish: …`, `/home/a/.bashrc: line 3`."""
    return re.search(rf"(?:^|[\s/.-]){shell}(?:rc|env)?(?:: | version )", text) is not None


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
            return Fault.NO_PYTHON, _no_python(said, host), ""
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
            remedy = "It gets no task. Mend that, then `spe run` again."
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

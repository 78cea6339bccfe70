"""Faults of logins: the login shell does not run our command, or the host starts no process for it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import Fault, LaunchError, SilentStart
from .pasteable import words_for

NOTHING_RAN = "the login shell of this account did not run spe's command"
PROCESSES_TODO = (
    "End processes of this account there, or have its administrator raise the limit "
    "(ulimit -u in /etc/security/limits.conf, TasksMax of systemd)."
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


def no_processes(where: str, words: str, limit: str = "") -> LaunchError:
    """Return the error of a host that starts no more processes for this account.

    `limit`: the account's, where it is known.
    """
    what = words
    if limit:
        what += f"; the limit on processes of this account (ulimit -u) is {limit}"
    return LaunchError(Fault.PROCESSES, what, where=where, todo=PROCESSES_TODO)


def words_of_no_process(lines: Sequence[str]) -> str:
    """Return a shell's words for a fork that failed, without its name and line number; else ""."""
    found = [match[0] for line in lines if (match := _NO_PROCESS.search(line))]
    return found[-1] if found else ""


def login_ran_nothing(where: str, printed: Sequence[str], code: int | None) -> LaunchError:
    """Return the error of a login whose shell did not run our command.

    `code`: with which it ended; None when it waits for input. A SilentStart when it ended without a
    reason, as it may do once.
    """
    what = NOTHING_RAN
    if code is None:
        what += ": it waits for input (a question, a menu, another shell)"
    elif code >= 0:
        what += f" and ended with exit {code}"
    else:
        what += " and ended without an exit code"
    what += printed_words(printed, waits=code is None)
    words = words_of_no_process(printed)
    if words:
        return no_processes(where, f"its login shell says: {words}")
    # An account without a shell, or a locked one, says so, and says it again when tried again.
    is_silent = code is not None and (code <= 0 or not printed)
    kind = SilentStart if is_silent else LaunchError
    look = "exit, exec or return" if code is not None else "read, a menu or exec"
    remedy = login_todo(words_for(where), printed, look, waits=code is None)
    return kind(Fault.NO_COMMANDS, what, where=where, todo=remedy)


def printed_words(printed: Sequence[str], waits: bool) -> str:
    """Return what follows in a sentence about a login: its first lines, or that there are none."""
    if printed:
        return f"; it printed: {_first_words(printed)}"
    return ", and it printed nothing" if waits else ", without any output"


def _first_words(printed: Sequence[str]) -> str:
    """Return the first lines of a login, in one line that a terminal can show."""
    lines = (re.sub(r"\x1b\[[\d;?]*[A-Za-z]|[^\x20-\x7e\xa0-\uffff]", "", line) for line in printed)
    return " | ".join([line.strip()[:_LINE] for line in lines if line.strip()][:_LINES])


def login_todo(ssh: str, printed: Sequence[str], look: str, waits: bool) -> str:
    """Return where to look for what a login does instead of running commands.

    ssh: the words with which a person calls it. look: what to look for.
    """
    text = " ".join(printed).lower()
    if not waits and any(word in text for word in _NO_SHELL):
        return "Ask its administrator for a login shell that runs commands (chsh -s /bin/bash)."
    files = [f"{file} ({shell})" for shell, file in _START_FILES.items() if _names(shell, text)]
    # bash reads its file for each command that comes by SSH; that surprises most.
    remedy = f"Look for {look} in ~/.bashrc there, which bash also reads for commands by SSH"
    if files:
        remedy = f"Look for {look} in {', '.join(files)} there"
    else:
        others = ", ".join(f"{shell}: {file}" for shell, file in _START_FILES.items() if shell != "bash")
        remedy += f" ({others})"
    if waits:
        remedy += ", and let it come only in a terminal: [ -t 0 ] || return"
    if waits and not files:
        # No start-up file has to do with it where the shell in the password file is the menu.
        remedy += ". Where the account's shell is itself a menu, its administrator can give it one that "
        remedy += "runs commands (chsh -s /bin/bash)"
    return f"{remedy}; this must say hello: ssh {ssh} echo hello"


def _names(shell: str, text: str) -> bool:
    """Return whether the login's words are of this shell: `fish: …`, `/home/a/.bashrc: line 3`."""
    return re.search(rf"(?:^|[\s/.-]){shell}(?:rc|env)?(?:: | version )", text) is not None

"""The login shell of this account, and what it would find: its start-up files may set another PATH."""

import os
import pwd
import signal
import subprocess
from typing import Dict, List

from ..machine import process_tree

LIMIT = 5.0  # seconds: a hand waits for it, once for each program that it does not find
_found: Dict[str, str] = {}


def path() -> str:
    """Return the login shell of this account."""
    named = os.environ.get("SHELL") or ""
    if not named:
        try:
            named = pwd.getpwuid(os.getuid()).pw_shell
        except KeyError:
            named = ""
    return named or "/bin/sh"


def words(script: bytes) -> List[bytes]:
    """Return the words that run a script in a login shell, for the program `path()`."""
    # A name that starts with - makes a login shell of every kind of shell; an option for that has
    # another name in each.
    return [b"-" + os.fsencode(os.path.basename(path())), b"-c", script]


def finds(program: str) -> str:
    """Return where the login shell finds a program; "" where it does not, or takes too long."""
    if program not in _found:
        _found[program] = _look_for(program)
    return _found[program]


def advice(program: str) -> str:
    """Return what to add to "not found" when the login shell finds the program, else ""."""
    place = finds(program)
    if not place:
        return ""
    text = '; a login shell there finds %s: setup: "true" in spe.yaml gives tasks its environment'
    return text % place


def _look_for(program: str) -> str:
    if "/" in program or not program.strip() or program.startswith("-") or "'" in program:
        return ""
    ask = "which" if os.path.basename(path()) in ("csh", "tcsh") else "command -v"
    for line in reversed(_said("echo; %s '%s'" % (ask, program)).split("\n")):
        if line.startswith("/") and os.path.basename(line) == program and os.access(line, os.X_OK):
            return line
    return ""


def _said(script: str) -> str:
    # A program inherits the signals that its starter blocks.
    blocked = signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        process = subprocess.Popen(
            words(script.encode("utf-8", "surrogateescape")),
            executable=path(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError):
        return ""
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    try:
        return os.fsdecode(process.communicate(timeout=LIMIT)[0])
    except subprocess.TimeoutExpired:
        process_tree.send_tree(process.pid, signal.SIGKILL)
        process.communicate()
        return ""

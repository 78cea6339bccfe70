"""The `setup:` of spe.yaml, a piece of shell that runs once: its environment goes to the tasks.

It runs in the user's login shell, where `module load` and the like are known.
"""

import os
import signal
import subprocess
import sys
from typing import Any, Dict, Sequence

from .. import exits
from ..machine import process_limit, process_tree
from . import anchor, login_shell

LIMIT = 600.0  # seconds of `setup:`
NO_RETURN = (
    "the setup did not return: something in it ends or replaces the shell (exit, exec); "
    "leave that out"
)
# Variables that are the shell's own, or nobody's but ours.
NOT_TAKEN = ("_", "PWD", "OLDPWD", "SHLVL", "SPE_SESSION")
PRINT = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(k + b'=' + v for k, v in os.environb.items()))"


def environment(setup: str, folder: str) -> Dict[str, str]:
    """Return the environment for tasks: ours, or what the setup makes of it when run in `folder`."""
    found = _after(setup, folder) if setup.strip() else dict(os.environ)
    return {name: value for name, value in found.items() if name not in NOT_TAKEN}


def _after(setup: str, folder: str) -> Dict[str, str]:
    shell = login_shell.path()
    target, complaints = "setup.env", "setup.err"
    # Python prints the environment, not the shell's `env`, whose lines cannot be told apart where
    # a value has line ends.
    where = anchor.for_others(target)
    command = "exec %s -c %s > %s" % (_quoted(sys.executable), _quoted(PRINT), _quoted(where))
    script = "\n".join([setup, _unless_well(shell), command])
    with open(complaints, "wb") as errors:
        code = _run(shell, script.encode("utf-8", "surrogateescape"), folder, errors.fileno())
    if code != 0:
        why = (how(code), _last_line(complaints))
        raise exits.Ending(exits.SETUP, "setup failed (%s): %s" % why)
    text = _content(target)
    if not text:
        raise exits.Ending(exits.SETUP, NO_RETURN)
    pairs = [os.fsdecode(entry).partition("=") for entry in text.split(b"\0")]
    return {name: value for name, _, value in pairs if name}


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _run(shell: str, script: bytes, folder: str, errors: int) -> int:
    try:
        return run(login_shell.words(script), folder, errors, LIMIT, executable=shell)
    except OSError as fault:
        text = "setup failed: the login shell %s: %s"
        raise exits.Ending(exits.SETUP, text % (shell, process_limit.reason(fault)))
    except subprocess.TimeoutExpired:
        raise exits.Ending(exits.SETUP, "setup failed: it took more than %d s" % LIMIT)


def run(words: Sequence[Any], folder: str, output: int, limit: float, **how: Any) -> int:
    """Run a program in a folder with its output in an open file. Return its exit code.

    Whatever it started is ended with it. Raises OSError, and TimeoutExpired after `limit` seconds.
    """
    process = subprocess.Popen(
        words,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        **how
    )
    try:
        return process.wait(limit)
    finally:
        if process.returncode is None:
            process_tree.send_tree(process.pid, signal.SIGKILL)
            process.wait()


def _unless_well(shell: str) -> str:
    """Return a line, in the words of this shell, that ends with the last command's code if it failed."""
    name = os.path.basename(shell)
    if name in ("csh", "tcsh"):
        # Their own `exit` in a text of several lines ends nothing: the next line runs.
        return "set spe_code=$status\nif ( $spe_code != 0 ) exec /bin/sh -c \"exit $spe_code\""
    if name == "fish":
        return "set -l spe_code $status\ntest $spe_code -eq 0; or exit $spe_code"
    # A subshell hands on the code without a variable, which `set -a` would export to the tasks.
    return "(exit $?) || exit $?"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def how(code: int) -> str:
    return "signal %d" % -code if code < 0 else "exit code %d" % code


def _last_line(path: str) -> str:
    with open(path, "rb") as file:
        lines = file.read()[-4096:].decode("utf-8", "replace").strip().split("\n")
    return lines[-1] or "it said nothing"

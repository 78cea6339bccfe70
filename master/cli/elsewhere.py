"""`--at [user@]host:folder`: a command that reads runs where the sweep is, by the system's ssh; its output is ours."""

from __future__ import annotations

import functools
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from . import output

PLACE = re.compile(r"(?P<target>(?:[^@:\s]+@)?(?:\[[0-9A-Fa-f:.%]+\]|[^:\s\[\]-][^:\s\[\]]*)):(?P<folder>.*)\Z", re.S)
TRIED = (".venv/bin/spe", "venv/bin/spe", '"$HOME/.local/bin/spe"')
LISTENS = "SPE_ENDS_WITH_STDIN"  # set for a command there that is to end when nobody listens here any more
NOWHERE = (
    "spe: it is not installed there: looked for .venv/bin/spe and venv/bin/spe in that folder, ~/.local/bin/spe, spe, "
    "and python3 -m spe",
    "  Install it there, or make ~/.local/bin/spe a link to where it is.",
)
#: One line, without an exclamation mark: whatever the login shell is, it hands it to sh as it stands.
FIND = (
    'cd -- "$0" 2>/dev/null || { echo "spe: there is no folder $0 there" >&2; exit 2; }; '
    f'for one in {" ".join(TRIED)}; do [ -x "$one" ] && exec "$one" "$@"; done; '
    'command -v spe >/dev/null 2>&1 && exec spe "$@"; '
    "python3 -c 'import spe.cli' >/dev/null 2>&1 && exec python3 -m spe \"$@\"; "
    f"printf '%s\\n' '{NOWHERE[0]}' '{NOWHERE[1]}' >&2; exit 2"
)


def reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """--at, and -F for it. To stand next to the function."""

    @functools.wraps(command)
    def here_or_there(*words: Any, at: str | None, ssh_config: Path | None, **options: Any) -> Any:
        if at:
            return run_there(at, ssh_config, sys.argv[1:])
        if os.environ.pop(LISTENS, ""):
            threading.Thread(target=_end_with_stdin, daemon=True).start()
        if _goes_on(sys.argv[1:]):
            output.end_when_unread()
        return command(*words, **options)

    at = click.option("--at", metavar="[USER@]HOST:FOLDER", help="The sweep is in that folder of another machine.")
    config = click.option("-F", "ssh_config", type=click.Path(path_type=Path), help="Not ~/.ssh/config, for --at.")
    return at(config(here_or_there))


def run_there(at: str, ssh_config: Path | None, arguments: Sequence[str]) -> int:
    """The same command without --at, there; its exit code. Raises UsageError where it does not come to that."""
    words = _without(arguments)
    command = ssh_command(at, ssh_config, words)
    stdin = None if "-t" in command else subprocess.PIPE if _goes_on(words) else subprocess.DEVNULL
    try:
        with subprocess.Popen(command, stdin=stdin) as process:
            code = process.wait()
    except FileNotFoundError as error:
        todo = "Install it, such as with: apt-get install openssh-client"
        raise UsageError("--at needs the program ssh, which is not here", todo=todo) from error
    if code == 255:
        raise UsageError(f"ssh does not get there; it said why. Try: ssh {at.partition(':')[0]}", where=f"--at {at}")
    return code


def ssh_command(at: str, ssh_config: Path | None, words: Sequence[str]) -> list[str]:
    """How ssh is called. Unknown host keys are asked about where there is a terminal, changed ones are refused."""
    place = PLACE.match(at)
    if place is None:
        raise UsageError(f"--at {at}: this is no [user@]host:folder", todo="Write it like --at me@lab01:sweeps/pi.")
    folder = place["folder"].removeprefix("~/") if place["folder"] != "~" else ""
    live, terminal = _goes_on(words), sys.stdin.isatty() and sys.stdout.isatty()
    listens = ["env", f"{LISTENS}=1"] if live and not terminal else []
    there = shlex.join(["exec", *listens, "sh", "-c", FIND, folder or ".", *words])
    options = ["-F", str(ssh_config)] if ssh_config else []
    options += ["-t" if live and terminal else "-T", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=20"]
    options += [] if terminal else ["-o", "BatchMode=yes"]
    return ["ssh", *options, "--", place["target"].replace("[", "").replace("]", ""), there]


def _goes_on(words: Sequence[str]) -> bool:
    """Whether this command ends when the sweep does, or when nobody listens any more."""
    first, rest = words[:1], set(words[1:])
    return first in (["top"], ["events"]) or "--watch" in rest or (first == ["log"] and bool(rest & {"-f", "--follow"}))


def _end_with_stdin() -> None:
    """There: with a connection that breaks ends our standard input, and nothing else tells us."""
    while os.read(0, 4096):  # by no object of Python's: one that waits at its end would be a fault
        continue
    os.kill(os.getpid(), signal.SIGINT)


def _without(arguments: Sequence[str]) -> list[str]:
    """The words but for --at and -F, which are of this machine."""
    words = iter(arguments)
    kept = []
    for word in words:
        if word in ("--at", "-F"):
            next(words, None)
        elif not word.startswith(("--at=", "-F")):
            kept.append(word)
    return kept

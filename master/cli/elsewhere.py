"""`--at [user@]host:folder`: a command runs where the sweep is, by the system's ssh.

Its output is printed here as it comes, without what the login there prints (far_command.py).
"""

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

from ..errors import SpeError, UsageError
from . import output
from .far_command import SAY_MARK, FarCommand

PLACE = re.compile(
    r"(?P<target>(?:[^@:\s]+@)?(?:\[[0-9A-Fa-f:.%]+\]|[^:\s\[\]-][^:\s\[\]]*)):(?P<folder>.*)\Z",
    re.S,
)
# Before what PATH says there: a shell that ssh starts is no login shell, and often has no PATH of
# the user's.
TRIED = (".venv/bin/spe", "venv/bin/spe", '"$HOME/.local/bin/spe"')
# Set for a command there that must end when nobody listens here any more.
LISTENS = "SPE_ENDS_WITH_STDIN"
# One line is sent as soon as the mark is heard. Without it the input was closed before, because the
# login seemed to wait for some, and its end tells nothing.
LISTEN = f"IFS= read -r {LISTENS} && {LISTENS}=1 && export {LISTENS}; "
# Set for every command there: what --at said here.
PLACE_HERE = "SPE_AT"
NOWHERE = (
    "spe: spe is not installed there: looked for .venv/bin/spe and venv/bin/spe in that folder, "
    "~/.local/bin/spe, spe, and python3 -m spe",
    "  Install it there, or make ~/.local/bin/spe a link to where it is.",
)
#: One line, without an exclamation mark: any login shell, csh too, hands it to sh as it stands.
FIND = (
    'cd -- "$0" 2>/dev/null || { echo "spe: there is no folder $0 there" >&2; exit 2; }; '
    f'for one in {" ".join(TRIED)}; do [ -x "$one" ] && exec "$one" "$@"; done; '
    'command -v spe >/dev/null 2>&1 && exec spe "$@"; '
    "python3 -c 'import spe.cli' >/dev/null 2>&1 && exec python3 -m spe \"$@\"; "
    f"printf '%s\\n' '{NOWHERE[0]}' '{NOWHERE[1]}' >&2; exit 2"
)


class _Called:
    """How this process was called. There is one of it: `_called`."""

    from_afar = ""  # what --at said on another machine


_called = _Called()


def note_call_from_afar() -> None:
    """Note the place that another machine called this one, for messages."""
    _called.from_afar = os.environ.pop(PLACE_HERE, "") or _called.from_afar


def named_from_afar(error: SpeError) -> str:
    """Return an error as text. Where the command was called by --at, it names this place."""
    place = _called.from_afar
    if not place:
        return str(error)
    text = f"{place}: {error}"
    if "`spe " in error.todo:
        # A person who types it as it stands would have it run on the machine where they sit.
        text += f"\n  This is about {place}: log in there first, or add --at {place} where it is taken."
    return text


def refuse(words: Sequence[str]) -> UsageError | None:
    """Return the error for a command that does not take --at; None where --at is not in its words."""
    at = config = ""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "--":
            break
        if word == "--at" or word.startswith("--at="):
            at = word.partition("=")[2] or following
        elif word == "-F":
            config = following
    if not at:
        return None
    ssh = _typed(at, Path(config) if config else None) if PLACE.match(at) else "HOST"
    todo = f"Log in there (ssh {ssh}) and type it in the folder of the sweep."
    if words[0] in ("run", "check"):
        todo = f"Log in there (ssh {ssh}) and start it with `spe run --detach`."
    return UsageError(f"`spe {words[0]}` works on the machine where it is typed: no --at", todo=todo)


def anywhere(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --at, and -F for it. Must stand next to the function."""

    @functools.wraps(command)
    def here(*words: Any, ssh_config: Path | None, **options: Any) -> Any:
        return command(*words, **options)

    config = click.option(
        "-F", "ssh_config", type=click.Path(path_type=Path), help="Not ~/.ssh/config, for --at."
    )
    return anywhere_with_config(config(here))


def anywhere_with_config(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --at to a command that has -F already."""

    @functools.wraps(command)
    def here_or_there(*words: Any, at: str | None, **options: Any) -> Any:
        if at:
            return run_there(at, options["ssh_config"], sys.argv[1:])
        note_call_from_afar()
        if os.environ.pop(LISTENS, ""):
            threading.Thread(target=_end_with_stdin, daemon=True).start()
        # Such a command may have nothing to print for hours, and would not notice the end of
        # `| head` before its next line.
        if _goes_on(sys.argv[1:]):
            output.end_when_unread()
        return command(*words, **options)

    at = click.option(
        "--at", metavar="[USER@]HOST:FOLDER", help="The sweep is in that folder of another machine."
    )
    return at(here_or_there)


def run_there(at: str, ssh_config: Path | None, arguments: Sequence[str]) -> int:
    """Run the same command without --at there, and return its exit code.

    Raises UsageError where ssh does not get that far.
    """
    words = _without(arguments)
    command = ssh_command(at, ssh_config, words)
    try:
        is_asked = "BatchMode=yes" not in command
        far = FarCommand(command, stdin=_stdin(command, words), is_asked=is_asked)
    except FileNotFoundError as error:
        todo = "Install it, such as with: apt-get install openssh-client"
        raise UsageError(
            "--at needs the program ssh, which is not installed here", todo=todo
        ) from error
    code = far.follow()
    if not far.output.has_begun:
        raise _ran_nothing(far, code, at, ssh_config)
    if code == 255:  # ssh's own: no command of spe ends with it
        todo = f"What stands above is not complete. Try: ssh {_typed(at, ssh_config)}"
        raise UsageError("the connection broke off", where=f"--at {at}", todo=todo)
    return code


def _ran_nothing(far: FarCommand, code: int, at: str, ssh_config: Path | None) -> UsageError:
    """Return the error of a connection in which our command has not begun."""
    from ..launch import login_faults  # only now: as in _typed

    ssh = _typed(at, ssh_config)
    where = f"--at {at}"
    printed = far.output.first_words
    if code == 255 and not printed:
        todo = f"Its own message stands above. Try: ssh {ssh}"
        return UsageError("ssh cannot connect", where=where, todo=todo)
    what = login_faults.NOTHING_RAN
    if far.is_late:
        what += " within a minute"
    elif far.waits:
        what += ": it waits for input (a question, a menu, another shell)"
    else:
        what += f" and ended with exit {code}"
    what += login_faults.printed_words(printed, waits=far.waits)
    # A menu gets no input here, so it may have ended like any other.
    look = "exit, exec, read or a menu"
    return UsageError(
        what, where=where, todo=login_faults.login_todo(ssh, printed, look, waits=far.waits)
    )


def _stdin(command: Sequence[str], words: Sequence[str]) -> int | None:
    """Return the standard input of ssh: the terminal (None), a pipe, or nothing at all."""
    if "-t" in command:
        return None
    if _goes_on(words):
        # The pipe ends with this process, however that ends, and then the command there ends, too.
        return subprocess.PIPE
    return subprocess.DEVNULL


def ssh_command(at: str, ssh_config: Path | None, words: Sequence[str]) -> list[str]:
    """Return the words that call ssh.

    Unknown host keys are asked about where there is a terminal; changed ones are refused.
    """
    place = PLACE.match(at)
    if place is None:
        todo = "Write it like --at me@lab01:sweeps/pi."
        raise UsageError(f"--at {at}: this is not [user@]host:folder", todo=todo)
    live = _goes_on(words)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    begin = SAY_MARK
    if live and not terminal:
        begin += LISTEN
    folder = _folder_there(place["folder"])
    there = shlex.join(["exec", "env", f"{PLACE_HERE}={at}", "sh", "-c", begin + FIND, folder, *words])
    options = _ssh_options(ssh_config, live, terminal)
    # ssh takes an IPv6 address without the brackets, which tell it from the folder here.
    return ["ssh", *options, "--", _target(place), there]


def _folder_there(written: str) -> str:
    """Return the folder for `cd`, which knows no `~` in quotes: ssh begins in the home."""
    if written == "~":
        return "."
    return written.removeprefix("~/") or "."


def _ssh_options(ssh_config: Path | None, live: bool, terminal: bool) -> list[str]:
    """Return the options of ssh. `live`: the command goes on until somebody ends it."""
    options: list[str] = []
    if ssh_config:
        options += ["-F", str(ssh_config)]
    # A terminal there only where there is one here: it puts a carriage return before each newline,
    # which files and programs do not want.
    options.append("-t" if live and terminal else "-T")
    options += ["-o", "LogLevel=ERROR", "-o", "ConnectTimeout=20"]
    if not terminal:
        options += ["-o", "BatchMode=yes"]  # a question would wait for ever
    return options


def _typed(at: str, ssh_config: Path | None) -> str:
    """Return the words with which a person calls ssh for the same machine."""
    from ..launch.pasteable import (
        ssh_words,
    )  # only now: other commands start faster without launch/

    place = PLACE.match(at)
    assert place is not None  # ssh_command has looked at it
    return ssh_words(_target(place), config=ssh_config)


def _target(place: re.Match[str]) -> str:
    return place["target"].replace("[", "").replace("]", "")


def _goes_on(words: Sequence[str]) -> bool:
    """Tell whether this command goes on until the sweep ends, or until nobody listens any more."""
    rest = set(words[1:])
    if "--watch" in rest:
        return True
    if words[:1] == ["log"]:
        return bool(rest & {"-f", "--follow"})
    return words[:1] in (["top"], ["events"], ["attach"], ["ask"], ["page"])


def _end_with_stdin() -> None:
    """End this command when its standard input ends: nothing else tells of a connection that broke."""
    # os.read, not sys.stdin: Python locks that one at its end, and would wait for this thread.
    while os.read(0, 4096):
        continue
    # As Ctrl-C here: the command ends its connection to the master, which ends what it follows.
    os.kill(os.getpid(), signal.SIGINT)


def _without(arguments: Sequence[str]) -> list[str]:
    """Return the words but for --at and -F, which are about this machine.

    A run that a command there begins must not end with this connection, so it is detached.
    """
    # All others as they were given: the spe there may be older or newer, and have other options.
    words = iter(arguments)
    kept = []
    for word in words:
        if word == "--":  # what follows is a command, whose options are its own
            kept += [word, *words]
        elif word in ("--at", "-F"):
            next(words, None)
        elif not word.startswith(("--at=", "-F")):
            kept.append(word)
    if kept[:1] == ["retry"] and "--detach" not in kept:
        kept.append("--detach")
    return kept

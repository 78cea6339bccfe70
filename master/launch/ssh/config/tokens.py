"""Tokens (%h), variables (${NAME}) and `~` in values of ssh_config, as ssh_config(5) explains them.

`ssh -G` expands them in some values only, and which ones differs between its versions.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import socket
from pathlib import Path

from ....record import record

_TOKEN = re.compile(r"%(.)", re.DOTALL)
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@record
class Facts:
    """Facts of one host that tokens stand for."""

    original: str  # as the user wrote it
    hostname: str
    port: int
    user: str
    alias: str | None = None  # HostKeyAlias
    jump: str = ""


def account() -> tuple[str, Path]:
    """Return name and home of the account that runs this.

    From the password file and not from $USER and $HOME: so does ssh.
    """
    try:
        entry = pwd.getpwuid(os.getuid())
    except KeyError:  # a container without an entry for this user
        return str(os.getuid()), Path(os.path.expanduser("~"))
    return entry.pw_name, Path(entry.pw_dir)


def expand(text: str, facts: Facts) -> str:
    """Return the text with its %-tokens replaced. An unknown token stays as it is."""
    return _TOKEN.sub(lambda match: _value(match[1], facts, match[0]), text)


def expand_path(text: str, facts: Facts) -> Path:
    """Return the path with `~`, %-tokens and variables replaced. A variable that is not set stays."""
    text = _from_home(text)
    text = expand(text, facts)
    return Path(_VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text))


def _from_home(text: str) -> str:
    if text == "~" or text.startswith("~/"):
        return str(account()[1]) + text[1:]
    return os.path.expanduser(text)  # ~user


def _value(letter: str, facts: Facts, whole: str) -> str:
    match letter:
        case "%":
            return "%"
        case "h":
            return facts.hostname
        case "n":
            return facts.original
        case "p":
            return str(facts.port)
        case "r":
            return facts.user
        case "j":
            return facts.jump
        case "k":
            return facts.alias or facts.original
        case _:
            return _local_value(letter, facts, whole)


def _local_value(letter: str, facts: Facts, whole: str) -> str:
    """Return the same for tokens about this machine and this account."""
    match letter:
        case "d":
            return str(account()[1])
        case "u":
            return account()[0]
        case "i":
            return str(os.getuid())
        case "l":
            return socket.gethostname()
        case "L":
            return socket.gethostname().partition(".")[0]
        case "C":
            text = f"{socket.gethostname()}{facts.hostname}{facts.port}{facts.user}{facts.jump}"
            return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        case _:
            return whole

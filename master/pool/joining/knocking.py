"""Get a token from a farm: at its socket here, or there by the user's own ssh."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...text import printable
from ...version import __version__
from . import socket_check

LONGEST = 1_000_000  # bytes of what ssh prints that are looked at
TIME = 120.0  # seconds for ssh with its questions


def public_folder(account: str, public: str) -> str:
    """Return the folder of a farm; the farm's side knows the same default."""
    return public or f"/var/tmp/spe-farm-{account}"


def is_here(srv: str) -> bool:
    """Tell whether this is the farm's host."""
    own = socket.gethostname()
    return srv in ("localhost", own, own.partition(".")[0], socket.getfqdn())


def own_name() -> str:
    """Return the host name to which a token of this machine is bound."""
    return socket.gethostname().partition(".")[0]


def boot_id() -> str:
    """Return what tells this boot of the machine from others; "" where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def knock(srv: str, account: str, public: str, ssh_config: Path | None = None) -> dict[str, Any]:
    """Return what the farm on `srv` answers to who joins. Raises UsageError."""
    request = {"do": "join", "host": own_name(), "spe": __version__}
    folder = public_folder(account, public)
    if is_here(srv):
        try:
            answer: dict[str, Any] = socket_check.ask(account, folder, request)
        except socket_check.Doubt as doubt:
            raise UsageError(doubt.args[0], where=srv, todo=doubt.args[1]) from None
    else:
        answer = _there(srv, {"account": account, "folder": folder, "request": request}, ssh_config)
    if "error" in answer or not isinstance(answer.get("token"), str):
        what = said(answer.get("error", "the farm sent no token"))
        raise UsageError(what, where=srv, todo=said(answer.get("todo", "")))
    return answer


def look(srv: str, account: str, public: str) -> dict[str, Any]:
    """Return where the farm on `srv` is now, asked in the same way as a token. Raises UsageError.

    Nobody may be there to answer questions of ssh.
    """
    folder = public_folder(account, public)
    if is_here(srv):
        try:
            found: dict[str, Any] = socket_check.look(account, folder)
        except socket_check.Doubt as doubt:
            raise UsageError(doubt.args[0], where=srv, todo=doubt.args[1]) from None
    else:
        asked = {"account": account, "folder": folder, "request": socket_check.LOOK}
        found = _there(srv, asked, None, "-o", "BatchMode=yes")
    if "error" in found:
        raise UsageError(said(found["error"]), where=srv, todo=said(found.get("todo", "")))
    return found


def said(text: object) -> str:
    """Return a text of the farm for the terminal: what a false one could send does nothing there."""
    return printable(" ".join(str(text).split()))[:300]


def ssh_words(target: str, ssh_config: Path | None, *more: str) -> list[str]:
    """Return the words that call the user's ssh; a target is never taken for an option."""
    config = ["-F", str(ssh_config)] if ssh_config else []
    return ["ssh", "-T", *config, *more, "--", target]


def _there(
    srv: str, asked: dict[str, Any], ssh_config: Path | None, *options: str
) -> dict[str, Any]:
    """Run the check on the farm's host. Its text goes through standard input, into no file."""
    text = Path(socket_check.__file__).read_text(encoding="utf-8")
    program = f"{text}\nmain({json.dumps(asked)!r})\n"
    words = [*ssh_words(srv, ssh_config, *options), "exec python3 -"]
    todo = f"Try: ssh {srv}. Without a login there, join with a code: --code"
    try:
        done = subprocess.run(
            words, input=program.encode(), stdout=subprocess.PIPE, check=False, timeout=TIME
        )
    except FileNotFoundError:
        todo = "Install it, such as with: apt-get install openssh-client"
        raise UsageError("the program ssh is not installed here", todo=todo) from None
    except subprocess.TimeoutExpired:
        raise UsageError("ssh did not come to an end", where=srv, todo=todo) from None
    for line in done.stdout[:LONGEST].decode("utf-8", "replace").splitlines():
        if line.startswith(socket_check.MARK):
            try:
                found = json.loads(line.removeprefix(socket_check.MARK))
            except (ValueError, RecursionError):
                break
            if isinstance(found, dict):
                return found
    if done.returncode == 255:
        raise UsageError("ssh cannot log in on the farm's host", where=srv, todo=todo)
    what = f"the login on the farm's host runs no python3 (exit {done.returncode})"
    raise UsageError(what, where=srv, todo=todo)

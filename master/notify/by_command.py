"""Runs a command of the user that tells of a message: on this machine, with the text on stdin."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading

from .message import Message
from .not_sent import NotSent

LIMIT = 20.0  # seconds that it may run

_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()


def send(command: str, message: Message, shows: bool) -> None:
    """Run the command in a shell. Raises NotSent. `shows`: the reason may have words of it."""
    known = {"EVENT": message.event, "SUBJECT": message.subject, "FOLDER": message.facts.get("folder", "")}
    known["SWEEP"] = message.facts.get("sweep", "")
    # Not those under which spe itself was started by a program of another sweep.
    environment = {**os.environ, **{f"SPE_{name}": str(text) for name, text in known.items()}}
    text = f"{message.subject}\n\n{message.text}".encode("utf-8", "replace")
    try:
        # A session of its own, so that what it starts is ended with it, and Ctrl-C does not reach it.
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=environment, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise NotSent(f"the command could not be started: {type(error).__name__}") from error
    with _lock:
        _running.add(process)
    try:
        _, said = process.communicate(text, timeout=LIMIT)
    except subprocess.TimeoutExpired as error:
        raise NotSent(f"the command was ended after {LIMIT:g} s") from error
    finally:
        with _lock:
            _running.discard(process)
        _end(process)
    if process.returncode:
        raise _failed(process.returncode, said if shows else b"")


def end_all() -> None:
    """End the commands that still run: the master ends."""
    with _lock:
        left = list(_running)
    for process in left:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return  # what it has left in the background is the user's wish
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failed(code: int, said: bytes) -> NotSent:
    how = f"exit code {code}" if code > 0 else f"signal {-code}"
    lines = said.decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return NotSent(f"the command ended with {how}", said=last)

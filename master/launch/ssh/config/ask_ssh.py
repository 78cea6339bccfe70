"""The meaning of the configuration, asked of the user's own ssh: `ssh -G HOST`.

ssh alone knows its Match criteria, its version's options and its defaults. It is a process of some
8 ms for each host, and connects to nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from ...pasteable import ssh_words
from .settings import Hangs, NoAddress, Question, Settings, Values

# At a time: more would make each other slow on a machine with few cores.
_AT_ONCE = 8
_LONGEST = 500  # characters of ssh's own words in a message
_LISTS = ("userknownhostsfile", "globalknownhostsfile")
_turns = threading.Semaphore(_AT_ONCE)
_defaults_lock = threading.Lock()
_defaults: dict[str, Values] = {}  # the path of an ssh program -> its own defaults


class Refused(Exception):
    """ssh does not accept its configuration; the message is its own."""


def ssh_program() -> str | None:
    """Return the ssh that a shell would run here; None without one."""
    return shutil.which("ssh")


def ask(program: str, path: Path | None, question: Question, limit: float) -> Settings:
    """Return the settings that ssh would use.

    `path`: the file of -F. Raises Refused, NoAddress, and Hangs after `limit` seconds.
    """
    words = [program, "-G"]
    if path:
        words += ["-F", str(path)]
    if question.user:
        words += ["-l", question.user]
    if question.port:
        words += ["-p", str(question.port)]
    return Settings(_answer([*words, "--", question.name], limit), _own_defaults(program, limit))


def _own_defaults(program: str, limit: float) -> Values:
    """Return what this ssh says without any file; asked once."""
    with _defaults_lock:
        if program not in _defaults:
            _defaults[program] = _answer([program, "-G", "-F", os.devnull, "--", "x"], limit)
        return _defaults[program]


def _answer(words: Sequence[str], limit: float) -> Values:
    # Without a turn in time it goes on: it must not wait behind commands that hang.
    acquired = _turns.acquire(timeout=limit)
    try:
        code, out, said = _run(words, limit)
    finally:
        if acquired:
            _turns.release()
    values = _parsed(out)
    if code == 0 and "hostname" in values and "port" in values:
        return values
    if "could not resolve hostname" in said.lower():
        raise NoAddress(said)
    raise Refused(said or f"{ssh_words(words[0])} -G ended with exit {code} and said nothing")


def _run(words: Sequence[str], limit: float) -> tuple[int, bytes, str]:
    """Return (exit code, standard output, words on standard error). Raises Hangs and Refused."""
    # A file and not a pipe: a command of Match exec that goes on in the background would hold it open.
    with _open_scratch() as errors:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # so that all that it has started can be ended
            )
        except OSError as error:
            raise Refused(f"{words[0]} cannot be started: {error.strerror}") from error
        try:
            out, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired as error:
            raise Hangs from error
        finally:
            _end(process)
        return process.returncode, out, _words(errors)


def _open_scratch() -> IO[bytes]:
    """Return a file without a name: in memory, where the system has that, as a disk may be full."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("spe-ssh"), "w+b")
    return tempfile.TemporaryFile()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End ssh, when it still runs, with what it has started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _words(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode(errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip() and ": terminating, " not in line]
    text = "; ".join(said)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _parsed(out: bytes) -> Values:
    """Return the values of `keyword value` lines."""
    found: dict[str, tuple[str, ...]] = {}
    for line in out.decode(errors="surrogateescape").splitlines():
        key, _, value = line.partition(" ")
        key = key.lower()
        values = tuple(_paths(value)) if key in _LISTS else (value,)
        found[key] = (*found.get(key, ()), *values)
    return found


def _paths(text: str) -> list[str]:
    """Return the paths of a list in which ssh does not quote those with spaces.

    A word that begins no path (`/…` or `~…`) belongs to the path before it.
    """
    found: list[str] = []
    for word in text.split(" "):
        if found and found[-1].startswith(("/", "~")) and not word.startswith(("/", "~")):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found

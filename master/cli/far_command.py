"""The ssh of `--at`: pass on what the command there prints, and nothing that its login prints.

A login may print words, ask something, show a menu, or run no command at all. Our command begins with
a mark, and all that comes before the mark is the login's.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from . import output

# In two pieces, so that a login which prints the command that it was told does not print the mark.
SAY_MARK = "printf '\\n%s%s\\n' 'spe: be' gin || exit 2; "
_WORDS = b"spe: begin"
# A terminal there puts a carriage return before each newline.
_MARK = re.compile(rb"\r*\n" + _WORDS + rb"\r*\n")
_PATIENCE = 4.0  # seconds without the mark after which the login gets no input
_REACTION = 2.0  # seconds in which a login that waits for input reacts to the end of it
_LONGEST = 60.0  # seconds for a login
_ENDLESS = 1 << 24  # bytes of a menu that goes round and round without input
_HEAD = 4096  # bytes kept of what the login prints first
_PR_SET_PDEATHSIG = 1


class FarOutput:
    """The standard output of one ssh, as it arrives.

    `has_begun`: the mark was there. `count`: bytes of the login. `head`: the first of them.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self.count = 0
        self.head = b""
        self._kept = b""  # perhaps the beginning of the mark

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """Return which bytes are the login's and which the command's; no data: it has ended."""
        if self.has_begun:
            return b"", data
        text = self._kept + data
        mark = _MARK.search(text)
        if mark:
            self.has_begun = True
            self._kept = b""
            login, command = text[: mark.start()], text[mark.end() :]
        else:
            end = _possible_mark(text) if data else len(text)
            self._kept = text[end:]
            login, command = text[:end], b""
        self.count += len(login)
        self.head = (self.head + login)[:_HEAD]
        return login, command

    @property
    def first_words(self) -> list[str]:
        """The first lines of the login that are not empty."""
        lines = (line.strip() for line in self.head.decode(errors="replace").splitlines())
        return [line for line in lines if line]


def _possible_mark(text: bytes) -> int:
    """Return where a mark may begin whose end has not arrived yet; the length where none does."""
    before, newline, line = text.rpartition(b"\n")
    if newline and _WORDS.startswith(line.rstrip(b"\r")):
        return len(before.rstrip(b"\r"))
    return len(text.rstrip(b"\r"))


class FarCommand:
    """One call of ssh that runs a command elsewhere; lives until ssh has ended.

    `waits`: the login has not gone on without input. `is_late`: it was ended after _LONGEST seconds.
    """

    def __init__(self, words: Sequence[str], *, stdin: int | None, is_asked: bool) -> None:
        """Begin the call. `is_asked`: a person may be asked something, so there is no time limit.

        Raises FileNotFoundError without ssh.
        """
        self.output = FarOutput()
        self.waits = False
        self.is_late = False
        self._is_asked = is_asked
        self._shows_login = stdin is None
        self._ssh = subprocess.Popen(
            words, stdin=stdin, stdout=subprocess.PIPE, preexec_fn=_end_with_parent()
        )

    def follow(self) -> int:
        """Pass the output on until it ends; return ssh's exit code."""
        try:
            with self._ssh as ssh:
                assert ssh.stdout is not None
                if self._await_mark(ssh):
                    while data := os.read(ssh.stdout.fileno(), 1 << 16):
                        _print(data)
                elif self.is_late or self.output.count > _ENDLESS:
                    ssh.terminate()
                code = ssh.wait()
        except BaseException:
            # Without its reader ssh would go on until the command there prints something.
            self._ssh.terminate()
            raise
        return code if code >= 0 else 128 - code  # as a shell tells of a signal

    def _await_mark(self, ssh: subprocess.Popen[bytes]) -> bool:
        """Pass on what comes up to the mark and in one piece with it; return whether there is one."""
        assert ssh.stdout is not None
        begun = time.monotonic()
        closed_at = 0.0
        while not self.output.has_begun:
            passed = time.monotonic() - begun
            if ssh.stdin and not ssh.stdin.closed and passed > _PATIENCE:
                # One that is slow is not harmed, and one that waits for input ends or goes on.
                ssh.stdin.close()
                closed_at = time.monotonic()
            if self.output.count > _ENDLESS and not self._shows_login:
                self.waits = True
                return False
            if passed > _LONGEST and not self._is_asked:
                self.is_late = True
                return False
            if not select.select([ssh.stdout], [], [], 0.5)[0]:
                continue
            data = os.read(ssh.stdout.fileno(), 1 << 16)
            login, command = self.output.split(data)
            # A person answers the question of a login, and so has to see it.
            _print(login if self._shows_login else b"", command)
            if not data:
                self.waits = bool(closed_at) and time.monotonic() < closed_at + _REACTION
                return False
        self._answer(ssh)
        return True

    def _answer(self, ssh: subprocess.Popen[bytes]) -> None:
        """Tell the command there that its standard input is open as long as somebody listens."""
        if ssh.stdin and not ssh.stdin.closed:
            try:
                ssh.stdin.write(b"\n")
                ssh.stdin.flush()
            except BrokenPipeError:
                pass  # ssh has ended, and its exit code tells why
            # The command may have nothing to print for hours, and would not notice `| head`.
            output.end_when_unread()


def _print(*pieces: bytes) -> None:
    for piece in filter(None, pieces):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def _end_with_parent() -> Any:
    """Return what lets a new process end with this one, even if this one is killed; None where not.

    An ssh with a terminal would go on writing into it, and leave it in raw mode.
    """
    if sys.platform != "linux":
        return None
    import ctypes

    # Loaded before the fork: in the child the loader may be locked.
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

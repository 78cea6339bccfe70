"""A life of the hook process, seen from the master: its start, its messages, its prints, its end.

Which calls it gets, and what becomes of them when it dies, is call_queue.py's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import secrets
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

from .messages import LENGTH, Answer, HookSetup, pack

Log = Callable[[str], None]
PRINTS = 64 * 1024  # bytes that one call may print to the log; the rest is dropped
GOODBYE = 3.0  # seconds for the process to flush its files and end
CHILD = os.path.join("hooks", "child.py")  # in a traceback, frames of this file are not the user's


class HookProcess:
    """A life of the process. Made by `start`, over when `answer` returns None."""

    def __init__(
        self, process: asyncio.subprocess.Process, setup: HookSetup, trace: IO[bytes], log: Log
    ) -> None:
        self._process = process
        self._setup = setup
        self._trace = trace
        self._log = log
        self._printed = 0  # bytes, since the last answer
        self._how = ""  # the reason of its end, where the exit status does not tell it
        self._last_words: deque[str] = deque(maxlen=5)
        self._prints = asyncio.create_task(self._read_prints())

    @classmethod
    async def start(cls, setup: HookSetup, log: Log) -> HookProcess:
        """Return a process that was given its setup and has not answered it yet. Raises OSError."""
        trace = tempfile.TemporaryFile()  # noqa: SIM115  # closed by end()
        scratch = Path(tempfile.gettempdir(), f"spe-hooks-{secrets.token_hex(8)}")
        setup = replace(setup, scratch=scratch)
        # -P: without it a module of the user's in the current folder would stand in for ours.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "spe.hooks.child", str(trace.fileno())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(trace.fileno(),),
            # A session of its own: all its children die with it, and Ctrl-C does not reach it
            start_new_session=True,
        )
        new = cls(process, setup, trace, log)
        new.send(pack(setup))
        return new

    def send(self, frame: bytes) -> None:
        """Send a message. One to a process that is gone is lost: `answer` tells of that."""
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(frame)

    async def answer(self) -> Answer | None:
        """Return the next answer; None when the process is gone."""
        assert self._process.stdout is not None
        try:
            (length,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
            answer: Answer = pickle.loads(await self._process.stdout.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        self._printed = 0  # the limit of prints is for one call
        return answer

    @property
    def is_stopped(self) -> bool:
        """Tell whether it was stopped from outside (SIGSTOP, a debugger); False where the system
        does not tell.
        """
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{self._process.pid}/stat").read_text()
            return stat.rpartition(")")[2].split()[0] in "Tt"
        return False

    async def kill_hanging(self) -> None:
        """Kill it, after it has written down where it hangs."""
        if self.is_stopped:
            self._how = "was stopped from outside (SIGSTOP) until its time was over"
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGUSR1)
            # faulthandler writes from C at once, whatever the code does, and never tells when it is
            # done.
            await asyncio.sleep(0.2)
        self._kill()

    async def end(self) -> None:
        """End it: with a goodbye, and by force if that is not heard. Nothing of it stays."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), GOODBYE)
        self._kill()
        await self._process.wait()
        # A process that a hook started elsewhere may hold the pipe open
        await asyncio.wait([self._prints], timeout=1)
        self._prints.cancel()
        self._trace.close()
        shutil.rmtree(self._setup.scratch, ignore_errors=True)

    async def last_words(self) -> tuple[str, str, str, int]:
        """Return how it ended, the stack of that moment, and the last place in the user's files.

        Called after its death.
        """
        try:
            await asyncio.wait_for(self._process.wait(), 1)
        except TimeoutError:
            self._how = "closed its connection to spe"
        self._kill()  # the process, if it lives on, and all that it started
        await self._process.wait()
        await asyncio.wait([self._prints], timeout=1)
        self._trace.seek(0)
        written = self._trace.read().decode(errors="replace").splitlines()
        frames = [line.strip() for line in written if line.strip().startswith('File "')]
        ours = next((i for i, line in enumerate(frames) if CHILD in line), len(frames))
        stack = frames[:ours][::-1] or list(self._last_words)
        file, line = self._place(frames)
        how = self._how or _how(self._process.returncode or 0)
        return how, "\n".join(f"  {line}" for line in stack), file, line

    def _place(self, frames: list[str]) -> tuple[str, int]:
        """Return file and line of the innermost frame in the user's files."""
        inside = f'File "{_as_faulthandler_writes(str(self._setup.folder))}{os.sep}'
        for frame in frames:  # the innermost first
            if frame.startswith(inside):
                file, _, rest = frame.removeprefix(inside).partition('", line ')
                if os.sep not in file:  # not an environment that lies in the folder
                    return file, int(rest.split()[0])
        return "", 0

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _read_prints(self) -> None:
        """Write what the user's code prints to the log.

        Endless prints fill neither the disk nor the event loop: a limit for each call.
        """
        assert self._process.stderr is not None
        rest = b""
        while chunk := await self._process.stderr.read(16 * 1024):
            if self._printed > PRINTS:
                await asyncio.sleep(0.01)  # the pipe fills, and code that prints without end waits
                continue
            *lines, rest = (rest + chunk).split(b"\n")
            self._write_log(lines)
            self._printed += len(chunk)
            if self._printed > PRINTS:
                self._log(f"… more was printed in one call than {PRINTS // 1024} kB: dropped")
                rest = b""
        if rest:
            self._write_log([rest])

    def _write_log(self, lines: list[bytes]) -> None:
        for line in lines:
            text = line.decode("utf-8", "replace")
            self._last_words.append(text)
            self._log(text)


def _as_faulthandler_writes(path: str) -> str:
    """Return a path as faulthandler writes it: in ASCII, all other characters as numbers."""
    return "".join(char if " " <= char <= "~" else _number(ord(char)) for char in path)


def _number(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\U{code:08x}"


def _how(code: int) -> str:
    """Return how a process ended, by its exit status."""
    if code >= 0:
        return f"ended its process with exit code {code}"
    # Real-time signals have no name in Python.
    with contextlib.suppress(ValueError):
        return f"died of signal {-code} ({signal.Signals(-code).name})"
    return f"died of signal {-code}"

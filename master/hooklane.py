"""One hook process as the master sees it: calls go in, answers come out in the same order, a hang is killed.

Calls are sent ahead of their answers, so that the process never waits for the master; it works on them one at a
time, so the oldest call without an answer is the one that runs, and the one to blame when the process dies.
The calls behind it were not begun and go to a fresh process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from .hookwire import LENGTH, Answer, Setup, Trouble, pack

Log = Callable[[str], None]
PRINTS = 64 * 1024  # bytes that one call may print to the log; the rest is dropped
GOODBYE = 3.0  # seconds for the process to flush its files and end


class HookProcess:
    """One life of the process. Made by `start`, over when `answer` gives None."""

    def __init__(self, process: asyncio.subprocess.Process, setup: Setup, trace: IO[bytes], log: Log) -> None:
        self._process, self._setup, self._trace, self._log = process, setup, trace, log
        self._printed = 0
        self._last_words: deque[str] = deque(maxlen=5)
        self._prints = asyncio.create_task(self._read_prints())

    @classmethod
    async def start(cls, setup: Setup, log: Log) -> HookProcess:
        """A process that was given its setup and has not answered it yet."""
        trace = tempfile.TemporaryFile()  # noqa: SIM115  # closed by end()
        setup = replace(setup, scratch=Path(tempfile.mkdtemp(prefix="spe-hooks-")))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "spe.hookhost", str(trace.fileno())),  # -P: nothing of the folder, yet
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(trace.fileno(),),
            start_new_session=True,  # so that all it starts dies with it, and Ctrl-C does not reach it
        )
        new = cls(process, setup, trace, log)
        new.send(pack(setup))
        return new

    def send(self, frame: bytes) -> None:
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(frame)

    async def answer(self) -> Answer | None:
        """The next answer; None when the process is gone."""
        assert self._process.stdout is not None
        try:
            (length,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
            answer: Answer = pickle.loads(await self._process.stdout.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        self._printed = 0
        return answer

    async def kill_hanging(self) -> None:
        """Kill it, after it has written down where it hangs."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGUSR1)
            await asyncio.sleep(0.2)  # faulthandler writes from C at once, whatever the code does; there is no answer
        self._kill()

    async def end(self) -> None:
        """Let it go in peace, or without; nothing of it stays."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), GOODBYE)
        self._kill()
        await self._process.wait()
        await asyncio.wait([self._prints], timeout=1)  # what it started elsewhere may hold the pipe open
        self._prints.cancel()
        self._trace.close()
        shutil.rmtree(self._setup.scratch, ignore_errors=True)

    async def last_words(self) -> tuple[str, str, str, int]:
        """How it ended, the stack of that moment, and the last place in the user's files. After its death."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 1)
        self._kill()  # it may have closed its pipes and live on
        await self._process.wait()
        await asyncio.wait([self._prints], timeout=1)
        self._trace.seek(0)
        frames = [line.strip() for line in self._trace.read().decode(errors="replace").splitlines()]
        frames = [line for line in frames if line.startswith('File "')]
        ours = next((i for i, line in enumerate(frames) if "hookhost.py" in line), len(frames))
        stack = frames[:ours][::-1] or list(self._last_words)
        file, line = self._place(frames)
        return _how(self._process.returncode or 0), "\n".join(f"  {line}" for line in stack), file, line

    def _place(self, frames: list[str]) -> tuple[str, int]:
        inside = f'File "{self._setup.folder}{os.sep}'
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
        """What the user's code prints goes to the log; endless prints fill neither the disk nor this loop."""
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(16 * 1024):
            if self._printed < PRINTS:
                lines = chunk.decode("utf-8", "replace").splitlines()
                self._last_words.extend(lines)
                for line in lines:
                    self._log(line)
                if self._printed + len(chunk) >= PRINTS:
                    self._log(f"… more was printed in one call than {PRINTS // 1024} kB: dropped")
            else:
                await asyncio.sleep(0.01)
            self._printed += len(chunk)


def _how(code: int) -> str:
    if code >= 0:
        return f"ended its process with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"died of signal {-code} ({signal.Signals(-code).name})"
    return f"died of signal {-code}"


@dataclass(slots=True, eq=False)
class _Pending:
    frame: bytes
    label: str
    future: asyncio.Future[Answer]

    def settle(self, answer: Answer) -> None:
        if not self.future.done():  # its caller may have been cancelled
            self.future.set_result(answer)


class Lane:
    """A hook process that is there when there are calls: started by the first one, again after each death."""

    def __init__(self, setup: Setup, limit: float, log: Log) -> None:
        self._setup, self._limit, self._log = setup, limit, log
        self._pending: deque[_Pending] = deque()
        self._process: HookProcess | None = None
        self._ready = False
        self._since = 0.0  # when the oldest call began
        self._hung = False
        self._runner: asyncio.Task[None] | None = None

    async def call(self, message: object, label: str) -> Answer:
        """The answer, which tells the trouble where there was one. Never raises for what the user's code does."""
        loop = asyncio.get_running_loop()
        call = _Pending(pack(message), label, loop.create_future())
        if not self._pending:
            self._since = loop.time()
        self._pending.append(call)
        if self._ready and self._process:
            self._process.send(call.frame)
        elif self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await call.future

    async def start(self) -> Answer:
        """Start the process now; its answer tells whether the user's files import."""
        self._process = await HookProcess.start(self._setup, self._log)
        self._since, self._hung = asyncio.get_running_loop().time(), False
        answer = await self._watched(self._process) or await self._obituary(self._process, self._importing())
        self._ready = answer.trouble is None
        if not self._ready:
            await self._drop()
        return answer

    async def close(self) -> None:
        """End the process; calls without an answer get one that says so."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        self._fail_all(Trouble("the hooks were closed before this call was answered"))
        await self._drop()

    async def _run(self) -> None:
        """From the first pending call to the death of the process; once more while calls are left."""
        try:
            while self._pending:
                answer = await self.start()
                if answer.trouble is not None:
                    self._fail_all(answer.trouble)
                elif self._process is not None:
                    await self._serve(self._process)
                    await self._drop()
        except Exception as fault:  # no process, no memory, no temporary folder; nobody may wait for ever
            self._fail_all(Trouble(f"the hook process cannot be had: {fault!r}"))
            await self._drop()

    async def _serve(self, process: HookProcess) -> None:
        for call in self._pending:
            process.send(call.frame)
        self._since = asyncio.get_running_loop().time()
        while (answer := await self._watched(process)) is not None:
            self._since = asyncio.get_running_loop().time()
            self._pending.popleft().settle(answer)
        self._ready = False
        if self._pending:
            call = self._pending[0]
            answer = await self._obituary(process, call.label)
            self._pending.popleft().settle(answer)

    async def _watched(self, process: HookProcess) -> Answer | None:
        """The next answer, with an eye on the clock; None: the process is dead, by itself or by us."""
        reading = asyncio.ensure_future(process.answer())
        loop = asyncio.get_running_loop()
        try:
            while not reading.done():
                working = bool(self._pending) or not self._ready
                left = self._since + self._limit - loop.time() if working else self._limit
                if left <= 0:
                    self._hung = True
                    await process.kill_hanging()
                    left = GOODBYE
                await asyncio.wait([reading], timeout=left)
            return reading.result()
        finally:
            reading.cancel()

    async def _obituary(self, process: HookProcess, label: str) -> Answer:
        how, stack, file, line = await process.last_words()
        if self._hung:
            how = f"did not return within {self._limit:g} s and was killed"
        self._hung = False
        return Answer(Trouble(f"{label} {how}", stack, file, line))

    def _importing(self) -> str:
        return "importing " + ", ".join(dict.fromkeys(entry.partition(":")[0] for entry in self._setup.functions))

    async def _drop(self) -> None:
        process, self._process, self._ready = self._process, None, False
        if process is not None:
            await process.end()

    def _fail_all(self, trouble: Trouble) -> None:
        while self._pending:
            self._pending.popleft().settle(Answer(trouble))

"""Queues the calls of hook functions: answers come in the order of the calls, and a hanging call is
killed.

The process is started by the first call. Calls are sent ahead of their answers, so that the process
never waits for the master. It works on them one at a time, so the oldest call without an answer is
the one that runs when the process dies.

Nobody can tell whether that call was the cause, or the out-of-memory killer, an administrator, a
closed pipe. So the call is made once more in a fresh process, and only a second death counts as its
fault. The calls behind it were not begun: they go to the fresh process, too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace

from .messages import Answer, HookSetup, Trouble, pack
from .process import GOODBYE, HookProcess, Log

LOOK = 1.0  # seconds between two looks at the clock while a call runs
# Seconds by which such a look is late when this master was stopped (SIGSTOP, a laptop that slept).
STOPPED = 3.0
PAUSE = 1.0  # seconds before the second try to start a process that the system refused
UNCLEAR = (
    "If it does not end its process itself, something on this machine does (is memory short?)."
)


@dataclass(slots=True, eq=False)
class _Pending:
    """A call without an answer."""

    frame: bytes
    label: str
    future: asyncio.Future[Answer]
    died: bool = False  # the process has died once during this call

    def settle(self, answer: Answer) -> None:
        """Give the caller its answer."""
        if not self.future.done():  # the caller may have been cancelled
            self.future.set_result(answer)


class CallQueue:
    """The calls of some functions, and the process that answers them while there are any.

    The process is started by the first call, and again after each death.
    """

    def __init__(self, setup: HookSetup, limit: float, log: Log, patience: int) -> None:
        """Kill a call after `limit` seconds.

        Stop calling after `patience` hangs without an answer in between.
        """
        self._setup = setup
        self._limit = limit
        self._log = log
        self._patience = patience
        self._hangs = 0
        self._pending: deque[_Pending] = deque()
        self._process: HookProcess | None = None
        self._ready = False
        self._since = 0.0  # time at which the oldest call began
        self._hung = False
        self._runner: asyncio.Task[None] | None = None

    async def call(self, message: object, label: str) -> Answer:
        """Return the answer, which tells the trouble where there was one.

        Never raises for what the user's code does.
        """
        if self._hangs >= self._patience:
            return Answer(self._no_more())
        loop = asyncio.get_running_loop()
        call = _Pending(pack(message), label, loop.create_future())
        if not self._pending:
            self._since = loop.time()
        self._pending.append(call)
        # Sent at once, though the process may still work on an earlier call.
        if self._ready and self._process:
            self._process.send(call.frame)
        elif self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await call.future

    async def start(self) -> Answer:
        """Start the process; its answer tells whether the user's files import.

        A death is tried once more.
        """
        answer, dead = await self._start_once()
        if not dead:
            return answer
        self._log(f"{_what(answer)}; it is started once more")
        answer, dead = await self._start_once()
        if dead:
            return _died_again(answer, "started")
        return answer

    async def _start_once(self) -> tuple[Answer, bool]:
        """Return the answer, and whether the process died before it gave one."""
        self._process = await self._new_process()
        self._since = asyncio.get_running_loop().time()
        self._hung = False
        answer = await self._watched(self._process)
        dead = answer is None and not self._hung
        if answer is None:
            answer = await self._obituary(self._process, self._importing())
        self._ready = answer.trouble is None
        if not self._ready:
            await self._drop()
        return answer, dead

    async def _new_process(self) -> HookProcess:
        """Start a process. Raises OSError when the system refuses it twice: memory may be short for
        a moment.
        """
        try:
            return await HookProcess.start(self._setup, self._log)
        except OSError as error:
            self._log(f"the hook process could not be started ({error}); once more in {PAUSE:g} s")
            await asyncio.sleep(PAUSE)
            return await HookProcess.start(self._setup, self._log)

    async def close(self) -> None:
        """End the process. Calls without an answer get one that says so."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        self._fail_all(Trouble("the hooks were closed before this call was answered"))
        await self._drop()

    async def _run(self) -> None:
        """Serve the pending calls until none is left, with as many processes as that takes."""
        try:
            while self._pending:
                if self._hangs >= self._patience:
                    self._fail_all(self._no_more())
                    return
                answer = await self.start()
                if answer.trouble is not None:
                    self._fail_all(answer.trouble)
                elif self._process is not None:
                    await self._serve(self._process)
                    await self._drop()
        # No process, no memory, no temporary folder: whatever it is, no caller may wait for ever.
        except Exception as fault:
            what = f"the hook process could not be started: {fault}"
            self._fail_all(Trouble(what, todo="Has this machine no memory or processes left?"))
            await self._drop()

    async def _serve(self, process: HookProcess) -> None:
        """Send all pending calls, and settle them one by one until the process is dead."""
        for call in self._pending:
            process.send(call.frame)
        self._since = asyncio.get_running_loop().time()
        while (answer := await self._watched(process)) is not None:
            self._since = asyncio.get_running_loop().time()
            self._hangs = 0
            self._pending.popleft().settle(answer)
        self._ready = False
        if self._pending:
            await self._bury(process, self._pending[0])

    async def _bury(self, process: HookProcess, call: _Pending) -> None:
        """Decide about the call in which the process died: it is made once more, unless it hung or
        died twice.
        """
        hung = self._hung
        answer = await self._obituary(process, call.label)
        if not hung and not call.died:
            call.died = True
            self._log(f"{_what(answer)}; it is called once more in a fresh process")
            return
        if not hung:
            answer = _died_again(answer, "called")
        self._pending.popleft().settle(answer)

    async def _watched(self, process: HookProcess) -> Answer | None:
        """Return the next answer.

        None when the process is dead, by itself or killed here because it hung.
        """
        reading = asyncio.ensure_future(process.answer())
        loop = asyncio.get_running_loop()
        try:
            while not reading.done():
                left = self._limit
                if self._pending or not self._ready:
                    left = self._since + self._limit - loop.time()
                if left <= 0:
                    self._hung = not process.is_stopped  # stopped from outside is not hanging
                    await process.kill_hanging()
                    left = GOODBYE
                await self._wait(reading, min(left, LOOK))
            return reading.result()
        finally:
            reading.cancel()  # also when this task is cancelled: nobody else awaits it

    async def _wait(self, reading: asyncio.Future[Answer | None], seconds: float) -> None:
        """Wait for an answer, at most so long.

        Time in which this master was stopped counts for no limit.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        await asyncio.wait([reading], timeout=seconds)
        late = clock() - until
        if late > STOPPED:
            self._since += late

    async def _obituary(self, process: HookProcess, label: str) -> Answer:
        """Return how the process died, as the trouble of what it was doing."""
        how, stack, file, line = await process.last_words()
        if self._hung:
            how = f"did not return within {self._limit:g} s and was killed"
            self._hangs += 1
        self._hung = False
        return Answer(Trouble(f"{label} {how}", stack, file, line))

    def _no_more(self) -> Trouble:
        """Return the answer to calls that are not made any more.

        With a minute for each, a function that always hangs would hold up the sweep for days.
        """
        names = ", ".join(self._setup.functions)
        return Trouble(f"not called: {names} hung {self._hangs} times in a row")

    def _importing(self) -> str:
        files = dict.fromkeys(entry.partition(":")[0] for entry in self._setup.functions)
        return "importing " + ", ".join(files)

    async def _drop(self) -> None:
        """End the process, if there is one."""
        process = self._process
        self._process = None
        self._ready = False
        if process is not None:
            await process.end()

    def _fail_all(self, trouble: Trouble) -> None:
        while self._pending:
            self._pending.popleft().settle(Answer(trouble))


def _what(answer: Answer) -> str:
    """Return what went wrong, in one line."""
    return answer.trouble.what if answer.trouble else ""


def _died_again(answer: Answer, done: str) -> Answer:
    """Return the answer of a second death. `done` says what was done once more."""
    trouble = answer.trouble or Trouble("the hook process died")
    return Answer(
        replace(
            trouble, what=f"{trouble.what}, and again when it was {done} once more", todo=UNCLEAR
        )
    )

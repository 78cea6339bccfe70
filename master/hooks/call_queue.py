"""Calls go in, answers come out in the same order, a hang is killed: a hook process that is there when needed.

Calls are sent ahead of their answers, so that the process never waits for the master; it works on them one at a
time, so the oldest call without an answer is the one that runs when the process dies. Nobody can tell whether that
call did it, or the out-of-memory killer, an administrator, a closed pipe: so the call is made once more in a fresh
process, and only the second death counts as its fault. The calls behind it were not begun and go along.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace

from .messages import Answer, Setup, Trouble, pack
from .process import GOODBYE, HookProcess, Log

LOOK = 1.0  # seconds between two looks at the clock while a call runs
STOPPED = 3.0  # seconds by which such a look is late when this master was stopped, and with it perhaps the process
PAUSE = 1.0  # seconds before the second try to start a process that the system refused
UNCLEAR = "If it does not end its process itself, something on this machine does (is memory short?). Then: spe collect"


@dataclass(slots=True, eq=False)
class _Pending:
    frame: bytes
    label: str
    future: asyncio.Future[Answer]
    died: bool = False  # its process has died once while it ran

    def settle(self, answer: Answer) -> None:
        if not self.future.done():  # its caller may have been cancelled
            self.future.set_result(answer)


class CallQueue:
    """A hook process that is there when there are calls: started by the first one, again after each death."""

    def __init__(self, setup: Setup, limit: float, log: Log, patience: int) -> None:
        """`patience`: hangs without an answer in between after which nothing is called any more."""
        self._setup, self._limit, self._log, self._patience = setup, limit, log, patience
        self._hangs = 0
        self._pending: deque[_Pending] = deque()
        self._process: HookProcess | None = None
        self._ready = False
        self._since = 0.0  # when the oldest call began
        self._hung = False
        self._runner: asyncio.Task[None] | None = None

    async def call(self, message: object, label: str) -> Answer:
        """The answer, which tells the trouble where there was one. Never raises for what the user's code does."""
        if self._hangs >= self._patience:
            return Answer(self._no_more())
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
        """Start the process now; its answer tells whether the user's files import. A death is tried once more."""
        answer, dead = await self._start_once()
        if dead:
            self._log(f"{answer.trouble.what if answer.trouble else ''}; it is started once more")
            answer, dead = await self._start_once()
            answer = _died_again(answer, "started") if dead else answer
        return answer

    async def _start_once(self) -> tuple[Answer, bool]:
        """The answer, and whether the process died before it gave one."""
        self._process = await self._new_process()
        self._since, self._hung = asyncio.get_running_loop().time(), False
        answer = await self._watched(self._process)
        dead = answer is None and not self._hung
        if answer is None:
            answer = await self._obituary(self._process, self._importing())
        self._ready = answer.trouble is None
        if not self._ready:
            await self._drop()
        return answer, dead

    async def _new_process(self) -> HookProcess:
        """Raises OSError when the system refuses it twice: there may have been no memory for a moment."""
        try:
            return await HookProcess.start(self._setup, self._log)
        except OSError as error:
            self._log(f"the hook process could not be started ({error}); once more in {PAUSE:g} s")
            await asyncio.sleep(PAUSE)
            return await HookProcess.start(self._setup, self._log)

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
                if self._hangs >= self._patience:
                    return self._fail_all(self._no_more())
                answer = await self.start()
                if answer.trouble is not None:
                    self._fail_all(answer.trouble)
                elif self._process is not None:
                    await self._serve(self._process)
                    await self._drop()
        except Exception as fault:  # no process, no memory, no temporary folder; nobody may wait for ever
            self._fail_all(Trouble(f"the hook process could not be started: {fault}", todo="Then: spe collect"))
            await self._drop()

    async def _serve(self, process: HookProcess) -> None:
        for call in self._pending:
            process.send(call.frame)
        self._since = asyncio.get_running_loop().time()
        while (answer := await self._watched(process)) is not None:
            self._since, self._hangs = asyncio.get_running_loop().time(), 0
            self._pending.popleft().settle(answer)
        self._ready = False
        if self._pending:
            await self._bury(process, self._pending[0])

    async def _bury(self, process: HookProcess, call: _Pending) -> None:
        """The process died in this call, which is made once more unless it hung or that was the second time."""
        hung = self._hung
        answer = await self._obituary(process, call.label)
        if not hung and not call.died:
            call.died = True
            self._log(f"{answer.trouble.what if answer.trouble else ''}; it is called once more in a fresh process")
            return
        self._pending.popleft().settle(answer if hung else _died_again(answer, "called"))

    async def _watched(self, process: HookProcess) -> Answer | None:
        """The next answer, with an eye on the clock; None: the process is dead, by itself or by us."""
        reading = asyncio.ensure_future(process.answer())
        loop = asyncio.get_running_loop()
        try:
            while not reading.done():
                working = bool(self._pending) or not self._ready
                left = self._since + self._limit - loop.time() if working else self._limit
                if left <= 0:
                    self._hung = not process.is_stopped  # who was stopped from outside did not hang
                    await process.kill_hanging()
                    left = GOODBYE
                await self._wait(reading, min(left, LOOK))
            return reading.result()
        finally:
            reading.cancel()

    async def _wait(self, reading: asyncio.Future[Answer | None], seconds: float) -> None:
        """For an answer, at most so long. The time in which this master was stopped counts for no limit."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        await asyncio.wait([reading], timeout=seconds)
        late = clock() - until
        if late > STOPPED:
            self._since += late

    async def _obituary(self, process: HookProcess, label: str) -> Answer:
        how, stack, file, line = await process.last_words()
        if self._hung:
            how = f"did not return within {self._limit:g} s and was killed"
            self._hangs += 1
        self._hung = False
        return Answer(Trouble(f"{label} {how}", stack, file, line))

    def _no_more(self) -> Trouble:
        """With a minute for each, a function that always hangs would hold up the sweep for days."""
        return Trouble(f"not called: {', '.join(self._setup.functions)} hung {self._hangs} times in a row")

    def _importing(self) -> str:
        return "importing " + ", ".join(dict.fromkeys(entry.partition(":")[0] for entry in self._setup.functions))

    async def _drop(self) -> None:
        process, self._process, self._ready = self._process, None, False
        if process is not None:
            await process.end()

    def _fail_all(self, trouble: Trouble) -> None:
        while self._pending:
            self._pending.popleft().settle(Answer(trouble))


def _died_again(answer: Answer, done: str) -> Answer:
    """What is told of a second death; `done`: what was done once more."""
    trouble = answer.trouble or Trouble("the hook process died")
    return Answer(replace(trouble, what=f"{trouble.what}, and again when it was {done} once more", todo=UNCLEAR))

"""Sends messages beside a run: each in a thread of its own, tried again, and remembered in the store."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable

from ..record import record
from ..text import printable
from .by_command import end_all
from .due import Due
from .message import Message
from .not_sent import NotSent
from .sending import send

log = logging.getLogger("spe.notify")
PAUSES = (2.0, 8.0, 30.0, 120.0)  # seconds between the tries to send a message
TRY_LIMIT = 30.0  # seconds of one try, of which servers and commands get less
STORE_LIMIT = 5.0  # seconds: a full disk may take nothing for hours, and the message must go
LAST_WAIT = 30.0  # seconds at the end of a run

Save = Callable[[str], Awaitable[None]]


@record
class Marks:
    """What the store remembers of the messages of one run, by their keys."""

    run: str  # no other run has it
    due: frozenset[str] = frozenset()
    sent: frozenset[str] = frozenset()

    @classmethod
    def read(cls, text: str) -> Marks:
        """Return the marks in a stored text; those of a new run for an empty one."""
        kept = json.loads(text or "{}")
        run = kept.get("run") or secrets.token_hex(8)
        return cls(run, frozenset(kept.get("due", ())), frozenset(kept.get("sent", ())))

    def written(self) -> str:
        """Return the marks as the store keeps them."""
        return json.dumps({"run": self.run, "due": sorted(self.due), "sent": sorted(self.sent)})


class Courier:
    """The messages of one run that are on their way."""

    def __init__(self, marks: Marks, save: Save, tell: Callable[[str, str], None]) -> None:
        """`save` stores a text. `tell(kind, sentence)` warns (`not_told`) or notes (`told`)."""
        self.marks = marks
        self._save, self._tell = save, tell
        self._under_way: dict[asyncio.Task[None], Due] = {}
        self._in_turn: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._reasons: dict[str, str] = {}  # key of a message -> why the last try came to nothing
        self._saving = asyncio.Lock()
        self._ending = asyncio.Event()
        self._deadline = 0.0

    def expect(self, due: Iterable[str]) -> None:
        """Take what is due by now, by its keys. It is stored before it is sent."""
        known = frozenset(due)
        self.marks = Marks(self.marks.run, known, self.marks.sent & known)

    def take(self, due: Due, writing: asyncio.Task[Message]) -> None:
        """Send a message as soon as it is written. Returns at once."""
        task = asyncio.create_task(self._deliver(due, writing))
        self._under_way[task] = due
        task.add_done_callback(self._is_over)

    def _is_over(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            log.error("a fault of spe's own while it sent a message", exc_info=error)

    async def _deliver(self, due: Due, writing: asyncio.Task[Message]) -> None:
        # One after the other for each recipient: the first failure is told before the end.
        async with self._in_turn[due.target.address.name]:
            message = await asyncio.shield(writing)
            # Stored before it is sent: a master that is killed in between sends it after its restart.
            await self.store()
            if not await self._try_to_send(due, message):
                return
            self.marks = Marks(self.marks.run, self.marks.due, self.marks.sent | {due.key})
            self._tell("told", f"{due.target.address.name} was told: {due.event}")
            await self.store()

    async def _try_to_send(self, due: Due, message: Message) -> bool:
        to = due.target.address.name
        for pause in (*PAUSES, None):
            try:
                await _in_thread(lambda: send(due.target.address, message))
                return True
            except NotSent as error:
                self._reasons[due.key] = error.reason
                if pause is None or not error.again or not await self._rest(pause, to, error.reason):
                    self._warn(due, error.reason)
                    return False
        return False

    async def _rest(self, pause: float, to: str, reason: str) -> bool:
        """Wait until another try; return False where the run does not wait so long."""
        loop = asyncio.get_running_loop()
        if self._ending.is_set() and loop.time() + pause > self._deadline:
            return False
        log.info("the message to %s is tried again: %s", to, printable(reason))
        if self._ending.is_set():
            await asyncio.sleep(pause)
            return True
        with contextlib.suppress(TimeoutError):  # the end of the run shortens the pause
            await asyncio.wait_for(self._ending.wait(), pause)
        return True

    def _warn(self, due: Due, why: str) -> None:
        to = due.target.address.name
        what = f"notify: {to} could not be told ({due.event}): {printable(why)}"
        self._tell("not_told", f"{what}; `spe notify --test` tries it")

    async def store(self) -> None:
        """Store what is due and what is sent. Gives up after STORE_LIMIT: a disk may be full."""
        async with self._saving:  # in the order of what is saved
            with contextlib.suppress(TimeoutError):
                saving = _quiet(self._save(self.marks.written()))
                await asyncio.wait_for(asyncio.shield(saving), STORE_LIMIT)

    async def finish(self, is_interrupted: Callable[[], bool], say: Callable[[str], None]) -> None:
        """Wait for what is on its way, at most LAST_WAIT seconds; Ctrl-C ends that, too."""
        loop = asyncio.get_running_loop()
        began, said = loop.time(), False
        self._deadline = began + LAST_WAIT
        self._ending.set()
        while self._under_way and not is_interrupted() and loop.time() < self._deadline:
            await asyncio.wait(self._under_way, timeout=0.2)
            if self._under_way and not said and loop.time() - began > 2:
                said = True
                names = sorted({due.target.address.name for due in self._under_way.values()})
                say(f"a message is being sent to {', '.join(names)} (Ctrl-C: leave it)")
        for task, due in list(self._under_way.items()):
            task.cancel()
            last = self._reasons.get(due.key, "no answer")
            self._warn(due, f"{last}; the run ended before it was sent")
        end_all()


async def _quiet(saving: Awaitable[None]) -> None:
    """Wait for the store; a run that cannot write says so elsewhere."""
    try:
        await saving
    except Exception as error:
        log.warning("what was sent could not be stored: %s", error)


async def _in_thread(work: Callable[[], None]) -> None:
    """Run `work` in a thread that the end of this process does not wait for. Raises its NotSent.

    Not asyncio.to_thread: a program with a thread of that kind that hangs does not end.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: NotSent | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        found: NotSent | None = None
        try:
            work()
        except NotSent as error:
            found = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=run, name="spe-notify", daemon=True).start()
    try:
        await asyncio.wait_for(done, TRY_LIMIT)
    except TimeoutError:
        # It may yet arrive, so it is not tried again.
        raise NotSent(f"it took more than {TRY_LIMIT:g} s", again=False) from None

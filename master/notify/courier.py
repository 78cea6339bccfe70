"""Sends messages beside a run: each in a thread of its own, tried again, and remembered in the store."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable

from ..text import printable
from .by_command import end_all
from .due import Due
from .message import Message
from .not_sent import NotSent
from .sending import send

log = logging.getLogger("spe.notify")
META = "notified"  # setting of the store: what was due in this run, and what of it was sent, as JSON
PAUSES = (2.0, 8.0, 30.0, 120.0)  # seconds between the tries to send a message
TRY_LIMIT = 30.0  # seconds of one try, of which servers and commands get less
STORE_LIMIT = 5.0  # seconds: a full disk may take nothing for hours, and the message must go
LAST_WAIT = 30.0  # seconds at the end of a run

Save = Callable[[str], Awaitable[None]]


def read_marks(text: str) -> tuple[set[str], set[str]]:
    """Return the keys of what was due, and of what was sent."""
    kept = json.loads(text or "{}")
    return set(kept.get("due", ())), set(kept.get("sent", ()))


class Courier:
    """The messages of one run that are on their way."""

    def __init__(self, save: Save, tell: Callable[[str, str], None], sent: Iterable[str] = ()) -> None:
        """`save` stores a text. `tell(kind, sentence)` warns (`not_told`) or notes (`told`)."""
        self._save, self._tell = save, tell
        self._sent = set(sent)
        self._due: set[str] = set()
        self._under_way: dict[asyncio.Task[None], Due] = {}
        self._saving = asyncio.Lock()

    def expect(self, due: Iterable[str]) -> None:
        """Take what is due, by its keys, for the next time that it is stored."""
        self._due = set(due)
        self._sent &= self._due

    def take(self, due: Due, message: Message) -> None:
        """Send a message as soon as can be. Returns at once."""
        task = asyncio.create_task(self._deliver(due, message))
        self._under_way[task] = due
        task.add_done_callback(self._is_over)

    def _is_over(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            log.error("a fault of spe's own while it sent a message", exc_info=error)

    async def _deliver(self, due: Due, message: Message) -> None:
        # Stored before it is sent: a master that is killed in between sends it after its restart.
        await self.store()
        to = due.target.address.name
        for pause in (*PAUSES, None):
            try:
                await _in_thread(lambda: send(due.target.address, message))
                break
            except NotSent as error:
                if pause is None or not error.again:
                    self._warn(due, error.reason)
                    return
                log.info("%s: the message to %s waits for another try: %s", due.event, to, error.reason)
            await asyncio.sleep(pause)
        self._sent.add(due.key)
        self._tell("told", f"{to} was told: {due.event}")
        await self.store()

    def _warn(self, due: Due, why: str) -> None:
        to = due.target.address.name
        text = f"notify: {to} could not be told ({due.event}): {printable(why)}; `spe notify --test` tries it"
        self._tell("not_told", text)

    async def store(self) -> None:
        """Store what is due and what is sent. Gives up after STORE_LIMIT: a disk may be full."""
        async with self._saving:  # in the order of what is saved
            text = json.dumps({"due": sorted(self._due), "sent": sorted(self._sent)})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(_quiet(self._save(text))), STORE_LIMIT)

    async def finish(self, is_interrupted: Callable[[], bool], say: Callable[[str], None]) -> None:
        """Wait for what is on its way, at most LAST_WAIT seconds; Ctrl-C ends that, too."""
        loop = asyncio.get_running_loop()
        began, said = loop.time(), False
        while self._under_way and not is_interrupted() and loop.time() - began < LAST_WAIT:
            await asyncio.wait(self._under_way, timeout=0.2)
            if self._under_way and not said and loop.time() - began > 2:
                said = True
                names = sorted({due.target.address.name for due in self._under_way.values()})
                say(f"a message is being sent to {', '.join(names)} (Ctrl-C: leave it)")
        for task, due in list(self._under_way.items()):
            task.cancel()
            self._warn(due, "the run ended before it was sent")
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

"""The master's use cases, one method for each verb of the protocol: ask the farm, judge, store, answer.

No HTTP (web.py) and no decisions (farm.py): this is where what is decided becomes durable before it is said.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import protocol, scheduler
from .changes import Usage
from .errors import SpeError
from .evidence import exit_code_of, failure_of, tail_of, usage_of
from .extract import Part
from .farm import Farm
from .judging import Judges, Verdict
from .keep import keep_files
from .model import Client, Failure, ResultSpec, Task, TaskState, Ticket, TicketState, Work, WorkerFile
from .nagging import Nagging
from .store import FULL_DISK_PAUSE, Store

log = logging.getLogger("spe.desk")
SILENCE = 60.0  # seconds; an idle client asks for work more often, a busy one pings
HOLD = 10.0  # seconds that a /task without `wait` is held while tasks run elsewhere


@dataclass(frozen=True, slots=True)
class Brief:
    """What the desk must know of the sweep."""

    setup: protocol.Setup
    results: tuple[ResultSpec, ...]
    work: Callable[[Mapping[str, str]], Work]
    shell: Callable[[str, str], str | None]  # (host, platform) -> set-up snippet
    platform_file: Callable[[str], WorkerFile | None]


@dataclass(frozen=True, slots=True)
class Record:
    """A ticket and what it is to run."""

    ticket: Ticket
    task: Task
    work: Work


class Desk:
    """Serves the clients of one sweep. Replies leave after what they rest on is on disk."""

    def __init__(
        self,
        brief: Brief,
        farm: Farm,
        store: Store,
        judges: Judges,
        folder: Path,
        tell: Callable[[str], None] = lambda sentence: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folder` is runs/<name>/; `tell` shows the user a sentence."""
        self.brief, self.farm, self.store, self.judges, self.folder = brief, farm, store, judges, folder
        self.tell, self.clock = tell, clock
        self.moved = asyncio.Event()  # something happened: the run looks whether it is over, whether to load more
        self._accepted: list[int] = []  # task numbers for the gather hooks, in the order of acceptance
        self._idle: deque[asyncio.Future[None]] = deque()
        self._held_pings: dict[str, set[asyncio.Future[None]]] = {}
        self._checking: dict[int, asyncio.Future[str]] = {}
        self._nagging = Nagging(log)
        self._finishing: dict[int, asyncio.Future[None]] = {}  # tasks that are done here and not yet in the store

    def take_accepted(self) -> list[int]:
        """The tasks accepted since the last call."""
        accepted, self._accepted = self._accepted, []
        return accepted

    async def _store(self) -> None:
        """Make what the farm decided durable, then let those know who wait for it."""
        await self.store.commit(self.farm.take_changes())
        self._spread()

    def _spread(self) -> None:
        for note in self.farm.take_notes():
            log.warning("%s", note)
            self.tell(note)
        self.moved.set()
        self.wake_idle()
        for client in list(self._held_pings) if self.farm.over else self.farm.clients_to_call():
            for held in self._held_pings.get(client, ()):
                _settle(held)

    def wake_idle(self) -> None:
        """Held /task requests look again: one for each waiting task, or all when nothing more will come."""
        count = len(self._idle) if self.farm.closed else self.farm.offers
        while count > 0 and self._idle:
            _settle(self._idle.popleft())
            count -= 1

    # -- register

    async def register(self, host: str, platform: str, slots: int, pings: bool, cores: int = 0) -> str:
        """A client came: its configuration."""
        client = self.farm.register(self.clock(), host, platform, slots, pings, cores)
        await self._store()
        log.info("client %s registered: host %s, %s, %d slots", client.id, host, platform or "platform unknown", slots)
        file = self.brief.platform_file(platform) if platform else None
        return protocol.config(self.brief.setup, client.id, file, self.brief.shell(host, platform))

    # -- task

    async def tasks(
        self, client: str, count: int, wait: float | None, alive: Callable[[], bool], load: float | None = None
    ) -> list[Record]:
        """Up to `count` records; empty when none comes within `wait` seconds or none ever will.

        `load`: of the client's host, by others.
        """
        deadline = self.clock() + (HOLD if wait is None else wait)
        while True:
            if not alive():
                self.wake_idle()  # what this one was woken for goes to another
                return []
            records = await self._take(client, count, load)
            if records and not alive():  # it hung up meanwhile: these never reached it
                return await self._give_back(records)
            left = deadline - self.clock()
            if records or left <= 0 or self.farm.closed:
                return records
            await self._idle_for(left)

    async def _take(self, client: str, count: int, load: float | None) -> list[Record]:
        tickets = self.farm.take(self.clock(), client, count, load)
        records = [record for ticket in tickets if (record := self._record(ticket))]
        if tickets:
            await self._store()
        return records

    async def _give_back(self, records: list[Record]) -> list[Record]:
        for record in records:
            self.farm.give_back(record.ticket.id)
        await self._store()
        return []

    def _record(self, ticket: Ticket) -> Record | None:
        task = self.farm.tasks[ticket.task]
        try:
            return Record(ticket, task, self.brief.work(task.values))
        except SpeError as error:
            log.error("task %d cannot be handed out: %s", task.number, error)
            self.farm.give_up(task, str(error).replace("\n", " "))
            return None

    async def _idle_for(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(future)
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            pass
        finally:
            if future in self._idle:
                self._idle.remove(future)

    # -- ping

    async def ping(self, client: str, tickets: list[int], wait: float) -> list[int]:
        """The tickets among these (held: also among the client's others) that have expired.

        With `wait`, the answer comes when one expires, or after that many seconds, and well before the lease runs out.
        """
        for ticket in tickets:
            await self._recall_lost(ticket)
        expired = self.farm.ping(self.clock(), client, tickets)
        if wait > 0 and client:
            if not expired:
                await self._hold_ping(client, min(wait, scheduler.lease(self.farm.rules.ping) / 2 or wait))
                expired = self.farm.ping(self.clock(), client, tickets)
            expired = await self._surely(expired)
            expired = sorted({*expired, *self.farm.expired_of(client)})
        else:
            expired = await self._surely(expired)
            self.farm.told_expired(client, expired)
        await self._store()
        return expired

    async def _surely(self, expired: list[int]) -> list[int]:
        """A client drops what is called expired. If its task is done, that must be on disk before: else a crash now
        would lose the very result that this client is just bringing."""
        if expired and self._finishing:
            _, pending = await asyncio.wait(self._finishing.values(), timeout=HOLD)
            return [] if pending else expired
        return expired

    async def _recall_lost(self, ticket_id: int) -> None:
        """Bring back a ticket that an earlier master lost sight of: a ping renews it while its task is undone."""
        if not 0 < ticket_id < self.farm.first_ticket or ticket_id in self.farm.tickets:
            return
        found = await self.store.find(ticket_id)
        if found is None or found[0].state is not TicketState.LOST or found[1].state is not TaskState.WAITING:
            return
        await self._recall(ticket_id)

    async def _hold_ping(self, client: str, wait: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        held = self._held_pings.setdefault(client, set())
        held.add(future)
        if self.farm.has_expired(client):
            _settle(future)
        try:
            await asyncio.wait_for(future, wait)
        except TimeoutError:
            pass
        finally:
            held.discard(future)
            if not held and self._held_pings.get(client) is held:
                del self._held_pings[client]

    # -- complete and failed

    async def complete(self, client: str, ticket: int, parts: Mapping[str, Part]) -> str:
        """A result is here: `accepted`, `rejected: REASON`, `expired` or `unknown`."""
        running = self._checking.get(ticket)
        if running is None:
            running = asyncio.ensure_future(self._complete(client, ticket, parts))
            self._checking[ticket] = running
            running.add_done_callback(lambda _: self._checking.pop(ticket, None))
        # A client that hangs up and sends again finds the first look at its result still going on.
        return await asyncio.shield(running)

    async def _complete(self, client: str, ticket_id: int, parts: Mapping[str, Part]) -> str:
        task = await self._arrive(client, ticket_id)
        if isinstance(task, str):
            return task
        try:
            return await self._judge(client, self.farm.tickets[ticket_id], task, parts)
        except Exception:
            self.farm.release(ticket_id)  # it must not be out for ever; the client sends its result again
            await self._store()
            raise

    async def _arrive(self, client: str, ticket_id: int) -> Task | str:
        """The task whose result is to be looked at; or the answer, when nobody needs it."""
        task = self.farm.arrive(self.clock(), ticket_id, client)
        if task is None and ticket_id not in self.farm.tickets:
            if not await self._recall(ticket_id):
                return "unknown"
            task = self.farm.arrive(self.clock(), ticket_id, client)
        return task or "expired"

    async def _recall(self, ticket_id: int) -> bool:
        """Bring back a ticket that the farm does not hold, if its task is undone. False: there is no such ticket."""
        found = await self.store.find(ticket_id)
        if found is None:
            return False
        ticket, task = found
        undone = task.state is not TaskState.DONE and task.number not in self._finishing
        if undone and ticket_id not in self.farm.tickets:
            self.farm.restore(task, ticket)
        return True

    async def _judge(self, client: str, ticket: Ticket, task: Task, parts: Mapping[str, Part]) -> str:
        usage = usage_of(parts, self.clock() - ticket.issued if ticket.issued else 0.0)
        verdict = await self.judges.judge(task, ticket.host, usage.wall, parts)
        if not self.farm.is_live(ticket.id):  # done meanwhile, or given up: then this is still work done
            again = await self._arrive(client, ticket.id)
            if isinstance(again, str):
                return again
            ticket, task = self.farm.tickets[ticket.id], again
        if verdict.reason is not None and not verdict.fault:
            self.farm.reject(ticket.id, verdict.reason, usage, tail_of(parts, "stdout"), tail_of(parts, "stderr"))
            await self._store()
            log.info("task %d, ticket %d on %s: rejected: %s", task.number, ticket.id, ticket.host, verdict.reason)
            return f"rejected: {verdict.reason}"
        return await self._accept(ticket, task, parts, verdict, usage)

    async def _accept(
        self, ticket: Ticket, task: Task, parts: Mapping[str, Part], verdict: Verdict, usage: Usage
    ) -> str:
        stderr = tail_of(parts, "stderr")
        if verdict.reason is not None:
            taken = self.farm.suspend(ticket.id, verdict.reason, verdict.outputs, usage, stderr)
        else:
            taken = self.farm.accept(ticket.id, verdict.outputs, usage, stderr)
        if taken:
            await self._finish(task.number, parts, verdict)
        return "accepted" if taken else "expired"

    async def _finish(self, number: int, parts: Mapping[str, Part], verdict: Verdict) -> None:
        """First the files, then the commit that speaks of them; until then the store does not know that it is done."""
        changes = self.farm.take_changes()
        finished = self._finishing[number] = asyncio.get_running_loop().create_future()
        try:
            await self._keep_files(verdict, parts)
            await self.store.commit(changes)
        finally:
            del self._finishing[number]
            _settle(finished)
        if verdict.reason is None:
            self._accepted.append(number)
        self._spread()

    async def _keep_files(self, verdict: Verdict, parts: Mapping[str, Part]) -> None:
        """Like the store, wait while the disk is full or refuses: the farm has this task as done already."""
        while any(output.file for output in verdict.outputs):
            try:
                await asyncio.to_thread(keep_files, self.folder, verdict.outputs, parts)
                return
            except OSError as error:
                todo = "Nothing is lost; make room, or mend what it says, and it goes on."
                self._nagging.say(f"a result waits: {error} ({self.folder}). {todo}")
                await asyncio.sleep(FULL_DISK_PAUSE)

    async def failed(self, client: str, ticket_id: int, parts: Mapping[str, Part], reason: str) -> None:
        """The program of this ticket ended without success."""
        ticket = self.farm.tickets.get(ticket_id)
        if ticket is None:
            await self._recall(ticket_id)
            ticket = self.farm.tickets.get(ticket_id)
        if ticket is None:
            return
        usage = usage_of(parts, self.clock() - ticket.issued if ticket.issued else 0.0)
        failure = failure_of(reason, exit_code_of(parts), tail_of(parts, "stderr"))
        if self.farm.fail(self.clock(), ticket_id, failure, usage, tail_of(parts, "stdout"), client):
            log.info("task %d, ticket %d on %s failed: %s", ticket.task, ticket_id, ticket.host, failure.reason)
        await self._store()

    async def bye(self, client: str, killed: bool = False) -> None:
        """A client is gone; `killed`: not of its own will, which may be the fault of what it ran."""
        self.farm.bye(self.clock(), client, killed)
        await self._store()

    def present(self, host: str) -> bool:
        """Whether a client on this host has been heard lately."""
        return any(c.host == host and self.is_there(c) for c in self.farm.clients.values())

    def is_there(self, client: Client) -> bool:
        """Whether this client has not left and has been heard lately; one at work that pings, within a lease."""
        lease = scheduler.lease(self.farm.rules.ping)
        limit = lease if client.pings and client.asked and lease else max(lease, SILENCE)
        return not client.gone and self.clock() - client.word < limit

    # -- time and the end

    async def tick(self) -> None:
        """Let silence have its consequences."""
        for ticket in self.farm.tick(self.clock()):
            silent = self.clock() - ticket.word
            log.warning(
                "host %s is silent for %.0f s: task %d goes back to the queue", ticket.host, silent, ticket.task
            )
        await self._store()

    async def drain(self) -> None:
        """Hand out nothing more."""
        self.farm.draining = True
        self._spread()

    def let_go(self) -> None:
        """Answer the pings still held, whose clients may be gone: a server that stops would wait a second for them."""
        for held in [one for those in self._held_pings.values() for one in those]:
            _settle(held)

    async def stop(self) -> None:
        """Call back what runs."""
        self.farm.stop()
        await self._store()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


__all__ = ["HOLD", "Brief", "Desk", "Failure", "Record"]

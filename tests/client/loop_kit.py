"""The parts of a client's loop in the process of the test. The test plays the hands and the master."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from email.message import Message as Headers
from pathlib import Path
from typing import Any

from spe.client.hand.channel import Channel, Message
from spe.client.loop.hands import HandProcess, Hands
from spe.client.loop.inbox import Inbox
from spe.client.loop.prefetch import Demand, Prefetch
from spe.client.loop.talker import Shared
from spe.client.loop.tickets import Tickets
from spe.client.machine.load import Load
from spe.client.task.attempt import Attempt
from spe.client.task.settings import Settings
from spe.client.wire.bound import Bound
from spe.client.wire.connection import parse_address
from spe.client.wire.lease import Lease, SharedTime, clock
from spe.client.wire.master import Master, MasterConnection, Stopping
from spe.client.wire.reply import Reply
from spe.client.wire.task_record import parse_tasks

from .pretended_master import SESSION, task

NO_PROCESS = 1 << 30  # no system gives a process so high a number


class InstantEvent(threading.Event):
    """An event whose `wait` returns at once and notes for how long it was to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return self.is_set()


class PlayedMaster(MasterConnection):
    """A connection whose answers the test gives. After the last answer the client is ending: Stopping is raised."""

    def __init__(self, master: Master, *answers: Reply | Exception) -> None:
        super().__init__(master)
        self.answers = deque(answers)
        self.asked: list[tuple[str, list[tuple[str, Any]]]] = []
        self.timeouts: list[float] = []
        self.bodies: list[bytes] = []
        self.closed = 0

    def ask(self, path: str, query: Any, body: Any = None, timeout: float = 30.0, into: str | None = None) -> Reply:
        self.asked.append((path, list(query)))
        self.timeouts.append(timeout)
        content = body.content() if body else b""
        self.bodies.append(content if isinstance(content, bytes) else b"".join(content))
        if not self.answers:
            raise Stopping()
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        if into and answer.status == 200:
            Path(into).write_bytes(answer.body)
        return answer

    def close(self) -> None:
        self.closed += 1
        super().close()

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


def reply(status: int, body: bytes = b"", **headers: str) -> Reply:
    """Return an answer. In the names of headers `_` stands for `-`."""
    told = Headers()
    for name, value in headers.items():
        told[name.replace("_", "-")] = value
    return Reply(status, told, body)


class PlayedHand:
    """One hand: the client's view of it, and the end of the channel at which the test plays it."""

    def __init__(self, slots: int, pid: int = NO_PROCESS) -> None:
        ours, theirs = socket.socketpair()
        self.process = HandProcess(pid, Channel(ours), slots)
        self.channel = Channel(theirs)

    def heard(self) -> list[Message]:
        """Return what the client has told it since the last call."""
        return self.channel.receive()

    def begun(self) -> list[int]:
        """Return the tickets that it was given since the last call; anything else is a fault."""
        told = self.heard()
        assert {name for name, _ in told} <= {"begin"}, told
        return [given[0][0] for _, batch in told for given in batch]

    def say(self, name: str, argument: Any = None) -> None:
        self.channel.send(name, argument)

    def close(self) -> None:
        self.process.channel.close()
        self.channel.close()


class Parts:
    """All that the parts of one loop share, with hands that the test plays. Lives for one test."""

    def __init__(
        self, base: Path, slots: tuple[int, ...] = (2,), every: float = 30.0, may_hold: bool = True, worker: str = ""
    ) -> None:
        """Make one hand for each number of `slots`."""
        count = sum(slots)
        self.base = str(base)
        self.lease = Lease(every)
        self.demand = Demand(count)
        self.tickets = Tickets(self.demand, self.lease)
        self.inbox = Inbox()
        self.prefetch = Prefetch(count)
        self.master = Master(parse_address("http://127.0.0.1:9", ""), SESSION, lambda: None)
        self.stopping = self.master.stopping = InstantEvent()
        self.load = Load()
        self.bound = Bound()
        self.host_ends = SharedTime(0.0)
        self.shared = Shared(
            master=self.master,
            inbox=self.inbox,
            tickets=self.tickets,
            demand=self.demand,
            prefetch=self.prefetch,
            lease=self.lease,
            load=self.load,
            bound=self.bound,
            base=self.base,
            worker_name=worker,
            may_hold=may_hold,
        )
        self.settings = Settings(self.base, {}, None, False, 0, False)
        self.hands = Hands(0, self.settings, self.lease)
        self.played = [PlayedHand(one) for one in slots]
        self.hands.processes = [one.process for one in self.played]

    @property
    def hand(self) -> PlayedHand:
        return self.played[0]

    def attempt(self, ticket: int, *words: str, **what: Any) -> Attempt:
        """Return an attempt at a task; nobody holds its ticket yet."""
        return Attempt(parse_tasks(task(ticket, *(words or ("true",)), **what))[0], self.base)

    def held(self, *tickets: int) -> list[Attempt]:
        """Hold these tickets, as after an answer to a request for tasks."""
        attempts = [self.attempt(ticket) for ticket in tickets]
        self.tickets.hold(attempts, clock())
        return attempts

    def events(self) -> list[Message]:
        return list(self.inbox.events())

    def wanted(self) -> tuple[int, int]:
        """Return (count, of these only ahead) that the asking thread would ask for; (0, 0) for a thread that waits."""
        return self.demand.wait() if self.demand._is_worth_asking() else (0, 0)

    def close(self) -> None:
        for one in self.played:
            one.close()
        close_inbox(self.inbox)


def close_inbox(inbox: Inbox) -> None:
    """Close the pipe, which in a client lives as long as the process."""
    pipe = inbox._wakeup
    for file in [*pipe._bells, pipe._ring]:
        os.close(file)


def told(ticket: int, **what: Any) -> tuple[int, tuple[Any, ...]]:
    """Return what a hand says of an attempt (Attempt.told). Without more, its program succeeded at once."""
    known: dict[str, Any] = {
        "reason": "",
        "exit_code": 0,
        "usage": {"wall": 0.5},
        "packed": [("stdout", b"")],
        "prepared": True,
        "cleared": True,
        "lost": "",
        "dropped": False,
    }
    assert what.keys() <= known.keys()
    return ticket, tuple({**known, **what}.values())


def is_over(pid: int) -> bool:
    """Tell whether a child has ended; it stays to be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

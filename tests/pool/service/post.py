"""A farm with one host, one job, and clocks, a watcher and a store of the test."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Future

import pytest
from spe.pool.farm import Farm
from spe.pool.ledger import Ledger, Moment
from spe.pool.rows import HistoryRow, HostRow, Role, Row, UserRow
from spe.pool.service.service import Service
from spe.pool.service.sights import Sights
from spe.pool.watch.seen import Client, Seen

ADA, BEN, ADMIN = UserRow("ada"), UserRow("ben"), UserRow("root", role=Role.ADMIN)


class Clock:
    """Both clocks of the farm; they go on when they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


class Watching:
    """A watcher of one host that sees what the test says."""

    interval = 10.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.boot, self.clients = "b00t", [Client("ada", 2, "f00d/1")]

    @property
    def seen(self) -> dict[str, tuple[float, Seen]]:
        return {"h": (self._clock.now, Seen(self.boot, "linux", 8, (0.0, 0.0, 0.0), clients=self.clients))}

    def unheard(self, name: str) -> str:
        return ""


class Store:
    """Keeps all rows that were committed."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.holds: Future[None] | None = None  # what commits wait for
        self.asked = False

    def commit(self, save: Iterable[Row], remove: Iterable[Row] = ()) -> Future[None]:
        self.asked = True
        if self.holds:
            return self.holds
        self.rows += save
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def is_leader(self, now: float) -> bool:
        return True


class Post:
    """A farm with one host and a job of ada that runs there."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.watching, self.store = clock, Watching(clock), Store()
        self.farm = Farm(1, 0.0)
        self.farm.load([HostRow("h", 4, 4), ADA, BEN], 0.0)
        ledger = Ledger(Moment(clock.now, clock.now), [ADA])
        self.heart = Service("f00d", self.farm, self.store, Sights(self.watching), ledger, lambda: clock.now)
        self.serial = 0

    async def begin(self) -> None:
        await self.heart.submit(ADA, "p", {"name": "x"})
        await self.deal()
        await self.report({"h": "b00t"}, wants=1)

    async def deal(self) -> None:
        await self.heart.deal()

    async def report(self, boots: dict[str, str], wants: int = 9, done: int = 0) -> None:
        self.serial += 1
        grant = (await self.heart.grants(ADA, "p", 0, 0))["jobs"]["1"]
        said = {"serial": [1, self.serial], "epoch": grant["epoch"], "number": grant["number"]}
        said |= {
            "allowed": grant["tasks"],
            "out": grant["tasks"],
            "wants": wants,
            "up": ["h"],
            "boots": boots,
            "done": done,
        }
        await self.heart.report(ADA, "p", {"jobs": {"1": said}})

    def ended(self) -> dict[str, object]:
        """The last report of the job of ada."""
        said = {"serial": [1, self.serial + 1], "epoch": 1, "number": 1, "wants": 0, "ended": "cancelled"}
        return {**said, "allowed": {}, "out": {}}

    async def wait(self, seconds: float) -> None:
        """The farm deals each few seconds meanwhile."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now = min(end, self.clock.now + 5)
            await self.deal()

    def held(self) -> int:
        return self.farm.jobs[1].holding.held.get("h", 0)

    def history(self) -> list[str]:
        return [row.text for row in self.store.rows if isinstance(row, HistoryRow) and row.host == "h"]

"""Held requests: who is woken, what their crowds do to their times, and how long an idle client may be silent."""

from __future__ import annotations

import asyncio

import pytest
from spe.desk import long_poll as held
from spe.desk.long_poll import Held, Idle, hold, settle


class QuickLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock moves only while it waits, and whose waits take no time: no machine is too busy."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.25
        self._look = self._selector.select  # type: ignore[attr-defined]
        self._selector.select = self._wait  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.now

    def _wait(self, seconds: float | None = None) -> object:
        self.now += seconds or 0.0
        return self._look(0)


def test_a_request_that_is_held_ends_no_later_than_asked_and_together_with_its_like(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held, "LONG", 0.1)

    async def one(seconds: float) -> tuple[bool, float]:
        future: Held = asyncio.get_running_loop().create_future()
        begun = asyncio.get_running_loop().time()
        woken = await hold(future, seconds)
        assert asyncio.get_running_loop().time() - begun <= seconds + 0.1
        return woken, asyncio.get_running_loop().time()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(held.TOGETHER - loop.time() % held.TOGETHER)  # both are due within one crowd
        ends = await asyncio.gather(*(one(3 * held.TOGETHER + i * held.TOGETHER / 5) for i in range(4)))
        assert not any(woken for woken, _ in ends)
        assert max(at for _, at in ends) - min(at for _, at in ends) < held.TOGETHER / 10

    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        runner.run(run())


def test_who_has_waited_longest_is_woken_first_and_knows_it() -> None:
    async def run() -> None:
        idle = Idle()
        first, second, third = idle.add(4, "a"), idle.add(2, "b"), idle.add(1, "a")
        assert (len(idle), idle.slots) == (3, 7)
        waiting = asyncio.ensure_future(hold(first, 60))
        await asyncio.sleep(0)
        idle.wake(2)
        assert await waiting and second.done() and not third.done()
        idle.remove(first)
        assert (len(idle), idle.slots) == (1, 1)
        settle(third)
        assert await hold(third, 60)

    asyncio.run(run())


def test_a_scarce_place_is_offered_to_the_first_client_that_may_get_it() -> None:
    async def story() -> None:
        idle = Idle()
        held = {client: idle.add(1, client) for client in ("benched", "good", "other")}
        idle.wake_some(1, lambda client: client != "benched")
        assert [client for client, future in held.items() if future.done()] == ["good"]
        assert len(idle) == 2 and idle.slots == 2
        idle.wake_some(5, lambda client: client != "benched")
        assert not held["benched"].done() and held["other"].done()

    asyncio.run(story())

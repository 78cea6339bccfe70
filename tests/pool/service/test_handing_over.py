"""Slots change hands: who is told when, so that a newcomer begins soon and nobody is woken for nothing."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from .post import ADA, BEN, Clock, Post


class WallClock:
    """The clock of this machine."""

    @property
    def now(self) -> float:
        return time.monotonic()


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    made = Post(Clock(monkeypatch))
    asyncio.run(made.begin())
    return made


async def fill(post: Post) -> None:
    """The job of ada has all slots."""
    for _ in range(10):
        await post.report({"h": "b00t"})
        await post.wait(5)
    await post.report({"h": "b00t"})
    assert post.held() == 4


async def grants(post: Post, who: Any = BEN, place: str = "q", seen: int = 0) -> Any:
    return await post.heart.grants(who, place, seen, 0)


def test_a_job_whose_turn_is_next_is_told_so_before_slots_are_free_for_it(post: Post) -> None:
    async def story() -> None:
        await fill(post)
        await post.heart.submit(BEN, "q", {"name": "y"})
        assert (await grants(post))["jobs"] == {}
        await post.deal()
        told = (await grants(post))["jobs"]["2"]
        assert told["soon"] is True and told["tasks"] == {} and told["number"] == 0
        await post.report({"h": "b00t"})
        await post.deal()
        told = (await grants(post))["jobs"]["2"]
        assert told["tasks"] == {"h": 1} and "soon" not in told

    asyncio.run(story())


def test_a_job_that_no_slot_would_be_dealt_to_is_not_told_that_it_is_next(post: Post) -> None:
    async def story() -> None:
        await fill(post)
        await post.heart.submit(BEN, "q", {"name": "y", "exclude": ["h"]})
        await post.deal()
        assert (await grants(post))["jobs"] == {}

    asyncio.run(story())


def test_counts_of_a_job_wake_no_delegate_and_its_state_does(post: Post) -> None:
    async def story() -> None:
        await fill(post)
        before = (await grants(post, ADA, "p"))["seen"]
        await post.report({"h": "b00t"}, done=7)
        await post.deal()
        assert (await grants(post, ADA, "p"))["seen"] == before
        await post.heart.act(ADA, 1, "priority", {"priority": 80})
        after = (await grants(post, ADA, "p"))["seen"]
        await post.heart.act(ADA, 1, "pause", {})
        assert before < after < (await grants(post, ADA, "p"))["seen"]

    asyncio.run(story())


def test_a_delegate_of_an_earlier_farm_is_answered_at_once(post: Post) -> None:
    """Its number may be above all of this farm."""

    async def story() -> None:
        async with asyncio.timeout(20):
            assert (await post.heart.grants(ADA, "p", 10**6, 30))["jobs"]["1"]["tasks"]

    asyncio.run(story())


def test_slots_that_become_free_are_dealt_before_a_second_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spe.pool.service.service.SECOND", 1000.0)
    post = Post(WallClock())  # type: ignore[arg-type]

    async def story() -> None:
        post.farm.vacant = {"h": 4}
        running = asyncio.create_task(post.heart.run())
        async with asyncio.timeout(60):
            await post.heart.submit(ADA, "p", {"name": "x"})
            while not (await grants(post, ADA, "p"))["jobs"].get("1", {}).get("tasks"):
                await asyncio.sleep(0.01)
            await post.report({"h": "b00t"})
            await post.heart.submit(BEN, "q", {"name": "y"})
            await post.heart.act(ADA, 1, "cancel", {})
            await post.heart.report(ADA, "p", {"jobs": {"1": post.ended()}})
            while not (await grants(post))["jobs"].get("2", {}).get("tasks"):
                await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(story())

"""The farm hears nothing of a job: what it does, with its own clock, watchers and store."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest
from spe.pool.gate.heart import Unfit
from spe.pool.rows import JobRow
from spe.pool.silence import APART, FINAL, SILENT

from .post import ADA, ADMIN, BEN, Clock, Post


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    made = Post(Clock(monkeypatch))
    asyncio.run(made.begin())
    return made


async def document(post: Post) -> Any:
    return (await post.heart.jobs(ADA))["jobs"][0]


def test_a_job_is_shown_as_unheard_and_keeps_its_slots_while_a_client_of_it_is_seen(post: Post) -> None:
    async def story() -> None:
        await post.wait(SILENT - 5)
        assert "unheard" not in await document(post)
        before = post.held()
        await post.wait(600)
        assert (await document(post))["unheard"] is True and post.held() == before >= 1
        assert "nothing was heard" in (await post.heart.why(ADA, 1))["hosts"]["h"]["why"]
        await post.report({"h": "b00t"})
        await post.wait(60)
        assert post.held() > before, "it is heard again, and gets what it wants"

    asyncio.run(story())


def test_what_a_silent_job_held_is_free_once_the_watcher_finds_no_client_of_it(post: Post) -> None:
    async def story() -> None:
        post.watching.clients = []
        await post.wait(FINAL - 5)
        assert post.held() >= 1
        await post.wait(APART + 10)
        assert post.held() == 0 and any("no client of it is left" in text for text in post.history())
        await post.heart.submit(BEN, "q", {"name": "y"})
        await post.deal()
        assert post.farm.jobs[2].holding.granted == {"h": 1}

    asyncio.run(story())


def test_a_restart_of_the_host_frees_it_too(post: Post) -> None:
    async def story() -> None:
        await post.wait(FINAL - 5)
        post.watching.boot = "an0ther"
        await post.wait(4)
        assert post.held() >= 1
        await post.wait(6)
        assert post.held() == 0

    asyncio.run(story())


def test_the_administrator_frees_what_a_silent_job_held_and_no_other(post: Post) -> None:
    async def story() -> None:
        free = {"do": "free", "hosts": ["h"], "job": 1}
        with pytest.raises(Unfit, match="was heard 0 s ago, and says itself what it holds"):
            await post.heart.change_hosts(ADMIN, free)
        with pytest.raises(Unfit, match="there is no job 9"):
            await post.heart.change_hosts(ADMIN, {**free, "job": 9})
        with pytest.raises(Unfit, match="there is no job None"):
            await post.heart.change_hosts(ADMIN, {"do": "free", "hosts": ["h"]})
        await post.wait(SILENT + 5)
        await post.heart.change_hosts(ADMIN, free)
        assert post.held() == 0 and any("administrator" in text for text in post.history())

    asyncio.run(story())


def test_a_grant_names_the_machine_and_a_client_on_another_one_is_a_fault_of_this_user(post: Post) -> None:
    async def story() -> None:
        grant = (await post.heart.grants(ADA, "p", 0, 0))["jobs"]["1"]
        assert grant["machines"] == {"h": "b00t"}
        await post.report({"h": "an0ther"})
        assert (await post.heart.why(ADA, 1))["hosts"]["h"]["why"].startswith("h is another machine for ada; tried")

    asyncio.run(story())


def test_nothing_is_told_that_is_not_stored_also_when_two_ask_at_once(post: Post) -> None:
    """A report that comes while a deal is being stored."""

    async def story() -> None:
        post.store.holds, post.store.asked = Future(), False
        post.farm.submit(post.clock.now, JobRow(0, "ben", "y", place="q"))
        dealing = asyncio.create_task(post.deal())
        while not post.store.asked:
            await asyncio.sleep(0)
        reporting = asyncio.create_task(post.report({"h": "b00t"}))
        for _ in range(20):
            await asyncio.sleep(0)
        assert (await post.heart.grants(BEN, "q", 0, 0))["jobs"] == {}, "its grant is not stored yet"
        held, post.store.holds = post.store.holds, None
        held.set_result(None)
        await asyncio.gather(dealing, reporting)
        assert (await post.heart.grants(BEN, "q", 0, 0))["jobs"]["2"]["tasks"] == {"h": 1}

    asyncio.run(story())


def test_a_delegate_speaks_for_a_job_whose_run_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    post = Post(Clock(monkeypatch))
    post.farm.hosts.clear()

    async def story() -> None:
        await post.heart.submit(ADA, "p", {"name": "x"})
        for _ in range(10):
            await post.wait(30)
            await post.heart.grants(ADA, "p", 0, 0)
            assert "unheard" not in await document(post)
        await post.wait(SILENT + 10)
        assert (await document(post))["unheard"] is True

    asyncio.run(story())

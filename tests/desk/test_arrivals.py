"""Several reports in one request: what is kept in files holds up nothing else and is overtaken by nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from spe.desk import result_files as module
from spe.desk.arrivals import Report
from spe.errors import Lost
from waiting import wait_in_loop

from .test_desk import office


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Files are kept only when the second event is set; the first one says that they are about to."""
    begun, go = threading.Event(), threading.Event()
    keep: Callable[..., list[str]] = module.keep_files

    def slowly(*words: Any) -> list[str]:
        begun.set()
        assert go.wait(20)
        return keep(*words)

    monkeypatch.setattr(module, "keep_files", slowly)
    yield begun, go
    go.set()


def test_what_is_done_while_files_are_kept_is_not_undone_by_them(
    tmp_path: Path, slow_disk: tuple[threading.Event, threading.Event]
) -> None:
    begun, go = slow_disk

    async def run() -> None:
        async with office(tmp_path, "a", "b", attempts=3) as at:
            one, other = await at.client("one"), await at.client("other")
            kept, failed = await at.take(one, 2)
            reports = [Report(kept, at.parts("1")), Report(failed, {}, "exit code 1")]
            batch = asyncio.ensure_future(at.desk.arrivals.take(one, reports))
            await wait_in_loop(begun.is_set, "files are being kept")
            (again,) = await at.take(other)
            second = asyncio.ensure_future(at.desk.complete(other, again, at.parts("2")))
            go.set()
            assert await second == "accepted" and await batch == ["accepted", "noted"]
            assert at.stored("SELECT state FROM tasks") == [("done",), ("done",)]
            assert sorted(at.stored("SELECT x, y FROM results")) == [("a", "1"), ("b", "2")]

    asyncio.run(run())


def test_a_failure_does_not_wait_for_the_files_of_others(
    tmp_path: Path, slow_disk: tuple[threading.Event, threading.Event]
) -> None:
    begun, go = slow_disk

    async def run() -> None:
        async with office(tmp_path, "a", "b") as at:
            client = await at.client("h")
            kept, failed = await at.take(client, 2)
            reports = [Report(kept, at.parts("1")), Report(failed, {}, "exit code 1")]
            batch = asyncio.ensure_future(at.desk.arrivals.take(client, reports))
            await wait_in_loop(begun.is_set, "files are being kept")
            assert at.stored("SELECT state FROM tickets ORDER BY id") == [("issued",), ("failed",)]
            assert not at.desk.arrivals.is_idle, "a run that ended now would lose the first"
            go.set()
            await batch
            assert at.desk.arrivals.is_idle

    asyncio.run(run())


def test_two_attempts_at_one_set_in_one_request_give_one_result(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            one, other = await at.client("one"), await at.client("other")
            (first,) = await at.take(one)
            at.now += 1000
            await at.desk.tick()
            (second,) = await at.take(other)
            reports = [Report(first, at.parts("1")), Report(second, at.parts("2"))]
            assert await at.desk.arrivals.take(one, reports) == ["accepted", "expired"]
            assert at.stored("SELECT y FROM results") == [("1",)]

    asyncio.run(run())


def test_many_results_that_are_files_are_kept_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    keep: Callable[..., list[str]] = module.keep_files

    def counted(*words: Any) -> list[str]:
        calls.append(words)
        return keep(*words)

    monkeypatch.setattr(module, "keep_files", counted)

    async def run() -> None:
        async with office(tmp_path, *"abcde") as at:
            tickets = await at.take(await at.client("h"), 5)
            answers = await at.desk.arrivals.take("", [Report(ticket, at.parts("1")) for ticket in tickets])
            assert answers == ["accepted"] * 5 and len(at.kept()) == 5

    asyncio.run(run())
    assert len(calls) == 1


def test_a_result_whose_file_was_removed_on_its_way_is_asked_for_again_and_nobodys_fault(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", attempts=1) as at:
            (ticket,) = await at.take(await at.client("h"))
            parts = at.parts("1")
            removed = parts["out"].path
            assert removed
            removed.unlink()
            with pytest.raises(Lost):
                await at.desk.complete("1", ticket, parts)
            assert at.stored("SELECT state FROM tasks") == [("waiting",)]
            assert await at.desk.complete("1", ticket, at.parts("1")) == "accepted"
            assert at.stored("SELECT state, attempts FROM tasks") == [("done", 1)]

    asyncio.run(run())

"""A database that dies and comes back: nothing is lost, nothing is doubled, and it is said."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from spe.errors import StoreError
from spe.pool import rows
from spe.pool.registry import writer
from spe.pool.registry.reading import JobFilter
from spe.pool.registry.registry import Registry
from spe.pool.registry.tables import key_of
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from waiting import in_loop, wait_until

from .proxy import Judge, Proxy
from .samples import by_key, everything, happened, job
from .servers import Server

PATIENCE = 60.0


@pytest.fixture
def on_server(server: Server) -> Iterator[Registry]:
    registry = Registry(server.url(server.new_database()))
    yield registry
    registry.close()


def test_a_commit_waits_for_a_server_that_was_killed_and_is_stored_once_it_is_back(
    on_server: Registry, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    before = time.time()
    on_server.commit([job(1)]).result(PATIENCE)
    assert on_server.silence() is None
    server.kill()
    futures = [on_server.commit([happened(n)]) for n in range(1, 6)]
    silence = wait_until(on_server.silence, "the silence is told")
    assert before <= silence.since <= time.time()
    assert silence.reason and "INSERT" not in silence.reason
    wait_until(lambda: (s := on_server.silence()) and s.waiting == 5, "five commits wait")
    assert not any(future.done() for future in futures)
    with pytest.raises(StoreError, match="the registry's database cannot be used"):
        on_server.jobs(JobFilter())
    server.start()
    for future in futures:
        future.result(PATIENCE)
    assert on_server.silence() is None
    assert everything(on_server) == by_key([job(1), *(happened(n) for n in range(1, 6))])
    told = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(told) == 2
    assert "does not answer" in told[0] and "answers again after" in told[1]


def test_a_server_killed_in_a_stream_of_commits_has_all_that_was_confirmed(on_server: Registry, server: Server) -> None:
    futures = []
    for number in range(1, 301):
        futures.append(on_server.commit([happened(number), job(1, done=number)]))
        if number in (100, 200):
            futures[number - 50].result(PATIENCE)
            server.kill()
            confirmed = sum(future.done() for future in futures)
            server.start()
            assert len(on_server.history(count=1000)) >= confirmed
    for future in futures:
        future.result(PATIENCE)
    assert everything(on_server) == by_key([job(1, done=300), *(happened(n) for n in range(1, 301))])


def test_a_killed_server_has_no_process_left_and_can_start_at_once(server: Server) -> None:
    """The kit's own test: PostgreSQL has a process for each connection, and they end after the first one."""
    engine = create_engine(server.url(server.new_database()), poolclass=NullPool)
    connections = [engine.connect() for _ in range(30)]
    for one in connections:
        one.execute(text("SELECT 1"))
    server.kill()
    assert not server.processes()
    server.start()
    for one in connections:
        one.invalidate()  # its server is gone: there is nothing to end
        one.close()


def test_a_server_that_stands_still_is_told_and_the_lead_runs_out(
    on_server: Registry, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SLOW", 0.1)
    on_server.renew().result(PATIENCE)
    server.signal(signal.SIGSTOP)
    future = on_server.commit([job(1)])
    silence = wait_until(on_server.silence, "the silence is told")
    assert (silence.reason, silence.waiting) == ("no answer", 1)
    assert on_server.is_leader(time.monotonic() + 1)
    assert not on_server.is_leader(time.monotonic() + 15)
    server.signal(signal.SIGCONT)
    future.result(PATIENCE)
    assert on_server.silence() is None and on_server.is_leader(time.monotonic() + 10)


@pytest.mark.parametrize("is_passed", [False, True], ids=["before the server has it", "after the server has it"])
def test_a_connection_that_breaks_in_a_commit_loses_and_doubles_nothing(server: Server, is_passed: bool) -> None:
    left = [0]  # connections that will be cut at their COMMIT

    def judge() -> Judge:
        def look(is_client: bool, piece: bytes) -> tuple[bool, bool]:
            if is_client and b"COMMIT" in piece and left[0]:
                left[0] -= 1
                return is_passed, True
            return True, False

        return look

    proxy = Proxy(server.port, judge)
    database = server.new_database()
    registry = Registry(server.url(database, proxy.port))
    left[0] = 3
    registry.commit([job(1), happened(1)]).result(PATIENCE)
    registry.commit([job(1, done=1)], [happened(1)]).result(PATIENCE)
    assert proxy.cuts == 3
    assert everything(registry) == by_key([job(1, done=1)])
    registry.close()
    proxy.close()


def test_connections_cut_at_random_leave_the_rows_of_a_dict(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "LONGEST_PAUSE", 0.05)
    chance = random.Random(20)
    is_cutting = [False]

    def judge() -> Judge:
        left = [chance.choice([500, 3000, 8000, 20000])]

        def look(is_client: bool, piece: bytes) -> tuple[bool, bool]:
            left[0] -= len(piece)
            cuts = is_cutting[0] and left[0] < 0
            return not cuts or chance.random() < 0.5, cuts

        return look

    proxy = Proxy(server.port, judge)
    registry = Registry(server.url(server.new_database(), proxy.port))
    is_cutting[0] = True
    oracle: dict[object, rows.Row] = {}
    for number in range(1, 121):
        save: list[rows.Row] = [job(number % 7 + 1, done=number), happened(number)]
        remove: list[rows.Row] = [happened(chance.randint(1, number))] if number % 3 == 0 else []
        oracle.update(by_key(save))
        for row in remove:
            oracle.pop(key_of(row), None)
        future = registry.commit(save, remove)
        if number % 2:
            future.result(PATIENCE)
    future.result(PATIENCE)
    is_cutting[0] = False
    assert proxy.cuts >= 5
    registry._engine.dispose()
    assert everything(registry) == oracle
    registry.close()
    proxy.close()


def test_a_farm_that_ends_while_the_database_is_away_says_that_rows_are_not_stored(
    on_server: Registry, server: Server
) -> None:
    server.kill()
    future = on_server.commit([job(1)])
    assert not on_server.close(seconds=0.2)
    with pytest.raises(StoreError, match="not stored: "):
        future.result(PATIENCE)


def test_a_file_that_another_program_locks_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spe.pool.registry.address.CONNECTING", 0)
    registry = Registry(f"sqlite:///{tmp_path}/farm.db")
    other = sqlite3.connect(tmp_path / "farm.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    future = registry.commit([job(1)])
    silence = wait_until(registry.silence, "the silence is told")
    assert "locked" in silence.reason
    other.execute("ROLLBACK")
    future.result(PATIENCE)
    other.close()
    assert registry.close()


def test_a_commit_that_can_never_succeed_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(f"sqlite:///{tmp_path}/farm.db")
    real = writer.apply

    def faulty(connection: object, changes: dict[object, object], *more: object) -> object:
        if key_of(job(13)) in changes:
            raise ValueError("a fault of spe's own")
        return real(connection, changes, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(writer, "apply", faulty)
    futures = {number: registry.commit([job(number)]) for number in range(1, 21)}
    for number, future in futures.items():
        if number == 13:
            with pytest.raises(ValueError, match="own"):
                future.result(PATIENCE)
        else:
            future.result(PATIENCE)
    assert everything(registry) == by_key([job(n) for n in range(1, 21) if n != 13])
    registry.close()


@in_loop
async def _await_commits(registry: Registry) -> None:
    await asyncio.wrap_future(registry.commit([job(1)]))
    asyncio.wrap_future(registry.commit([job(2)])).cancel()
    await asyncio.wrap_future(registry.renew())


def test_a_commit_is_awaited_in_a_coroutine_and_one_that_nobody_awaits_any_more_is_stored(tmp_path: Path) -> None:
    registry = Registry(f"sqlite:///{tmp_path}/farm.db")
    _await_commits(registry)
    assert everything(registry) == by_key([job(1), job(2)])
    registry.close()

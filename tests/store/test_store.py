"""The store: what was acknowledged is on disk, whatever happens; and what other tools and other versions find there."""

from __future__ import annotations

import asyncio
import csv
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from needs import need, need_program, need_root
from spe.dispatch.changes import (
    UNBEGUN,
    ClientCame,
    ClientHeard,
    ClientLeft,
    Decision,
    TaskMoved,
    TicketEnded,
    TicketIssued,
)
from spe.errors import NotStored, StoreError, UsageError
from spe.model import Failure, Output, TaskState, TicketState, Usage
from spe.results.leftovers import Leftovers, parse
from spe.results.table_files import write_results_csv
from spe.store import schema, writes
from spe.store.reader import Reader, Statistics
from spe.store.store import NewSet, Store
from waiting import wait_in_loop, wait_until

HERE = Path(__file__).parent


def sets(*names: str, start: int = 0) -> list[NewSet]:
    return [NewSet(name.encode().ljust(16), start + i, {"x": name}) for i, name in enumerate(names)]


def done(task: int, ticket: int, value: str = "1") -> list[Any]:
    moved = TaskMoved(task, TaskState.DONE, 1, 0, "", ticket, {}, (Output("y", value),))
    return [TicketIssued(ticket, task, "1", "lab01"), TicketEnded(ticket, TicketState.ACCEPTED, Usage(1.5)), moved]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "sweep.db")
    yield made
    made.close()


def looked_at(path: Path, sql: str, *given: Any) -> list[Any]:
    """By another connection, as any other program sees it."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(sql, given).fetchall()
    finally:
        connection.close()


async def plan(store: Store, *names: str) -> None:
    await store.begin_plan(["x"], ["y"])
    await store.add_sets(sets(*names))


# -- commits


def test_what_comes_in_at_once_is_committed_together(store: Store) -> None:
    statements: list[str] = []
    store.writer.connection.set_trace_callback(statements.append)

    async def run() -> None:
        await plan(store, "a")
        statements.clear()
        await asyncio.gather(*(store.commit([ClientCame(str(n), "h", "", 1, True)]) for n in range(500)))

    asyncio.run(run())
    assert len(looked_at(store.path, "SELECT 1 FROM clients")) == 500
    commits = [one for one in statements if one == "COMMIT"]
    assert 1 <= len(commits) <= 50, f"{len(commits)} transactions for 500 commits"


def test_a_commit_returns_after_others_can_read_it(store: Store) -> None:
    async def one(number: int) -> None:
        await store.commit([ClientCame(str(number), "h", "", 1, True)])
        assert looked_at(store.path, "SELECT host FROM clients WHERE id = ?", str(number)) == [("h",)]

    async def run() -> None:
        await asyncio.gather(*(one(n) for n in range(50)))

    asyncio.run(run())


def test_every_transaction_is_synced_before_it_counts(store: Store) -> None:
    async def run() -> tuple[Any, Any]:
        level = await store.call(lambda c: c.execute("PRAGMA synchronous").fetchone()[0])
        return level, await store.call(lambda c: c.execute("PRAGMA journal_mode").fetchone()[0])

    assert asyncio.run(run()) == (2, "wal")


def test_one_faulty_change_does_not_take_others_with_it(store: Store) -> None:
    async def run() -> list[Any]:
        await store.commit([ClientCame("1", "h", "", 1, True)])
        twice = ClientCame("1", "again", "", 1, True)
        others = [store.commit([ClientCame(str(n), "h", "", 1, True)]) for n in range(2, 40)]
        return await asyncio.gather(*others[:20], store.commit([twice]), *others[20:], return_exceptions=True)

    answers = asyncio.run(run())
    assert [type(a).__name__ for a in answers if a is not None] == ["IntegrityError"]
    assert looked_at(store.path, "SELECT count(*), sum(host = 'again') FROM clients") == [(39, 0)]


def test_a_statement_at_fault_is_an_error_at_once_and_no_reason_to_wait(store: Store) -> None:
    async def run() -> None:
        with pytest.raises(Exception, match="no such table"):
            await asyncio.wait_for(store.call(lambda c: c.execute("SELECT * FROM nowhere")), 20)
        await store.set_meta("a", "b")
        assert await store.meta("a") == "b"

    asyncio.run(run())


@pytest.mark.parametrize("kills", [3])
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path, kills: int) -> None:
    path, told = tmp_path / "sweep.db", list[int]()
    for round_ in range(1, kills + 1):
        log = tmp_path / f"{round_}"
        with log.open("wb") as out:
            process = subprocess.Popen([sys.executable, str(HERE / "committer.py"), str(path)], stdout=out)
            wait_until(lambda log=log: log.read_bytes().count(b"\n") >= 40, "40 commits are acknowledged")  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            process.wait()
        told += [int(line) for line in log.read_bytes().split(b"\n")[:-1]]
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    there = {row[0] for row in connection.execute("SELECT CAST(y AS INTEGER) FROM results WHERE 1")}
    there |= {int(row[0]) for row in connection.execute("SELECT value FROM outputs")}
    connection.close()
    assert len(told) >= 40 * kills and len(set(told)) == len(told)
    assert not set(told) - there


def test_a_full_disk_holds_answers_back_until_there_is_room(tmp_path: Path) -> None:
    need_root()
    mount = need_program("mount", "mount")
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run([mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)], check=False)
    need(mounted.returncode == 0, "needs to mount a tmpfs: root with CAP_SYS_ADMIN")
    try:
        asyncio.run(_fill_up(small))
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_store_whose_wait_has_ended_refuses_all_and_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when there is room by then: what comes later may rest on what was refused."""
    monkeypatch.setattr("spe.full_disk.LAST_TRIES", 0.1)

    def full(*_: object) -> None:
        raise FullError

    async def run() -> None:
        store = Store(tmp_path / "sweep.db")
        await plan(store, "a", "b")
        await store.commit(done(1, 1))
        with monkeypatch.context() as patched:
            patched.setattr(writes, "apply", full)
            waiting = asyncio.ensure_future(store.commit(done(2, 2)))
            assert not (await asyncio.wait([waiting], timeout=0.5))[0], "it waits until it is told to end"
            store.disk.end()
            with pytest.raises(NotStored):
                await asyncio.wait_for(waiting, 20)
        for work in (store.commit(done(2, 2)), store.set_meta("told", "yes"), store.count()):
            with pytest.raises(NotStored):
                await asyncio.wait_for(work, 20)
        await asyncio.to_thread(store.close)

    asyncio.run(run())
    assert looked_at(tmp_path / "sweep.db", "SELECT number FROM results") == [(1,)]


class FullError(sqlite3.OperationalError):
    """As SQLite says that the disk is full."""

    sqlite_errorcode = sqlite3.SQLITE_FULL


async def _fill_up(small: Path) -> None:
    store, said = Store(small / "sweep.db"), list[str]()
    store.disk.complain = said.append
    try:
        await plan(store, "a", "b")
        await store.commit(done(1, 1))
        with (small / "filler").open("wb") as filler, pytest.raises(OSError):
            while True:
                os.write(filler.fileno(), b"x" * 4096)
        outputs = (Output("y", "2", os.urandom(500_000), size=500_000),)
        changes = [*done(2, 2)[:2], TaskMoved(2, TaskState.DONE, 1, 0, "", 2, {}, outputs)]
        waiting = asyncio.ensure_future(store.commit(changes))
        await wait_in_loop(lambda: len(said) >= 2, "the store says that it waits")
        assert "full" in said[0] and str(small) in said[0] and "make room" in said[0]
        assert not waiting.done(), "nothing is acknowledged that is not on disk"
        (small / "filler").unlink()
        await asyncio.wait_for(waiting, 20)
        assert looked_at(store.path, "SELECT number, y FROM results") == [(1, "1"), (2, "2")]
        assert looked_at(store.path, "PRAGMA integrity_check") == [("ok",)]
    finally:
        (small / "filler").unlink(missing_ok=True)
        store.close()


# -- which schema


def test_a_database_of_a_newer_spe_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "sweep.db"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    for open_it in (lambda: Store(path), lambda: Reader(tmp_path)):
        with pytest.raises(StoreError, match="schema 99, written by a newer spe; this one knows schema") as caught:
            open_it()
        assert caught.value.where == str(path) and caught.value.todo.startswith("Update spe")
    assert looked_at(path, "SELECT value FROM meta WHERE key = 'schema'") == [("99",)]


def test_what_is_no_database_is_an_error_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "sweep.db"
    path.write_bytes(b"no database, but long enough to be looked at\n" * 100)
    with pytest.raises(StoreError, match="cannot be used") as caught:
        Store(path)
    assert caught.value.where == str(path)
    with pytest.raises(StoreError):
        Reader(tmp_path)


def test_where_nothing_ran_there_is_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing has run here yet"):
        Reader(tmp_path)


def test_of_what_was_noted_the_newest_is_kept_whatever_run_it_is_of(store: Store) -> None:
    notes = [{"time": 1.0 + n, "kind": "lost", "text": f"{n}", "host": "h"} for n in range(4)]
    notes.append({"time": 9.0, "kind": "failed", "text": "four", "task": 7})

    async def note() -> None:
        await store.keep_events(notes[:2])
        await store.call(lambda connection: writes.keep_events(connection, notes[2:], most=3))

    asyncio.run(note())
    with Reader(store.path.parent) as reader:
        assert list(reader.events()) == notes[2:]


def test_a_sample_is_kept_for_every_schema_there_was() -> None:
    assert sorted(p.name for p in (HERE / "samples").iterdir()) == [
        f"schema-{n}.db" for n in range(1, schema.VERSION + 1)
    ]


@pytest.mark.parametrize("version", range(1, schema.VERSION + 1))
def test_a_database_of_any_earlier_schema_loads_and_goes_on(tmp_path: Path, version: int) -> None:
    shutil.copy(HERE / "samples" / f"schema-{version}.db", tmp_path / "sweep.db")
    with Reader(tmp_path) as reader:
        (row,) = reader.rows()
        assert (row.number, dict(row.values), row.host) == (1, {"x": "0", "a b": "ü0"}, "lab01")
        assert row.outputs["y"] == Output("y", "0.5", b"0.5  \n", None, 6)
        assert row.outputs["trace"].file == "files/1/trace.csv"
        cancelled = [(5, "cancelled by hand")] if version >= 5 else []
        assert [(f.number, f.reason) for f in reader.failed()] == [(2, "exit code 3: no licence"), *cancelled]
        (ticket,) = reader.task(2).tickets
        assert (ticket.stderr, ticket.cpu, ticket.memory) == (b"no licence\n", 1.25, 1 << 20)
        assert (ticket.read, ticket.written) == ((4096, 0) if version >= 5 else (None, None))
        assert ticket.files == (parse("12 out.txt\n- work@\n+3\n") if version >= 5 else None)
        assert_counted(reader.statistics(), len(cancelled))
        assert list(reader.events()) == []

    async def go_on(store: Store) -> None:
        assert [(t.id, task.number) for t, task in await store.live()] == [(3, 3)]
        assert await store.next_ids() == (4, 2)
        await store.close_session()
        await store.begin_plan(["x", "a b"], ["y", "trace"])
        await store.add_sets([NewSet(bytes([n]) * 16, n, {"x": str(n), "a b": f"ü{n}"}) for n in range(5)])
        assert [task.number for _, task in await store.waiting(-1, 10)] == [3, 4, *([] if version >= 5 else [5])]
        await store.cancel([4], "cancelled by hand")
        await store.commit([TicketIssued(4, 3, "2", "lab01")])
        ended = TicketEnded(4, TicketState.FAILED, Usage(1.0, read=7, written=8), Failure("other", "no", files="+0\n"))
        await store.commit([ended, TaskMoved(3, TaskState.FAILED, 1, 0, "no")])

    store = Store(tmp_path / "sweep.db")
    try:
        with Reader(tmp_path) as reader:
            assert_counted(reader.statistics(), len(cancelled))
        asyncio.run(go_on(store))
        with Reader(tmp_path) as reader:
            assert (reader.statistics().total, reader.statistics().cancelled) == (5, 1 + len(cancelled))
            last = reader.task(3).tickets[-1]
            assert (last.read, last.written, last.files) == (7, 8, Leftovers(()))
            assert_tallies_agree(tmp_path)
    finally:
        store.close()


def test_a_set_that_was_cancelled_before_the_schema_said_so_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "sweep.db"
    shutil.copy(HERE / "samples" / "schema-4.db", path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE tasks SET state = 'cancelled', reason = 'cancelled by hand' WHERE number = 4")
    connection.close()
    for step in ("as it was", "migrated"):
        with Reader(tmp_path) as reader:
            assert (reader.statistics().cancelled, reader.statistics().waiting) == (1, 0), step
            assert [(f.number, f.cancelled) for f in reader.failed()] == [(2, False), (4, True)], step
        Store(path).close()
    assert looked_at(path, "SELECT value FROM meta WHERE key = 'schema'") == [(str(schema.VERSION),)]


def assert_counted(found: Statistics, cancelled: int) -> None:
    """The sets of a sample, and its one host."""
    counted = (found.total, found.done, found.failed, found.running, found.waiting, found.cancelled)
    assert counted == (4 + cancelled, 1, 1, 1, 1, cancelled)
    assert [(h.host, h.tasks, h.failures, h.seconds, h.cpu) for h in found.hosts] == [("lab01", 1, 1, 3.0, 2.5)]
    assert found.retries == 0


def assert_tallies_agree(folder: Path) -> None:
    """What counts along says the same as reading all rows; what was tried again has tests of its own."""
    columns = {"counts": "plan, state, sets", "hosts": "host, accepted, failures, lost, seconds, cpu"}
    for (name, shown), view in zip(columns.items(), schema.MISSING_TABLES[2], strict=True):
        rows = sorted(looked_at(folder / "sweep.db", f"SELECT {shown} FROM ({view.split(' AS ', 1)[1]})"))
        kept = looked_at(folder / "sweep.db", f"SELECT {shown} FROM {name}")
        assert sorted(row for row in kept if name != "counts" or row[2]) == rows


def test_the_tables_count_a_ticket_that_was_given_back_by_the_words_of_the_dispatch() -> None:
    assert f"NEW.reason = '{UNBEGUN}'" in schema.TABLES.read_text(encoding="utf-8")


def test_a_transaction_that_fails_undoes_all_and_leaves_none_open(store: Store) -> None:
    async def run() -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO meta VALUES ('half', 'done')")
            raise ValueError

        with pytest.raises(ValueError):
            await store.call(work)
        assert await store.meta("half") == ""

    asyncio.run(run())
    assert not store.writer.connection.in_transaction


# -- which sets


def test_numbers_stay_when_lines_are_inserted_and_are_never_used_again(store: Store, tmp_path: Path) -> None:
    async def run() -> None:
        await plan(store, "a", "b")
        await plan(store, "new", "a", "newer", "b")
        assert await numbers(store) == {"new": 3, "a": 1, "newer": 4, "b": 2}
        await plan(store, "a")
        await plan(store, "a", "last")
        assert await numbers(store) == {"a": 1, "last": 5}

    asyncio.run(run())


async def numbers(store: Store) -> dict[str, int]:
    """Of today's sets that wait, in the order of their positions."""
    return {task.values["x"]: task.number for _, task in await store.waiting(-1, 100)}


def test_sets_come_in_todays_order(store: Store) -> None:
    async def run() -> None:
        await plan(store, "a", "b", "c")
        await plan(store, "c", "a", "b")
        assert list(await numbers(store)) == ["c", "a", "b"]
        assert [(p, t.number) for p, t in await store.waiting(0, 1)] == [(1, 1)]

    asyncio.run(run())


def test_of_equal_sets_the_first_place_counts(store: Store) -> None:
    async def run() -> None:
        await plan(store, "a", "b", "a")
        assert [(p, t.values["x"]) for p, t in await store.waiting(-1, 9)] == [(0, "a"), (1, "b")]
        await plan(store, "b", "a", "b")
        assert list(await numbers(store)) == ["b", "a"]

    asyncio.run(run())


def test_sets_that_are_gone_are_left_out_and_come_back_with_their_results(store: Store, tmp_path: Path) -> None:
    def table() -> list[tuple[int, str]]:
        with Reader(tmp_path) as reader:
            return [(row.number, row.outputs["y"].value) for row in reader.rows()]

    async def run() -> None:
        await plan(store, "a", "b")
        await store.commit([*done(1, 1, "A"), *done(2, 2, "B")])
        assert table() == [(1, "A"), (2, "B")]
        await plan(store, "b")
        assert table() == [(2, "B")]
        assert looked_at(store.path, "SELECT number FROM results") == [(2,)]
        assert await store.count() == {TaskState.DONE: 1}
        await plan(store, "b", "a")
        assert table() == [(2, "B"), (1, "A")], "in today's order"
        assert [row[0] for row in looked_at(store.path, "SELECT number FROM results")] == [2, 1]
        assert not await numbers(store), "nothing is to be run again"

    asyncio.run(run())


def test_retry_puts_back_what_failed_with_all_its_attempts(store: Store) -> None:
    async def run() -> None:
        await plan(store, "a", "b", "c")
        failed = [TaskMoved(n, TaskState.FAILED, 3, 2, "no", None, {"exit:1": 3}) for n in (1, 2)]
        await store.commit([*failed, *done(3, 3)])
        settled = await store.settle(Decision(1, "{}", retry=[2, 3], before=10))
        assert (settled.again, settled.retried) == (0, 1)
        ((_, task),) = await store.waiting(-1, 9)
        assert (task.number, task.attempts, task.lost, task.faults) == (2, 0, 0, {})

    asyncio.run(run())


def test_what_is_put_back_by_hand_is_as_if_it_had_never_run(store: Store) -> None:
    """By `spe retry` between two runs, and into one that goes on."""
    rest = "attempts, lost, faults, reason, ticket, collected"

    async def run() -> None:
        await plan(store, *"abcd")
        failed = [TaskMoved(n, TaskState.FAILED, 3, 2, "no", n, {"exit:1": 3}) for n in (1, 2, 3)]
        await store.commit([*(TicketIssued(n, n, "1", "lab01") for n in (1, 2, 3)), *failed])
        for number in (1, 2, 3):
            await store.mark_collected(number, well=False)
        await store.cancel([4], "cancelled by hand")
        before = {1: TaskState.FAILED, 4: TaskState.CANCELLED}
        assert await store.put_back([1, 3, 4], but=[3]) == before
        assert (await store.settle(Decision(1, "{}", retry=[2], before=10))).retried == 1
        rows = looked_at(store.path, f"SELECT number, state, {rest} FROM tasks ORDER BY number")
        as_new = ("waiting", 0, 0, None, None, None, None)
        assert rows == [(1, *as_new), (2, *as_new), (3, "failed", 3, 2, '{"exit:1": 3}', "no", 3, 2), (4, *as_new)]
        found = [(t.number, t.attempts, t.lost, t.faults) for _, t in await store.waiting(-1, 9)]
        assert found == [(n, 0, 0, {}) for n in (1, 2, 4)]

    asyncio.run(run())


def test_a_finished_set_that_runs_again_has_all_its_attempts_and_keeps_the_ticket_of_its_row(store: Store) -> None:
    async def run() -> None:
        await plan(store, "a")
        issued, ended, _ = done(1, 1)
        await store.commit([issued, ended, TaskMoved(1, TaskState.DONE, 3, 2, "", 1, {"exit:1": 2})])
        await store.mark_collected(1, well=True)
        assert (await store.settle(Decision(1, "{}", fresh=True, before=2))).again == 1
        row = looked_at(store.path, "SELECT state, attempts, lost, faults, reason, collected, ticket FROM tasks")
        assert row == [("waiting", 0, 0, None, None, None, 1)]

    asyncio.run(run())


def test_only_sets_of_todays_parameters_are_put_back(store: Store) -> None:
    async def run() -> None:
        await plan(store, "a", "b", "c")
        await store.commit([TaskMoved(n, TaskState.FAILED, 1, 0, "no") for n in (1, 2)])
        await store.cancel([3], "cancelled by hand")
        await plan(store, "b")
        assert await store.put_back(None, []) == {2: TaskState.FAILED}
        for decision in (Decision(1, "{}", retry=(), before=10), Decision(1, "{}", fresh=True, before=10)):
            assert (await store.settle(decision)).retried == 0
        states = [row[0] for row in looked_at(store.path, "SELECT state FROM tasks ORDER BY number")]
        assert states == ["failed", "waiting", "cancelled"]

    asyncio.run(run())


# -- a restart


def test_after_many_clients_the_next_one_has_an_id_that_none_had(store: Store) -> None:
    """As text, 9 comes after 10 and 100: registering would break on an ID that is taken."""

    async def run() -> None:
        for count in (9, 10, 11, 100):
            ticket, client = await store.next_ids()
            await store.commit([ClientCame(str(n), "h", "", 1, True) for n in range(client, count + 1)])
            issued = [TicketIssued(n, 1, "1", "h") for n in range(ticket, count + 1)]
            await store.commit(issued)
            assert await store.next_ids() == (count + 1, count + 1)

    asyncio.run(run())


def test_after_a_restart_tickets_that_were_out_and_lost_ones_of_living_clients_are_good(tmp_path: Path) -> None:
    async def before(store: Store) -> None:
        await plan(store, "a", "b", "c", "d")
        await store.commit([ClientCame(n, f"lab{n}", "", 1, True) for n in ("1", "2")])
        await store.commit([TicketIssued(n, n, client, "h") for n, client in ((1, "1"), (2, "1"), (3, "2"), (4, "1"))])
        lost = [(TicketEnded(n, TicketState.LOST), TaskMoved(n, TaskState.WAITING, 0, 1)) for n in (2, 3)]
        await store.commit([change for pair in lost for change in pair])
        await store.commit([ClientLeft("2", 5.0), TicketEnded(4, TicketState.ACCEPTED), *done(4, 5)[2:]])

    async def after(store: Store) -> None:
        assert [(t.id, t.state) for t, _ in await store.live()] == [(1, TicketState.ISSUED), (2, TicketState.LOST)]
        assert await store.next_ids() == (5, 3)
        assert [row.id for row in await store.known_clients()] == ["1"]
        found = await store.find(3)
        assert found and found[1].number == 3 and found[1].lost == 1
        assert await store.find(99) is None
        await store.close_session()
        assert not await store.live()
        assert await store.count() == {TaskState.WAITING: 3, TaskState.DONE: 1}

    for act in (before, after):
        store = Store(tmp_path / "sweep.db")
        try:
            asyncio.run(act(store))
        finally:
            store.close()


# -- for other tools

ODD = ["x", "a b", 'say "x"', "it's", "back\\slash", "dot.ted", "$y[0]", "größe", "100%", "a:b", "a?b", "select"]


def test_the_view_has_the_columns_and_cells_of_results_csv(store: Store, tmp_path: Path) -> None:
    results = ["y", "the result", 'quo"ted', "o'clock"]
    values = [{name: f"{name}={n}" for name in ODD} for n in range(3)]

    async def run() -> None:
        await store.begin_plan(ODD, results)
        await store.add_sets([NewSet(bytes([n]) * 16, n, v) for n, v in enumerate(values)])
        for n in (3, 1):
            outputs = tuple(Output(name, f"{name} of {n}") for name in results[: n + 1])
            changes = done(n, n)
            await store.commit([*changes[:2], TaskMoved(n, TaskState.DONE, n, 0, "", n, {}, outputs)])

    asyncio.run(run())
    with Reader(tmp_path) as reader:
        assert write_results_csv(tmp_path / "results.csv", reader.parameters, reader.results, reader.rows()) == 2
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    connection = sqlite3.connect(store.path)
    cursor = connection.execute("SELECT * FROM results")
    assert (
        [column[0] for column in cursor.description]
        == head
        == ["number", *ODD, *results, "host", "seconds", "attempts"]
    )
    seen = [
        ["" if cell is None else f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in cursor
    ]
    connection.close()
    assert seen == lines
    assert seen[0][1 : len(ODD) + 1] == [f"{name}=0" for name in ODD]


def test_names_that_differ_in_case_only_are_no_trouble(store: Store) -> None:
    async def run() -> None:
        await asyncio.wait_for(store.begin_plan(["n", "N"], ["y", "Y"]), 20)

    asyncio.run(run())
    assert looked_at(store.path, "SELECT count(*) FROM results") == [(0,)]


# -- size


def test_a_hundred_thousand_sets_are_small_and_quick_to_window(
    store: Store, tmp_path: Path, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    count, chunk = 100_000, 5000

    async def run() -> None:
        await store.begin_plan(["alpha", "beta"], ["y"])
        for start in range(0, count, chunk):
            rows = range(start, start + chunk)
            await store.add_sets([NewSet(n.to_bytes(16, "big"), n, {"alpha": str(n), "beta": "0.125"}) for n in rows])
        assert len(await store.waiting(count - 10, 100)) == 9
        assert await store.count() == {TaskState.WAITING: count}

    asyncio.run(run())
    store.close()
    per_set = (tmp_path / "sweep.db").stat().st_size / count
    record_property("bytes per waiting set", round(per_set))
    with capsys.disabled():
        sys.stdout.write(f" [{per_set:.0f} bytes per waiting set] ")
    assert per_set < 250
    rows = looked_at(
        store.path, "EXPLAIN QUERY PLAN SELECT number FROM tasks WHERE state = 'waiting' AND plan = 1 AND position > 9"
    )
    assert "waiting" in rows[0][3], "the window comes from the index"


# -- what counts along


def test_what_counts_along_agrees_with_all_rows_whatever_happens_to_them(tmp_path: Path) -> None:
    async def story(store: Store) -> None:
        await plan(store, "a", "b", "c", "d", "e")
        await store.commit([*done(1, 1), *done(2, 2)])
        await store.commit([TicketIssued(3, 3, "1", "lab01"), TicketIssued(4, 3, "2", "lab02")])
        failed = TicketEnded(4, TicketState.FAILED, Usage(2.0, 0.5, 0.25))
        await store.commit([TicketEnded(3, TicketState.LOST), failed])
        await store.commit([TaskMoved(3, TaskState.FAILED, 1, 1, "no")])
        await store.commit([TicketIssued(5, 4, "2", "lab02"), TicketEnded(5, TicketState.LOST)])
        await store.commit([TicketEnded(5, TicketState.ISSUED)])  # it came back
        assert_tallies_agree(tmp_path)
        await store.close_session()
        assert_tallies_agree(tmp_path)
        await plan(store, "e", "d", "new")
        await store.settle(Decision(1, "{}", fresh=True, before=6))
        assert_tallies_agree(tmp_path)
        await store.commit(done(1, 6))
        assert_tallies_agree(tmp_path)

    store = Store(tmp_path / "sweep.db")
    try:
        asyncio.run(story(store))
        with Reader(tmp_path) as reader:
            found = reader.statistics()
            assert (found.total, found.waiting, found.retries) == (3, 3, 0), "copies and sets done again are no retries"
            hosts = {h.host: (h.tasks, h.failures, h.lost) for h in found.hosts}
            assert hosts == {"lab01": (3, 0, 1), "lab02": (0, 1, 1)}
    finally:
        store.close()


def retries(folder: Path) -> int:
    with Reader(folder) as reader:
        return reader.statistics().retries


def test_a_retry_is_an_attempt_after_one_of_this_run_that_went_wrong(store: Store, tmp_path: Path) -> None:
    async def story() -> None:
        await plan(store, "a", "b", "c", "d")
        await store.begin_run()
        wrong = (TicketState.FAILED, TicketState.REJECTED, TicketState.LOST)
        for task, state in enumerate(wrong, 1):
            await store.commit([TicketIssued(task, task, "1", "lab01")])
            # The failure and the next attempt come to the disk in one commit, in whatever order they were said.
            await store.commit([TicketIssued(10 + task, task, "1", "lab02"), TicketEnded(task, state, Usage(1.0))])
            assert retries(tmp_path) == task
        await store.commit([TicketIssued(14, 1, "2", "lab03")])
        assert retries(tmp_path) == 3, "a copy of one that is out"
        await store.commit([TicketIssued(15, 4, "1", "lab01")])
        await store.commit([TicketEnded(15, TicketState.EXPIRED, failure=Failure("expired", UNBEGUN))])
        await store.commit([TicketIssued(16, 4, "1", "lab01")])
        assert retries(tmp_path) == 3, "one that was given back was no attempt"
        await store.commit([TicketEnded(12, TicketState.EXPIRED, failure=Failure("expired", UNBEGUN))])
        assert retries(tmp_path) == 2, "nor was a retry that was given back"
        await store.commit([TicketIssued(17, 2, "1", "lab01")])
        assert retries(tmp_path) == 3
        await store.commit([TicketEnded(11, TicketState.EXPIRED), TicketEnded(14, TicketState.ACCEPTED)])
        assert retries(tmp_path) == 3, "an attempt that was called back was one"

    asyncio.run(story())


def test_the_counters_of_a_run_begin_with_it_and_go_on_when_it_is_resumed(store: Store, tmp_path: Path) -> None:
    def counted() -> tuple[Any, ...]:
        with Reader(tmp_path) as reader:
            found = reader.statistics()
            hosts = [(h.host, h.tasks, h.failures, h.lost, h.seconds, h.heard is None) for h in found.hosts]
            return found.retries, found.cpu, found.efficiency, hosts

    async def story() -> None:
        await plan(store, "a", "b", "c")
        await store.begin_run()
        await store.commit([ClientCame("1", "lab01", "", 1, True), ClientHeard("1", 0.0), *done(1, 1)])
        await store.commit([TicketIssued(2, 2, "1", "lab01")])
        await store.commit([TicketEnded(2, TicketState.FAILED, Usage(2.0, 1.0)), TicketIssued(3, 2, "1", "lab01")])
        await store.commit([TicketEnded(3, TicketState.LOST), ClientLeft("1", 7.0)])
        first = (1, 1.0, 0.5, [("lab01", 1, 1, 1, 3.5, False)])
        assert counted() == first
        await store.close_session()
        assert counted() == first, "they stay until the next run begins"
        await store.begin_run()
        assert counted() == (0, 0.0, None, [])
        await store.commit([ClientCame("2", "lab01", "", 2, True), TicketIssued(4, 2, "2", "lab01")])
        assert counted()[0] == 0, "the first attempt of this run"
        assert counted()[3] == [("lab01", 0, 0, 0, 0.0, True)], "its last word was in the run before"
        await store.commit([TicketEnded(3, TicketState.ACCEPTED, Usage(9.0))])
        assert counted()[3] == [("lab01", 0, 0, 0, 0.0, True)], "a late word about a ticket of before"
        await store.commit([TicketEnded(4, TicketState.REJECTED, Usage(1.0)), TicketIssued(5, 2, "2", "lab01")])
        await store.commit([TicketEnded(5, TicketState.ACCEPTED, Usage(1.0)), ClientLeft("2", 4.0)])
        assert counted() == (1, 0.0, 0.25, [("lab01", 1, 1, 0, 2.0, True)])

    asyncio.run(story())
    store.close()
    resumed = Store(tmp_path / "sweep.db")
    try:
        asyncio.run(resumed.commit([TicketIssued(6, 3, "2", "lab01"), TicketEnded(6, TicketState.FAILED, Usage(1.0))]))
        assert counted()[3] == [("lab01", 1, 2, 0, 3.0, True)]
    finally:
        resumed.close()


def test_slots_are_those_for_tasks_of_so_many_cores_and_hosts_without_known_slots_are_left_out_of_efficiency(
    store: Store, tmp_path: Path
) -> None:
    async def story() -> None:
        await plan(store, "a", "b")
        await store.begin_run()
        await store.set_meta("cores", "4")
        await store.commit([ClientCame("1", "lab01", "", 9, True), *done(1, 1), ClientLeft("1", 1.5)])
        await store.commit([TicketIssued(2, 2, "", "10.0.0.7"), TicketEnded(2, TicketState.ACCEPTED, Usage(9.0))])

    asyncio.run(story())
    with Reader(tmp_path) as reader:
        found = reader.statistics()
        assert found.efficiency == 0.5 and {h.host: h.seconds for h in found.hosts} == {"lab01": 1.5, "10.0.0.7": 9.0}


def test_a_client_that_never_left_was_there_until_its_last_word(store: Store, tmp_path: Path) -> None:
    async def story() -> None:
        await store.begin_run()
        await store.commit([ClientCame("1", "lab01", "", 1, True), ClientCame("2", "lab02", "", 1, True)])
        await store.call(lambda c: c.execute("UPDATE clients SET heard = since + 8.0 WHERE id = '1'") and None)
        await store.close_session()

    asyncio.run(story())
    assert [round(row[0], 3) for row in looked_at(store.path, "SELECT seconds FROM clients ORDER BY id")] == [8.0, 0.0]


# -- a plan that has been read before


def test_only_a_reading_that_came_to_its_end_need_not_be_made_again(store: Store) -> None:
    async def begun(digest: str) -> bool:
        return await store.begin_plan(["x"], ["y"], digest)

    async def run() -> None:
        assert await begun("one")
        await store.add_sets(sets("a", "b"))
        assert await begun("one")  # the first reading broke off
        await store.add_sets(sets("a", "b"))
        await store.end_plan("one")
        assert not await begun("one")
        assert await numbers(store) == {"a": 1, "b": 2}
        assert await begun("two")
        assert await begun("one")  # what another reading left half done is not it any more
        await store.add_sets(sets("a"))
        await store.end_plan("")  # one that cannot be told again
        assert await begun("")
        assert await numbers(store) == {}

    asyncio.run(run())


def test_a_session_that_ends_takes_back_its_own_tickets_and_those_of_earlier_ones_stay_as_they_are(
    store: Store, tmp_path: Path
) -> None:
    async def run() -> None:
        await plan(store, "a", "b", "c")
        await store.commit([ClientCame("1", "lab01", "", 1, True), *done(1, 1), TicketIssued(2, 2, "1", "lab01")])
        await store.close_session()
        assert await store.live() == []
        await store.commit([ClientCame("2", "lab02", "", 1, True), TicketIssued(3, 2, "2", "lab02")])
        await store.commit([TicketIssued(4, 3, "2", "lab02"), TicketEnded(4, TicketState.LOST)])
        assert [(t.id, t.state) for t, _ in await store.live()] == [(3, TicketState.ISSUED), (4, TicketState.LOST)]
        await store.close_session()
        assert await store.live() == []
        assert looked_at(store.path, "SELECT id, state FROM tickets ORDER BY id") == [
            (1, "accepted"), (2, "lost"), (3, "lost"), (4, "lost"),
        ]  # fmt: skip
        states = [row[0] for row in looked_at(store.path, "SELECT state FROM tasks ORDER BY number")]
        assert states == ["done", "waiting", "waiting"]

    asyncio.run(run())

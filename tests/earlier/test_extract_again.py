"""Results are extracted again from what is stored: every kind of change of `results`, there and back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from spe.dispatch.changes import TaskMoved, TicketEnded, TicketIssued
from spe.earlier import extract_again as reextract
from spe.earlier.extract_again import Extracted, extract_again, use_results
from spe.errors import HookError
from spe.hooks.hooks import Hooks
from spe.model import Kind, Output, ResultSpec, TaskState, TicketState, Usage
from spe.results import kept_files as keep
from spe.results.extract import Part
from spe.results.extraction import canonical, kept_file, parsed
from spe.results.judge import Judgement, judge
from spe.results.kept_files import keep_files
from spe.store import stored
from spe.store.reader import Reader
from spe.store.store import NewSet, Store

SAMPLES = Path(__file__).resolve().parents[1] / "store" / "samples"
PRINTED = b"slope = 2.5\n"
NUMBERS = b'{"a": [1, 20], "b": "x"}\n'
LONG = b"line\n" * 20_000  # 100 kB: it lies in a file
LARGE_A, LARGE_B = b"A" * 70_000, b"B" * 70_000  # texts that lie in files, which are named after their results

Y = ResultSpec("y", "n.json", Kind.INT, path="a.1")
TRACE = ResultSpec("trace", "t.dat", Kind.FILE)
OUT = ResultSpec("out")


class Bench:
    """A sweep's folder whose sets have run once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, Store(folder / "sweep.db")
        self.ticket = 0

    async def plan(self, count: int = 1) -> None:
        await self.store.begin_plan(["x"], [])
        await self.store.add_sets([NewSet(bytes([n]) * 16, n, {"x": str(n)}) for n in range(count)])

    async def accept(
        self, specs: tuple[ResultSpec, ...], wrote: dict[str, bytes], number: int = 1, state: TaskState = TaskState.DONE
    ) -> None:
        """An attempt of today ends well: what it wrote to stdout and into files."""
        await use_results(self.store, specs)
        self.ticket += 1
        parts = {spec.name: Part.of(spec.name, wrote[spec.source]) for spec in specs}
        judgement = judge(specs, (), parts, 0, f"files/{number}")
        assert judgement.reason is None
        keep_files(self.folder, [(judgement.outputs, parts)])
        stdout = b"" if any(spec.source == "stdout" for spec in specs) else wrote["stdout"][-65536:]
        await self.store.commit([TicketIssued(self.ticket, number, "1", "lab01")])
        good = TicketState.ACCEPTED if state is TaskState.DONE else TicketState.REJECTED
        ended = TicketEnded(self.ticket, good, Usage(1.0), None, stdout, b"")
        moved = TaskMoved(number, state, 1, 0, "", self.ticket, {}, judgement.outputs)
        await self.store.commit([ended, moved])

    async def change(self, *specs: ResultSpec) -> Extracted:
        hooks = Hooks(self.folder, specs)
        try:
            return await extract_again(self.store, specs, hooks, self.folder)
        finally:
            await hooks.close()

    def query(self, sql: str, *given: Any) -> list[Any]:
        connection = sqlite3.connect(self.folder / "sweep.db")
        try:
            return connection.execute(sql, given).fetchall()
        finally:
            connection.close()

    def cells(self, number: int = 1) -> dict[str, str]:
        return dict(self.query("SELECT name, value FROM outputs WHERE task = ?", number))

    def state(self, number: int = 1) -> str:
        return str(self.query("SELECT state FROM tasks WHERE number = ?", number)[0][0])

    def gaps(self) -> list[int]:
        with Reader(self.folder) as reader:
            count, numbers = reader.missing(100)
        assert count == len(numbers)
        return numbers

    def files(self) -> dict[str, bytes]:
        root = self.folder / "files"
        return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    def bytes_of(self, name: str, number: int = 1) -> bytes:
        """What the program wrote, of which this result is made."""
        query = "SELECT value, raw, file FROM outputs WHERE task = ? AND name = ?"
        ((value, raw, file),) = self.query(query, number, name)
        return (self.folder / file).read_bytes() if file else value.encode() + b"\n" if raw is None else raw


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


WROTE = {"stdout": PRINTED, "n.json": NUMBERS, "t.dat": b"1 2 3\n"}


def test_results_are_the_same_text_in_any_order_and_come_back_from_it() -> None:
    specs = (Y, TRACE, ResultSpec("r", kind=Kind.FLOAT, regex="ü(.)", minimum=0.5, maximum=2))
    assert canonical(specs) == canonical(specs[::-1])
    assert {one.name: one for one in parsed(canonical(specs))} == {one.name: one for one in specs}
    assert canonical(specs) != canonical((*specs[:2], ResultSpec("r", kind=Kind.FLOAT, regex="ü(.)", minimum=0.5)))


def test_the_name_of_a_kept_file_is_one_file_below_its_folder() -> None:
    assert kept_file(7, "out/../t.dat") == "files/7/.kept/out%2F..%2Ft.dat"
    assert len(Path(kept_file(7, "ü" * 100)).name) <= 200
    assert kept_file(7, "ü" * 100) != kept_file(7, "ü" * 101)


STEPS: dict[str, tuple[ResultSpec, str, bytes]] = {
    "another path": (ResultSpec("y", "n.json", path="b"), "x", NUMBERS),
    "another name": (ResultSpec("z", "n.json", Kind.INT, path="a.0"), "1", NUMBERS),
    "text in place of a number": (ResultSpec("y", "n.json"), NUMBERS.decode()[:-1], NUMBERS),
    "json": (ResultSpec("y", "n.json", Kind.JSON, path="a"), "[1,20]", NUMBERS),
    "a regex": (ResultSpec("y", "n.json", Kind.INT, regex=r"(\d+), 20"), "1", NUMBERS),
    "a file in place of a text": (ResultSpec("y", "n.json", Kind.FILE), "files/1/n.json", NUMBERS),
    "a text in place of a file": (ResultSpec("trace", "t.dat"), "1 2 3", b"1 2 3\n"),
    "a file of another name": (ResultSpec("curve", "t.dat", Kind.FILE), "files/1/t.dat", b"1 2 3\n"),
    "what was printed and is no result": (ResultSpec("slope", kind=Kind.FLOAT, regex="= (.*)"), "2.5", PRINTED),
    "what was printed, as a file": (ResultSpec("log", kind=Kind.FILE), "files/1/log.txt", PRINTED),
}


@pytest.mark.parametrize("what", STEPS)
def test_a_result_is_made_of_what_is_stored_and_the_way_back_finds_all(bench: Bench, what: str) -> None:
    new, cell, wrote = STEPS[what]

    async def run() -> None:
        await bench.plan()
        await bench.accept((Y, TRACE), WROTE)
        before = bench.cells(), bench.files(), bench.query("SELECT task, source FROM kept")
        assert await bench.change(new) == Extracted(1)
        assert bench.cells() == {new.name: cell}
        assert bench.bytes_of(new.name) == wrote
        assert (bench.state(), bench.gaps()) == ("done", [])
        assert await bench.change(Y, TRACE) == Extracted(1)
        assert (bench.cells(), bench.files(), bench.query("SELECT task, source FROM kept")) == before

    asyncio.run(run())


def test_nothing_is_looked_at_where_nothing_has_changed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        await bench.plan()
        await bench.accept((Y,), WROTE)
        await bench.change(Y)
        monkeypatch.setattr(reextract._Extraction, "go_through", lambda self: pytest.fail("it looks"))
        assert await bench.change(Y) == Extracted()

    asyncio.run(run())


def test_files_that_exchange_their_names_keep_their_bytes(bench: Bench) -> None:
    specs = ResultSpec("a", "a.dat"), ResultSpec("b", "b.dat")
    other = ResultSpec("a", "b.dat"), ResultSpec("b", "a.dat")

    async def run() -> None:
        await bench.plan()
        await bench.accept(specs, {"stdout": b"", "a.dat": LARGE_A, "b.dat": LARGE_B})
        await bench.change(*other)
        assert bench.files() == {"1/a.dat": LARGE_B, "1/b.dat": LARGE_A}
        await bench.change(*specs)
        assert bench.files() == {"1/a.dat": LARGE_A, "1/b.dat": LARGE_B}
        assert bench.query("SELECT * FROM kept") == []

    asyncio.run(run())


def test_large_texts_move_without_being_copied(bench: Bench) -> None:
    async def run() -> None:
        await bench.plan()
        await bench.accept((OUT,), {"stdout": LONG})
        before = (bench.folder / "files/1/out.txt").stat()
        await bench.change(ResultSpec("all", kind=Kind.FILE), ResultSpec("twice"))
        assert bench.files() == {"1/all.txt": LONG, "1/twice.txt": LONG}
        await bench.change(ResultSpec("n", "other", Kind.INT))
        assert bench.files() == {"1/.kept/stdout": LONG}
        await bench.change(OUT)
        assert bench.files() == {"1/out.txt": LONG}
        assert (bench.folder / "files/1/out.txt").stat().st_ino == before.st_ino

    asyncio.run(run())


def test_without_hard_links_files_are_copied(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    async def run() -> None:
        await bench.plan()
        await bench.accept((TRACE,), WROTE)
        monkeypatch.setattr(keep.os, "link", refuse)
        await bench.change(ResultSpec("curve", "t.dat", Kind.FILE))
        assert bench.files() == {"1/t.dat": b"1 2 3\n"}

    asyncio.run(run())


def test_what_is_refused_now_has_failed_and_is_done_again_when_it_is_taken(bench: Bench) -> None:
    narrow = ResultSpec("y", "n.json", Kind.INT, path="a.1", maximum=10)

    async def run() -> None:
        await bench.plan(2)
        await bench.accept((Y, TRACE), WROTE, 1)
        await bench.accept((Y, TRACE), WROTE | {"n.json": b'{"a": [1, 2]}'}, 2)
        assert await bench.change(narrow, TRACE) == Extracted(2, refused=1)
        assert (bench.state(1), bench.state(2)) == ("failed", "done")
        ((reason,),) = bench.query("SELECT reason FROM tasks WHERE number = 1")
        assert reason == "y: '20' is above the maximum 10"
        with Reader(bench.folder) as reader:
            assert [row.number for row in reader.rows()] == [2]
            assert list(reader.suspended()) == []
        assert await bench.change(ResultSpec("y", "n.json", Kind.FLOAT, path="b")) == Extracted(2, refused=1)
        assert await bench.change(Y, TRACE) == Extracted(2, taken=2)
        assert bench.cells(1) == {"y": "20", "trace": "files/1/t.dat"}
        assert bench.query("SELECT state, reason, attempts FROM tasks WHERE number = 1") == [("done", None, 1)]
        assert bench.files() == {"1/t.dat": b"1 2 3\n", "2/t.dat": b"1 2 3\n"}

    asyncio.run(run())


def test_a_result_that_a_hook_could_not_judge_is_extracted_again_and_still_waits_for_the_hook(bench: Bench) -> None:
    async def run() -> None:
        await bench.plan()
        await bench.accept((Y,), WROTE, state=TaskState.FAILED)
        await bench.change(ResultSpec("y", "n.json", Kind.INT, path="a.0"))
        assert (bench.state(), bench.cells()) == ("failed", {"y": "1"})
        with Reader(bench.folder) as reader:
            assert list(reader.suspended()) == [1]
        await bench.change(ResultSpec("y", "n.json", Kind.INT, path="b"))  # a refused one is not for hooks
        with Reader(bench.folder) as reader:
            assert list(reader.suspended()) == []
        await bench.change(Y)
        assert (bench.state(), bench.cells()) == ("failed", {"y": "20"})
        with Reader(bench.folder) as reader:
            assert list(reader.suspended()) == [1]

    asyncio.run(run())


def test_what_was_not_stored_leaves_an_empty_cell_that_is_named_until_it_is_filled(bench: Bench) -> None:
    more = ResultSpec("m", "more.txt")

    async def run() -> None:
        await bench.plan()
        await bench.accept((Y,), WROTE)
        await bench.change(Y, more)
        assert (bench.cells(), bench.gaps(), bench.state()) == ({"y": "20"}, [1], "done")
        await bench.change(Y)
        assert bench.gaps() == []
        await bench.change(more, TRACE)  # and nothing of what was stored is lost
        assert (bench.cells(), bench.gaps()) == ({}, [1])
        assert await bench.store.call(lambda c: stored.run_again(c, bench.store.plan)) == 1
        assert (bench.state(), bench.gaps()) == ("waiting", [1])
        with Reader(bench.folder) as reader:
            assert [row.number for row in reader.rows()] == [1]
        await bench.accept((more, TRACE), WROTE | {"more.txt": b"m\n"})
        assert (bench.cells(), bench.gaps()) == ({"m": "m", "trace": "files/1/t.dat"}, [])
        assert bench.query("SELECT * FROM kept") == []

    asyncio.run(run())


def test_an_attempt_that_replaces_another_leaves_none_of_its_results(bench: Bench) -> None:
    async def run() -> None:
        await bench.plan()
        await bench.accept((Y, TRACE), WROTE)
        await bench.accept((OUT,), {"stdout": b"new\n"})
        assert bench.cells() == {"out": "new"}
        await bench.change(Y)
        assert (bench.cells(), bench.gaps()) == ({}, [1])

    asyncio.run(run())


@pytest.mark.parametrize(("size", "whole"), [(0, True), (65_535, True), (65_536, False), (70_000, False)])
def test_an_output_that_may_have_been_cut_counts_as_not_stored(bench: Bench, size: int, whole: bool) -> None:
    async def run() -> None:
        await bench.plan()
        await bench.accept((Y,), WROTE | {"stdout": b"x" * size})
        await bench.change(OUT)
        assert bench.cells() == ({"out": "x" * size} if whole else {})
        assert bench.gaps() == ([] if whole else [1])

    asyncio.run(run())


def test_a_file_that_somebody_removed_counts_as_not_stored(bench: Bench) -> None:
    async def run() -> None:
        await bench.plan()
        await bench.accept((TRACE,), WROTE)
        (bench.folder / "files/1/t.dat").unlink()
        await bench.change(ResultSpec("curve", "t.dat"))
        assert (bench.cells(), bench.gaps()) == ({}, [1])

    asyncio.run(run())


def test_a_set_that_waits_has_its_row_extracted_again_and_its_files_stay_where_they_lie(bench: Bench) -> None:
    """It may be out on a host, whose result has the names of its files."""

    async def run() -> None:
        await bench.plan()
        await bench.accept((Y, TRACE), WROTE)
        await bench.store.call(lambda c: c.execute("UPDATE tasks SET state = 'waiting'") and None)
        before = bench.files()
        await bench.change(ResultSpec("a", "n.json", path="a.0"), ResultSpec("curve", "t.dat", Kind.FILE))
        assert (bench.cells(), bench.files(), bench.gaps()) == ({"a": "1", "curve": "files/1/t.dat"}, before, [])
        await bench.change(ResultSpec("a", "n.json", Kind.INT, path="b"))  # what is refused is no row
        with Reader(bench.folder) as reader:
            assert list(reader.rows()) == []
        assert bench.state() == "waiting"

    asyncio.run(run())


def test_a_result_that_comes_meanwhile_stands_above_what_was_extracted(bench: Bench) -> None:
    other = ResultSpec("y", "n.json", path="b")

    async def run() -> None:
        await bench.plan()
        await bench.accept((Y,), WROTE)
        spec = await use_results(bench.store, (other,))
        work = reextract._Extraction(bench.store, (other,), spec, Hooks(bench.folder, (other,)), bench.folder)
        looks = work._read(0)
        await bench.accept((other,), WROTE | {"n.json": b'{"b": "newer"}'})
        await work._do(looks)
        assert (work.sets, bench.cells()) == (0, {"y": "newer"})

    asyncio.run(run())


def test_a_regex_that_hangs_fails_its_set_for_now_and_loses_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spe.hooks.hooks.REGEX_LIMIT", 3.0)
    hangs = ResultSpec("out", regex=r"(x+x+)+y")

    async def run() -> None:
        await bench.plan(2)
        await bench.accept((OUT,), {"stdout": b"x" * 60}, 1)
        await bench.accept((OUT,), {"stdout": b"xxy"}, 2)
        await bench.change(hangs)
        assert (bench.state(1), bench.cells(2)) == ("failed", {"out": "xx"})
        await bench.change(OUT)
        assert (bench.state(1), bench.cells(1)) == ("done", {"out": "x" * 60})

    asyncio.run(run())


def test_a_regex_that_hangs_everywhere_ends_the_extraction(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spe.hooks.hooks.REGEX_LIMIT", 1.0)

    async def run() -> None:
        await bench.plan(5)
        for number in range(1, 6):
            await bench.accept((OUT,), {"stdout": b"x" * 60}, number)
        with pytest.raises(HookError, match="results cannot be extracted again"):
            await bench.change(ResultSpec("out", regex=r"(x+x+)+y"))
        await bench.change(ResultSpec("all"))
        assert [bench.cells(number) for number in range(1, 6)] == [{"all": "x" * 60}] * 5

    asyncio.run(run())


def test_a_set_that_could_not_be_judged_is_looked_at_again_by_the_next_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ResultSpec("out", regex="(.)z")

    async def broken(*_: object) -> Judgement:
        return Judgement((), "the hook process could not be started", fault=True)

    async def run() -> None:
        await bench.plan()
        await bench.accept((OUT,), {"stdout": b"xyz\n"})
        with monkeypatch.context() as patched:
            patched.setattr(Hooks, "judge_again", broken)
            assert await bench.change(found) == Extracted(1, refused=1)
        assert await bench.change(found) == Extracted(1, taken=1)
        assert bench.cells() == {"out": "y"}

    asyncio.run(run())


@pytest.mark.parametrize("moment", ["files", "commit", "clear"])
def test_what_broke_off_is_done_by_the_next_one(bench: Bench, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Also where names are exchanged, and `results` goes back before it was finished."""
    specs = ResultSpec("a", "a.dat"), ResultSpec("b", "b.dat")
    other = ResultSpec("a", "b.dat"), ResultSpec("b", "a.dat")

    class Died(Exception):
        pass

    def break_off_at(call: int) -> None:
        calls = iter(range(100))

        def then(real: Any) -> Any:
            def work(*given: Any) -> Any:
                if moment == "files" and next(calls) == call:
                    real(given[0], given[1][:0])
                    raise Died
                found = real(*given)
                if moment != "files" and next(calls) == call:
                    raise Died
                return found

            return work

        name = {"files": "_place", "commit": "_place", "clear": "_clear"}[moment]
        monkeypatch.setattr(reextract._Extraction, name, then(getattr(reextract._Extraction, name)))

    async def run() -> None:
        await bench.plan()
        await bench.accept(specs, {"stdout": b"", "a.dat": LARGE_A, "b.dat": LARGE_B})
        for call in (0, 1):
            for target in (other, specs):
                with monkeypatch.context() as patched:
                    break_off_at(call)
                    with pytest.raises(Died):
                        await bench.change(*other)
                    patched.undo()
                monkeypatch.undo()
                await bench.change(*target)
                first, second = (LARGE_B, LARGE_A) if target is other else (LARGE_A, LARGE_B)
                found = {name: one for name, one in bench.files().items() if ".kept" not in name}
                assert found == {"1/a.dat": first, "1/b.dat": second}, (call, target)
                await bench.change(*specs)

    asyncio.run(run())


def test_a_set_of_before_counts_as_made_by_the_results_of_today(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "schema-5.db", tmp_path / "sweep.db")
    (tmp_path / "files/1").mkdir(parents=True)
    (tmp_path / "files/1/trace.csv").write_bytes(b"1,2,3\n4,5")
    y, trace = ResultSpec("y", "y.txt", Kind.FLOAT), ResultSpec("trace", "trace.csv", Kind.FILE)
    bench = Bench(tmp_path)

    async def run() -> None:
        before = bench.cells()
        assert await bench.change(y, trace) == Extracted()
        assert (bench.cells(), bench.gaps(), bench.state()) == (before, [], "done")
        assert await bench.change(y, trace, OUT) == Extracted(1)  # what it printed was not stored then
        assert (bench.cells(), bench.gaps()) == (before, [1])
        await bench.change(trace)
        await bench.change(y, ResultSpec("t", "trace.csv"))
        assert bench.cells() == {"y": "0.5", "t": "1,2,3\n4,5"}

    try:
        asyncio.run(run())
    finally:
        bench.store.close()


def test_an_output_of_before_whose_result_was_dropped_comes_back_under_its_name(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "schema-5.db", tmp_path / "sweep.db")
    bench = Bench(tmp_path)

    async def run() -> None:
        y = ResultSpec("y", "y.txt", Kind.FLOAT)
        await bench.change(ResultSpec("z", "z.txt"))
        assert bench.gaps() == [1]
        assert await bench.change(y) == Extracted(1)
        assert (bench.query("SELECT value FROM outputs WHERE name = 'y'"), bench.gaps()) == ([("0.5",)], [])

    try:
        asyncio.run(run())
    finally:
        bench.store.close()


def test_tickets_of_another_results_are_known_when_their_parts_would_be_another_thing(bench: Bench) -> None:
    async def run() -> None:
        await bench.plan()
        await bench.accept((Y,), WROTE)
        wider = (ResultSpec("y", "n.json"),)
        await use_results(bench.store, wider)  # the same file under the same name: only read in another way
        assert await reextract.outdated(bench.store, wider) == []
        other = (ResultSpec("y", "t.dat"),)
        await use_results(bench.store, other)
        assert await reextract.outdated(bench.store, other) == [range(1, 2), range(2, 2)]

    asyncio.run(run())


def test_a_large_sweep_is_gone_through_in_chunks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reextract, "CHUNK", 10)
    sizes = []
    real = stored.apply
    monkeypatch.setattr(stored, "apply", lambda connection, all_: sizes.append(len(all_)) or real(connection, all_))

    async def run() -> None:
        await bench.plan(35)
        await use_results(bench.store, (OUT,))
        for n in range(1, 36):
            await bench.store.commit([
                TicketIssued(n, n, "1", "h"), TicketEnded(n, TicketState.ACCEPTED),
                TaskMoved(n, TaskState.DONE, 1, 0, "", n, {}, (Output("out", str(n)),)),
            ])  # fmt: skip
        assert await bench.change(ResultSpec("z", kind=Kind.INT)) == Extracted(35)

    asyncio.run(run())
    assert sizes == [10, 10, 10, 5]
    assert [bench.cells(n) for n in (1, 35)] == [{"z": "1"}, {"z": "35"}]

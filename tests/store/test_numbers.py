"""Numbers in the database: typed when stored, in the view for other tools, in the page's tables; old rows too."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spe.cli import show
from spe.dispatch.changes import ClientCame, TaskMoved, TicketEnded, TicketIssued
from spe.earlier.by_hand import ByHand
from spe.model import Kind, ResultSpec, TaskState, TicketState, Usage
from spe.results.extract import Part
from spe.results.judge import judge
from spe.results.reading.numerals import comparable
from spe.results.table_files import result_cells
from spe.store import reader as reader_module
from spe.store import schema, writes
from spe.store.conditions import parse
from spe.store.listing import Listing, TaskFilter
from spe.store.reader import Reader
from spe.store.store import NewSet, Store

SAMPLES = Path(__file__).parent / "samples"


def fill(
    folder: Path,
    parameters: Mapping[str, Sequence[str]],
    specs: Sequence[ResultSpec] = (),
    printed: Sequence[bytes] = (),
    numeric: Sequence[str] = (),
) -> Path:
    """A database of sets with these cells, each done; what each printed is judged by the specifications."""
    path = folder / "sweep.db"
    count = len(next(iter(parameters.values())))
    store = Store(path)

    async def run() -> None:
        await store.begin_plan(list(parameters), {spec.name: spec.kind for spec in specs}, "", numeric)
        await store.commit([ClientCame("1", "h", "", 1, True)])
        for at in range(count):
            values = {name: cells[at] for name, cells in parameters.items()}
            await store.add_sets([NewSet(at.to_bytes(16, "big"), at, values)])
            parts = {spec.name: Part.of(spec.name, printed[at]) for spec in specs}
            judgement = judge(specs, [], parts, 0, "files/1")
            assert judgement.reason is None
            number = at + 1
            moved = TaskMoved(number, TaskState.DONE, 1, 0, "", number, {}, judgement.outputs)
            ended = TicketEnded(number, TicketState.ACCEPTED, Usage(1.5))
            await store.commit([TicketIssued(number, number, "1", "h"), ended, moved])

    try:
        asyncio.run(run())
    finally:
        store.close()
    return path


def ask(path: Path, sql: str, *given: Any) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql, given).fetchall()
    finally:
        connection.close()


def order(folder: Path, wanted: TaskFilter) -> list[int]:
    with Reader(folder) as reader:
        listing = Listing(reader)
        return [row.number for row in listing.find(wanted).rows]


def chosen(folder: Path, text: str) -> list[int]:
    with Reader(folder) as reader:
        listing = Listing(reader)
        return [row.number for row in listing.find(TaskFilter(conditions=parse(text, listing.names()))).rows]


# -- results

FLOATS = [b"10\n", b"9\n", b"1.0D+05\n", b"nan\n", b"-inf\n", b"1e999\n", b"1.234-105\n"]


def test_a_float_is_stored_as_the_number_that_it_is(tmp_path: Path) -> None:
    path = fill(tmp_path, {"x": list("abcdefg")}, [ResultSpec("y", kind=Kind.FLOAT)], FLOATS)
    assert ask(path, "SELECT y FROM results") == [
        (10.0,), (9.0,), (1e5,), (None,), (-math.inf,), (math.inf,), (1.234e-105,)
    ]  # fmt: skip
    assert ask(path, "SELECT number FROM results WHERE y = 9e999 OR y = -9e999") == [(5,), (6,)]
    assert ask(path, "SELECT DISTINCT typeof(y) FROM results WHERE y IS NOT NULL") == [("real",)]
    with Reader(tmp_path) as reader:
        cells = [result_cells(row, reader.parameters, reader.results)[2] for row in reader.rows()]
    assert cells == ["10", "9", "1.0E+05", "nan", "-inf", "1e999", "1.234E-105"], "the table has texts"
    assert order(tmp_path, TaskFilter(sort="y")) == [4, 5, 7, 2, 1, 3, 6]
    assert chosen(tmp_path, "y > 9") == [1, 3, 6]
    assert chosen(tmp_path, "y = 100000") == chosen(tmp_path, "y = 1e5") == [3]
    assert chosen(tmp_path, "y != 9") == [1, 3, 4, 5, 6, 7]
    assert chosen(tmp_path, "y = nan") == [4] and chosen(tmp_path, "y <= inf") == [1, 2, 3, 5, 6, 7]


def test_an_int_beyond_64_bits_stays_a_text_and_has_its_place_on_the_page(tmp_path: Path) -> None:
    ints = [b"9223372036854775808\n", b"9223372036854775807\n", b"-9223372036854775809\n", b"+007\n", b"1D3\n"]
    path = fill(tmp_path, {"x": list("abcde")}, [ResultSpec("y", kind=Kind.INT)], ints)
    assert ask(path, "SELECT y FROM results") == [
        ("9223372036854775808",), (2**63 - 1,), ("-9223372036854775809",), (7,), (1000,)
    ]  # fmt: skip
    assert order(tmp_path, TaskFilter(sort="y", downwards=True)) == [1, 2, 5, 4, 3]
    assert chosen(tmp_path, "y < 0") == [3] and chosen(tmp_path, "y >= 1000") == [1, 2, 5]


def test_a_result_that_is_a_text_stays_one_in_the_view(tmp_path: Path) -> None:
    specs = [ResultSpec("t"), ResultSpec("j", kind=Kind.JSON)]
    path = fill(tmp_path, {"x": ["a"]}, specs, [b"7\n"])
    assert ask(path, "SELECT typeof(t), typeof(j) FROM results") == [("text", "text")]
    assert ask(path, "SELECT DISTINCT number FROM outputs") == [(None,)]


def test_spe_show_says_what_the_program_wrote(tmp_path: Path) -> None:
    specs = [ResultSpec("y", kind=Kind.FLOAT), ResultSpec("n", kind=Kind.INT), ResultSpec("t")]
    fill(tmp_path, {"x": ["a", "b"]}, specs, [b" 1.0D+05\n", b"7\n"])
    with Reader(tmp_path) as reader:
        first, second = reader.task(1), reader.task(2)
    assert show.record(first)["results"] == {"y": "1.0E+05", "n": "100000", "t": " 1.0D+05"}
    assert show.record(first)["as_written"] == {"y": "1.0D+05", "n": "1.0D+05"}
    assert "1.0E+05 (as written: 1.0D+05)" in show.text(first, "done", ByHand(), "")
    assert show.record(second)["as_written"] == {} and "as written" not in show.text(second, "done", ByHand(), "")


# -- parameters


def test_numeric_parameters_are_numbers_in_the_view_and_others_texts(tmp_path: Path) -> None:
    cells = {"x": ["10", "9", "-.5e1", " 7"], "s": ["10", "9", "abc", "1.0D+05"]}
    path = fill(tmp_path, cells, numeric=["x"])
    assert ask(path, "SELECT x, typeof(x), s FROM results ORDER BY x") == [
        (-5.0, "real", "abc"), (7, "integer", "1.0D+05"), (9, "integer", "9"), (10, "integer", "10")
    ]  # fmt: skip
    assert ask(path, "SELECT number FROM results WHERE x > 9") == [(1,)]
    assert order(tmp_path, TaskFilter(sort="x")) == [3, 4, 2, 1]
    assert order(tmp_path, TaskFilter(sort="s")) == [3, 2, 1, 4], "a text beside numbers is not 0, 1.0D+05 is not 1"
    assert chosen(tmp_path, "s < 10") == [2] and chosen(tmp_path, "s = 100000") == [4]
    assert chosen(tmp_path, "s >= 0") == [1, 2, 4] and chosen(tmp_path, "s != 9") == [1, 3, 4]


def test_a_text_that_slipped_into_a_numeric_parameter_is_not_0(tmp_path: Path) -> None:
    path = fill(tmp_path, {'x"': ["1", "abc"], "x": ["2", "d"]}, numeric=['x"', "x"])
    assert ask(path, 'SELECT "x""", x FROM results') == [(1, 2), ("abc", "d")]


NUMBERS = st.integers(-(10**6), 10**6).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr)


@settings(max_examples=25, deadline=None)
@given(st.lists(NUMBERS | st.sampled_from(["abc", "", "1.5d+1", "0x1", "nan"]), min_size=1, max_size=12), NUMBERS)
def test_tables_are_sorted_and_filtered_as_numbers_are(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], than: str
) -> None:
    folder = tmp_path_factory.mktemp("sweep")
    texts = fill(folder, {"x": cells}).parent
    read = {number: comparable(cell) for number, cell in enumerate(cells, start=1)}
    wanted = [n for n in read if read[n] is None]
    found = order(texts, TaskFilter(sort="x"))
    assert sorted(found[: len(wanted)]) == wanted
    values = [read[n] for n in found[len(wanted) :]]
    assert values == sorted(values)  # type: ignore[type-var]
    assert chosen(texts, f"x < {than}") == [n for n, value in read.items() if value is not None and value < float(than)]


# -- databases of before


@pytest.mark.parametrize("version", range(1, 6))
def test_outputs_of_an_older_database_get_their_numbers_once(tmp_path: Path, version: int) -> None:
    path = tmp_path / "sweep.db"
    shutil.copy(SAMPLES / f"schema-{version}.db", path)
    with Reader(tmp_path) as reader:
        found = Listing(reader).find(TaskFilter(conditions=parse("y < 0.6", ["y"])))
        assert found.rows[0].number == 1, "before it is migrated"

    def begin(kinds: dict[str, Kind]) -> None:
        store = Store(path)
        try:
            asyncio.run(store.begin_plan(["x", "a b"], kinds))
        finally:
            store.close()

    begin({"y": Kind.TEXT, "trace": Kind.FILE})
    assert ask(path, "SELECT DISTINCT number FROM outputs") == [(None,)]
    begin({"y": Kind.FLOAT, "trace": Kind.FILE})
    assert ask(path, "SELECT name, number FROM outputs ORDER BY name") == [("trace", None), ("y", 0.5)]
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE outputs SET number = NULL")
    connection.close()
    begin({"y": Kind.FLOAT, "trace": Kind.FILE})
    assert ask(path, "SELECT DISTINCT number FROM outputs") == [(None,)], "a million rows are looked at once only"


@given(st.integers(1, 7), st.integers(1, 20), st.randoms())
@settings(max_examples=20, deadline=None)
def test_old_numbers_are_filled_in_batches_and_none_is_left_out(most: int, count: int, chance: random.Random) -> None:
    texts = [chance.choice(["1", "2.5", "1.0D+05", "nan", "abc", ""]) for _ in range(count)]
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        schema.upgrade(connection, 0)
        for task, value in enumerate(texts, start=1):
            for name in ("y", "z"):
                connection.execute(
                    "INSERT INTO outputs (task, name, value, size) VALUES (?, ?, ?, 1)", (task * 3, name, value)
                )
        after: int | None = 0
        rounds = 0
        while after is not None:
            after = writes.fill_numbers(connection, "y", Kind.FLOAT, after, most)
            rounds += 1
        found = [row[0] for row in connection.execute("SELECT number FROM outputs WHERE name = 'y'")]
        others = connection.execute("SELECT DISTINCT number FROM outputs WHERE name = 'z'").fetchall()
    assert found == [{"1": 1.0, "2.5": 2.5, "1.0D+05": 1e5}.get(text) for text in texts]
    assert others == [(None,)] and rounds == -(-count // most) + 1


# -- cells of a megabyte


def test_a_table_with_large_cells_is_read_few_rows_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, {"x": [str(n) for n in range(60)]}, [ResultSpec("y")], [b"%d" % n + b"y" * 99 for n in range(60)])
    asked: list[int] = []

    class Watched(Reader):
        def outputs(self, numbers: list[int]) -> Any:
            asked.append(len(numbers))
            return super().outputs(numbers)

    for most, widths in ((10_000_000, [16, 44]), (1000, [16, *[9] * 4, 8])):
        monkeypatch.setattr(reader_module, "TOGETHER", most)
        asked.clear()
        with Watched(tmp_path) as reader:
            rows = list(reader.rows())
        assert [row.number for row in rows] == list(range(1, 61))
        assert all(row.outputs["y"].value.startswith(row.values["x"]) for row in rows)
        assert asked == widths

"""`spe.open`: a run as a Python program reads it, typed, selected, and in the forms of other libraries."""

from __future__ import annotations

import csv
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pandas
import polars
import pyarrow
import pyarrow.parquet
import pytest
import spe
from cli.kit import Bench
from spe.errors import StoreError, UsageError
from spe.table.current_file import current_csv
from waiting import wait_until

TYPES = {
    "number": "int64", "x": "int64", "mesh": "double", "tag": "string", "energy": "double", "steps": "int64",
    "said": "string", "file": "string", "host": "string", "seconds": "double", "attempts": "int64",
}  # fmt: skip
Value = int | float | str | None


def rows(bench: Bench) -> list[dict[str, Value]]:
    """What the table says, read by other means."""
    with (bench.runs("t") / "results.csv").open(newline="", encoding="utf-8") as stream:
        found = list(csv.DictReader(stream))
    read = {"int64": int, "double": float, "string": str}
    return [{name: read[TYPES[name]](cell) for name, cell in row.items()} for row in found]


def make_stale(bench: Bench) -> None:
    """As while a run goes on: results.csv is not what the database would make."""
    with (bench.runs("t") / "results.csv").open("ab") as file:
        file.write(b"no row of today\n")


@pytest.fixture(params=["results.csv", "the database"])
def run(ran: Bench, request: pytest.FixtureRequest) -> Any:
    found = spe.open("t")
    ran.expected = rows(ran)  # type: ignore[attr-defined]
    if request.param == "the database":
        make_stale(ran)
    return found


def test_rows_are_typed_by_as_and_parameters_are_numbers_where_all_are(ran: Bench, run: Any) -> None:
    found = list(run.results())
    assert found == ran.expected and len(found) == 15  # type: ignore[attr-defined]
    assert [type(value) for value in found[0].values()] == [int, int, float, str, float, int, str, str, str, float, int]
    assert len(run.results()) == 15


def test_arrow_pandas_polars_parquet_and_csv_have_the_same_rows(ran: Bench, run: Any, tmp_path: Path) -> None:
    expected = ran.expected  # type: ignore[attr-defined]
    table = run.results().arrow()
    assert {field.name: str(field.type) for field in table.schema} == TYPES
    assert table.to_pylist() == expected
    assert run.results().pandas().to_dict("records") == expected
    assert run.results().polars().to_dicts() == expected
    run.results().parquet(tmp_path / "t.parquet")
    read = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    assert read.to_pylist() == expected and read.schema.equals(table.schema)
    run.results().csv(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["tag"] == "a,b"
    assert isinstance(run.results().pandas(), pandas.DataFrame)
    assert isinstance(run.results().polars(), polars.DataFrame)


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("energy < -2 and mesh == 10", lambda row: row["energy"] < -2 and row["mesh"] == 10),
        ("tag == '7' or steps == 11", lambda row: row["tag"] == "7" or row["steps"] == 11),
        ("x > 99", lambda row: False),
    ],
)
def test_a_condition_columns_and_an_order_select(ran: Bench, run: Any, where: str, holds: Any) -> None:
    wanted = [row for row in ran.expected if holds(row)]  # type: ignore[attr-defined]
    down = sorted(wanted, key=lambda row: row["energy"], reverse=True)
    columns = ["energy", "number"]
    for expected, sort in ((wanted, None), (down, "-energy")):
        results = run.results(where, columns=columns, sort=sort)
        narrow = [{name: row[name] for name in columns} for row in expected]
        assert list(results) == narrow
        assert results.arrow().to_pylist() == narrow
        assert len(results) == len(narrow)


def test_counts_failures_logs_and_files_are_there(ran: Bench) -> None:
    run = spe.open(ran.runs("t"))
    assert run.counts() == {"waiting": 0, "running": 0, "done": 15, "failed": 3, "cancelled": 0}
    failed = run.failed()
    assert [one["parameters"]["x"] for one in failed] == [3, 3, 3]
    assert {tuple(type(v) for v in one["parameters"].values()) for one in failed} == {(int, float, str)}
    assert all("exit code 4" in one["reason"] for one in failed)
    log = run.log(failed[0]["number"])
    assert log.stdout.startswith("e=-3.5\n") and log.stderr == "no room\n" and "exit code 4" in log.reason
    done = next(iter(run.results()))
    (file,) = run.files(done["number"])
    assert file.read_text() == f"content {done['x']}\n"
    assert file.is_absolute() and file.result == "file"
    with pytest.raises(UsageError, match="999"):
        run.log(999)
    with pytest.raises(UsageError, match="999"):
        run.files(999)


def test_a_cell_that_is_empty_is_none_null_and_na(bench: Bench) -> None:
    bench.write("spe.yaml", "name: t\ncommand: sh -c 'echo {{ x }}'\nparameters: {grid: {x: [1, 2]}}\n"
                "hosts: [localhost]\nresults: {n: {from: stdout, as: int}}\n")  # fmt: skip
    bench.ok("run", "-q")
    old = (bench.folder / "spe.yaml").read_text()
    bench.write("spe.yaml", old.replace("as: int}", "as: int}, m: {from: m.dat, as: int}"))
    bench.spe("run", "-q")
    results = spe.open("t").results(columns=["n", "m"])
    assert list(results) == [{"n": 1, "m": None}, {"n": 2, "m": None}]
    assert results.arrow().to_pylist() == list(results)
    frame = results.pandas()
    assert str(frame["m"].dtype) == "Int64" and frame["m"].isna().all() and str(frame["n"].dtype) == "int64"


def test_whole_numbers_beyond_64_bits_stay_what_they_are(bench: Bench) -> None:
    bench.write("spe.yaml", "name: t\ncommand: echo {{ x }}\nhosts: [localhost]\n"
                "parameters: {grid: {x: [1, 123456789012345678901234567890]}}\n"
                "results: {n: {from: stdout, as: int}}\n")  # fmt: skip
    bench.ok("run", "-q")
    results = spe.open("t").results(columns=["n"])
    assert [row["n"] for row in results] == [1, 123456789012345678901234567890]
    assert results.arrow()["n"].to_pylist() == ["1", "123456789012345678901234567890"]


@pytest.mark.parametrize("is_stale", [False, True], ids=["results.csv", "the database"])
def test_whole_numbers_with_more_digits_than_int_takes_are_ints_and_their_text_in_files(
    bench: Bench, is_stale: bool
) -> None:
    texts = ["7", "9" * 5000, "-" + "12345" * 2000, "9" * 400, "0" * 5000 + "8"]
    bench.write("spe.yaml", "name: t\ncommand: cat {{ f }}\nhosts: [localhost]\ninputs: ['{{ f }}']\n"
                "parameters: {zip: {f: [f0, f1, f2, f3, f4]}}\nresults: {n: {from: stdout, as: int}}\n")  # fmt: skip
    for place, text in enumerate(texts):
        bench.write(f"f{place}", text)
    bench.ok("run", "-q")
    if is_stale:
        make_stale(bench)
    results = spe.open("t").results(columns=["n"])
    limit = sys.get_int_max_str_digits()
    by_hand = [7, 10**5000 - 1, -12345 * ((10**10_000 - 1) // 99_999), 10**400 - 1, 8]
    assert [row["n"] for row in results] == by_hand
    assert sys.get_int_max_str_digits() == limit, "it is the limit of the whole program"
    assert results.arrow()["n"].to_pylist() == texts
    assert repr(results).splitlines()[-5:] == ["7", "9" * 39 + "…", "-" + ("12345" * 8)[:38] + "…", "9" * 39 + "…", "8"]
    bench.ok("results", "-o", "t.csv", "--columns", "n")
    assert (bench.folder / "t.csv").read_text().split() == ["n", *texts]
    assert [row["n"] for row in bench.ok("results", "--json").json] == texts
    bench.ok("results", "-o", "t.xlsx", "--columns", "n")
    sheet = openpyxl.load_workbook(bench.folder / "t.xlsx").active
    assert [row[0] for row in sheet.iter_rows(min_row=2, values_only=True)] == [7, *texts[1:4], 8]


@pytest.mark.parametrize("edit", ["a row of the file", "a row of the database", "the file is gone", "the head"])
def test_results_csv_is_read_only_where_it_is_what_the_database_would_make(ran: Bench, edit: str) -> None:
    from spe.store.reader import Reader

    path = ran.runs("t") / "results.csv"
    expected = rows(ran)
    with Reader(ran.runs("t")) as reader:
        assert current_csv(reader) == path
    if edit == "a row of the file":
        path.write_bytes(path.read_bytes().replace(b"told", b"lied", 1))
    elif edit == "the head":
        path.write_bytes(path.read_bytes().replace(b"energy", b"enthal", 1))
    elif edit == "the file is gone":
        path.unlink()
    else:
        with sqlite3.connect(ran.runs("t") / "sweep.db") as connection:
            connection.execute("UPDATE tasks SET state = 'waiting', ticket = NULL WHERE number = 1")
        connection.close()
        expected = [row for row in expected if row["number"] != 1]
    with Reader(ran.runs("t")) as reader:
        assert current_csv(reader) is None
    assert list(spe.open("t").results()) == expected
    assert spe.open("t").results().arrow().to_pylist() == expected


def test_collect_makes_a_file_that_is_read_again(ran: Bench) -> None:
    from spe.store.reader import Reader

    (ran.runs("t") / "results.csv").unlink()
    ran.spe("collect")
    with Reader(ran.runs("t")) as reader:
        assert current_csv(reader)


def test_a_run_that_goes_on_is_read_and_watched(bench: Bench) -> None:
    bench.worker('[ "$1" = 1 ] || until [ -e "$GATE" ]; do sleep 0.05; done; echo "$1"')
    bench.write("spe.yaml", "name: t\ncommand: ./work {{ x }}\nparameters: {grid: {x: [1, 2]}}\n"
                "hosts: [localhost slots=2]\nresults: {y: {from: stdout, as: int}}\n")  # fmt: skip
    started = bench.start("run", "-q")
    wait_until(lambda: bench.query("SELECT 1 FROM tasks WHERE state = 'done'", "t"), "a set is done")
    run = spe.open("t")
    assert [row["y"] for row in run.results()] == [1] == run.results().arrow()["y"].to_pylist()
    assert run.counts()["done"] == 1
    watch = run.watch().start()
    bench.open_gate()
    assert started.end().code == 0
    assert watch.wait(60)
    assert [row["y"] for row in run.results()] == [1, 2]


def forget_columns(bench: Bench) -> None:
    """As when the database is made and the parameters are not read yet."""
    (bench.runs("t") / "results.csv").unlink()
    with sqlite3.connect(bench.runs("t") / "sweep.db") as connection:
        connection.execute("DELETE FROM tasks")
        connection.execute("UPDATE meta SET value = '0' WHERE key = 'plan'")
        connection.execute("UPDATE meta SET value = '[]' WHERE key IN ('parameters', 'numeric', 'results')")
    connection.close()


def test_results_of_a_run_that_has_just_begun_have_its_columns(bench: Bench) -> None:
    names = ["number", "x", "y", "host", "seconds", "attempts"]
    bench.write("spe.yaml", "name: t\ncommand: ./work {{ x }}\nparameters: {grid: {x: [1, 2]}}\n"
                "hosts: [localhost slots=2]\nresults: {y: {from: stdout, as: int}}\n")  # fmt: skip
    bench.worker('until [ -e "$GATE" ]; do sleep 0.05; done; echo "$1"')
    started = bench.start("run", "-q")
    wait_until((bench.runs("t") / "sweep.db").exists, "the database is made")
    run = []

    def opened() -> bool:
        try:
            run[:] = [spe.open("t")]
        except (UsageError, StoreError):  # not a whole database yet
            return False
        return True

    wait_until(opened, "the run can be opened")
    assert run[0].results().arrow().column_names == names
    bench.open_gate()
    assert started.end().code == 0


def test_results_wait_for_the_parameters_and_say_when_these_do_not_come(
    ran: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spe.api import run as module

    forget_columns(ran)
    run = spe.open("t")
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    with pytest.raises(UsageError, match="only just begun"):
        run.results("x > 1")
    assert "only just begun" in ran.refused("results")
    monkeypatch.setattr(module, "PATIENCE", 60.0)
    looks = []
    opened = module.Reader

    def reader(folder: Path) -> Any:
        looks.append(folder)
        if len(looks) == 3:  # the run has read its parameters meanwhile
            with sqlite3.connect(ran.runs("t") / "sweep.db") as connection:
                connection.execute("UPDATE meta SET value = '1' WHERE key = 'plan'")
                connection.execute("UPDATE meta SET value = '[\"x\"]' WHERE key = 'parameters'")
            connection.close()
        return opened(folder)

    monkeypatch.setattr(module, "Reader", reader)
    assert list(run.results().columns) == ["number", "x", "host", "seconds", "attempts"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"where": "enrgy < 1"}, "there is no column 'enrgy'"),
        ({"where": "energy <"}, "is not an expression"),
        ({"columns": ["x", "y"]}, "there is no column 'y'"),
        ({"columns": "x"}, r"Write columns=\['x'\]"),
        ({"sort": "-none"}, "there is no column 'none'"),
        ({"where": 42}, "where is no text\n  Write a condition in quotes"),
        ({"where": lambda row: True}, "where is no text\n  Write a condition in quotes"),
        ({"columns": 42}, "columns is no list of names"),
        ({"columns": [1]}, "columns is no list of names"),
        ({"columns": ["x", 5]}, "columns is no list of names"),
        ({"columns": []}, "columns is no list of names"),
        ({"columns": ["x", "energy", "x"]}, "columns: x is named twice\n  Name each column once"),
        ({"sort": 1}, "sort is no name"),
        ({"where": "'x'"}, "'x'\" is not a condition: a number or a text says nothing"),
    ],
)
def test_a_mistake_is_told_before_anything_is_read(ran: Bench, words: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        spe.open("t").results(**words)


@pytest.mark.parametrize("number", [0, -1, 10**30, -(10**30), pytest.param(10**5000, id="huge"), 1.0, "1", None, [1]])
def test_what_is_no_number_of_a_set_is_told_in_a_sentence(ran: Bench, number: Any) -> None:
    run = spe.open("t")
    for read in (run.files, run.log):
        with pytest.raises(UsageError, match=r"there is no|is a whole number, not of type"):
            read(number)


def test_a_number_of_numpy_is_a_number_of_a_set(ran: Bench) -> None:
    run = spe.open("t")
    number = run.results(columns=["number"]).pandas()["number"].to_numpy()[0]
    assert type(number) is not int and run.files(number) == run.files(int(number)) != []


@pytest.mark.parametrize(("where", "holds"), [("true", True), ("1 == 1", True), ("1 > 2", False), ("not true", False)])
def test_a_condition_without_a_column_takes_all_rows_or_none_in_every_form(
    ran: Bench, run: Any, tmp_path: Path, where: str, holds: bool
) -> None:
    expected = ran.expected if holds else []  # type: ignore[attr-defined]
    results = run.results(where)
    assert list(results) == expected and len(results) == len(expected)
    assert results.arrow().to_pylist() == results.polars().to_dicts() == expected
    assert results.pandas().to_dict("records") == expected
    results.parquet(tmp_path / "t.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pylist() == expected
    sheet = ran.ok("results", "--where", where, "-o", "t.xlsx", "--sort", "-x")
    assert f"t.xlsx: {len(expected)} rows" in sheet.err


def test_a_condition_that_cannot_be_told_names_the_set(ran: Bench, run: Any) -> None:
    results = run.results("tag + 1 > x")
    for read in (lambda: list(results), results.arrow):
        with pytest.raises(UsageError, match="where, set 1"):
            read()


def test_a_name_that_never_ran_is_told_at_once(bench: Bench) -> None:
    with pytest.raises((UsageError, StoreError), match="nothing"):
        spe.open("nothing")


def test_what_a_failed_set_has_left_is_among_its_files(bench: Bench) -> None:
    bench.write("spe.yaml", "name: t\ncommand: sh -c 'echo left > note.txt; exit 1'\nparameters: {grid: {x: [1]}}\n"
                "hosts: [localhost]\nattempts: 1\nkeep_failed: 1MB\n")  # fmt: skip
    assert bench.spe("run", "-q").code == 1
    (file,) = spe.open("t").files(1)
    assert (file.name, file.result, file.read_text()) == ("note.txt", "(failed)", "left\n")
    assert file.is_absolute() and file.parent.name == "1"


@pytest.mark.parametrize(("name", "extra"), [("polars", "polars"), ("pandas", "pandas"), ("pyarrow", "arrow")])
def test_a_library_that_is_not_installed_is_named_with_its_pip_line(
    ran: Bench, monkeypatch: pytest.MonkeyPatch, name: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=rf"{name}, which is not installed\n  pip install 'spe\[{extra}\]'"):
        getattr(spe.open("t").results(), extra)()


def test_a_prompt_and_a_notebook_show_names_counts_columns_and_the_first_rows(ran: Bench) -> None:
    run = spe.open("t")
    assert repr(run) == f"run t: 15 done, 3 failed, in {run.folder}"
    lines = repr(run.results(columns=["x", "tag"], sort="x")).splitlines()
    assert lines[:3] == ["15 rows, 2 columns, the first 10:", "x  tag", "1  a,b"] and len(lines) == 12
    assert repr(run.results("x == 1", columns=["x"])).startswith("6 rows, 1 column\nx\n1\n")
    assert repr(run.results("x > 99", columns=["x"])) == "0 rows, 1 column\nx"
    html = run.results("tag == 'ü \"q\"'", columns=["tag"])._repr_html_()
    assert "<td>ü &quot;q&quot;</td>" in html and html.count("<tr>") == 6
    broken = run.results("tag + 1 > x")
    assert "where, set 1" in repr(broken) and "where, set 1" in broken._repr_html_()
    assert "object at" not in repr(spe.Sweep("echo {{ x }}", folder="f"))
    assert "Sweep" in dir(spe) and {one for one in dir(spe) if not one.startswith("_")} == {"Sweep", "open", "watch"}


@pytest.mark.parametrize("form", ["pandas", "polars"])
def test_one_line_brings_all_libraries_of_a_form(ran: Bench, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    for name in ("pyarrow", form):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(UsageError, match=rf"pip install 'spe\[{form}\]'"):
            getattr(spe.open("t").results(), form)()


def test_a_path_that_cannot_be_written_is_told_without_options_of_the_command_line(ran: Bench) -> None:
    results = spe.open("t").results()
    for write in (results.csv, results.parquet):
        for place in ("no/such/folder.csv", "runs/t/mine.csv"):
            with pytest.raises(UsageError, match=r"Give another path\.") as caught:
                write(place)
            assert "-o" not in str(caught.value).replace("pip", "")


def test_import_spe_loads_nothing_heavy() -> None:
    lines = "import sys, spe\nprint(*sorted(one for one in sys.modules if one.partition('.')[0] not in BEFORE))"
    code = "import sys\nBEFORE = {one.partition('.')[0] for one in sys.modules}\n" + lines
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["__future__", "spe", "spe.version"]

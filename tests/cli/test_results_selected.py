"""`spe results` with conditions, columns, an order, and the result files of many sets."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from .kit import Bench

TABLE = """
name: t
command: ./work {{ n }} {{ word }}
attempts: 1
parameters:
  zip: {n: [1, 2, 3, 4, 10], word: [b, a, "c, d", a, ""]}
results:
  energy: {from: e.txt, as: float}
  plot: {from: "plot_{{ n }}.txt", as: file}
  frames: {from: frames, as: folder}
"""
WORK = """
mkdir -p frames/sub
echo "plot $1" > "plot_$1.txt"; echo "frame $1" > frames/sub/one.txt
case $1 in 1) echo -1e3;; 2) echo 20;; 3) echo inf;; 4) echo 3;; *) exit 1;; esac > e.txt
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A sweep of five sets, of which the last one has failed."""
    made = Bench(tmp_path_factory.mktemp("ran"))
    made.write("spe.yaml", TABLE)
    made.worker(WORK)
    assert made.spe("run").code == 1
    yield made
    made.close()


def column(bench: Bench, *words: str, name: str = "n") -> list[str]:
    return [row[name] for row in bench.ok("results", "--json", *words).json]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("n > 1 and energy < 100", ["2", "4"]),
        ("energy < 0 or word == 'c, d'", ["1", "3"]),
        ("energy > 1e300", ["3"]),
        ("number == n", ["1", "2", "3", "4"]),
        ("host == 'nowhere'", []),
        ("word in ('a', 'q') and attempts == 1", ["2", "4"]),
    ],
)
def test_rows_are_those_for_which_the_condition_is_true(ran: Bench, condition: str, found: list[str]) -> None:
    assert column(ran, "--where", condition) == found


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("energy", ["1", "4", "2", "3"]),
        ("-energy", ["3", "2", "4", "1"]),
        ("word", ["2", "4", "1", "3"]),
        ("-word", ["3", "1", "2", "4"]),
        ("-n", ["4", "3", "2", "1"]),
    ],
)
def test_rows_are_sorted_by_number_where_all_are_numbers(ran: Bench, sort: str, found: list[str]) -> None:
    assert column(ran, "--sort", sort) == found


def test_columns_condition_and_order_go_together_as_csv_and_into_a_file(ran: Bench, tmp_path: Path) -> None:
    words = ("results", "--columns", "word, energy,n", "--where", "energy < 1000", "--sort", "-energy")
    text = "word,energy,n\na,20,2\na,3,4\nb,-1e3,1\n"
    assert ran.ok(*words).out == text
    assert ran.ok(*words, "-q", "-o", str(tmp_path / "t.csv")).out == ""
    assert (tmp_path / "t.csv").read_text() == text
    assert ran.ok(*words, "--json").json[0] == {"word": "a", "energy": "20", "n": "2"}


def test_an_empty_cell_meets_no_condition_that_needs_its_value(bench: Bench) -> None:
    bench.worker('echo "v=$1"')
    bench.ok("run", "-q", "-p", "x=1:3", "--", "./work", "{{ x }}")
    result = ("--result", "v={from: stdout, regex: 'v=(.)', as: int}")
    bench.ok("run", "-q", *result, "-p", "x=1:3", "--", "./work", "{{ x }}")
    connection = sqlite3.connect(bench.runs("work") / "sweep.db")
    with connection:
        connection.execute("DELETE FROM outputs WHERE task = 2")
    connection.close()
    (bench.runs("work") / "results.csv").unlink()  # it would be read in place of the database
    assert column(bench, "--where", "v > 0", name="x") == ["1", "3"]
    assert column(bench, "--where", "v == ''", name="x") == ["2"]
    assert column(bench, "--sort", "v", name="x") == ["1", "3", "2"]
    assert column(bench, "--sort", "-v", name="x") == ["3", "1", "2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--where", "q > 1"), "there is no column 'q'"),
        (("--where", "n >"), "is not an expression"),
        (("--where", "word > 1"), "--where, set 1"),
        (("--columns", "n,q"), "--columns: there is no column 'q'"),
        (("--columns", "n,n,q"), "--columns: there is no column 'q'"),
        (("--columns", "n,word,n"), "--columns: n is named twice"),
        (("--columns", ""), "--columns: there is no column ''"),
        (("--sort", "-q"), "--sort: there is no column 'q'"),
    ],
)
def test_a_wrong_word_is_told_and_a_file_stays_as_it_was(
    ran: Bench, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    assert said in ran.refused("results", *words, "-o", str(kept))
    assert kept.read_text() == "mine"


# -- files


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_files_of_different_names_lie_side_by_side(bench: Bench, tmp_path: Path) -> None:
    bench.worker('mkdir sub; echo "plot $1" > "plot_$1.txt"; echo "$1" > "sub/n$1.dat"')
    words = ["--result", "p=plot_{{ x }}.txt:file", "--result", "d=sub/n{{ x }}.dat:file", "-p", "x=1:3"]
    bench.ok("run", "-q", *words, "--", "./work", "{{ x }}")
    out = tmp_path / "out"
    done = bench.ok("results", "--files", str(out), "--where", "x != 2")
    assert listing(out) == ["plot_1.txt", "plot_3.txt", "sub/n1.dat", "sub/n3.dat"]
    assert (out / "plot_3.txt").read_text() == "plot 3\n"
    assert done.out == "" and "4 files copied" in done.err
    done = bench.ok("results", "--files", str(out), "-q")  # what is there stays, what is new comes
    assert listing(out) == [f"plot_{n}.txt" for n in (1, 2, 3)] + [f"sub/n{n}.dat" for n in (1, 2, 3)]
    assert (done.out, done.err) == ("", "")


def test_files_of_equal_names_lie_in_a_folder_for_each_set(ran: Bench, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = ran.ok("results", "--files", str(out), "--where", "n < 3", "--json")
    assert listing(out) == [f"{n}/{name}" for n in (1, 2) for name in ("frames/sub/one.txt", f"plot_{n}.txt")]
    assert (out / "2/frames/sub/one.txt").read_text() == "frame 2\n"
    assert "a folder for each set: several sets have frames/sub/one.txt" in done.err
    assert [Path(one["copy"]).read_bytes() for one in done.json] == [
        (ran.runs("t") / one["file"]).read_bytes() for one in done.json
    ]
    assert {one["number"] for one in done.json} == {1, 2}
    assert {one["result"] for one in done.json} == {"plot", "frames"}


def test_a_name_that_is_a_file_of_one_set_and_a_folder_of_another_is_a_clash(bench: Bench, tmp_path: Path) -> None:
    bench.worker('test "$1" = 1 && echo one > a || { mkdir a; echo two > a/b; }')
    bench.ok("run", "-q", "--result", "f={from: '{{ name }}', as: file}", "-p", "x=1,2", "-p", "name=a,a/b", "--link",
             "--", "./work", "{{ x }}")  # fmt: skip
    bench.ok("results", "--files", str(tmp_path / "out"))
    assert listing(tmp_path / "out") == ["1/a", "2/a/b"]


def test_no_file_of_somebody_else_is_replaced_and_nothing_is_copied_then(ran: Bench, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "2").mkdir(parents=True)
    (out / "2/plot_2.txt").write_text("plot of somebody else")
    assert "nothing was copied" in ran.refused("results", "--files", str(out))
    assert listing(out) == ["2/plot_2.txt"]
    shutil.rmtree(out)
    out.symlink_to("nowhere")
    assert "Traceback" not in ran.spe("results", "--files", str(out)).err


def test_the_table_is_written_beside_the_files_where_o_says(ran: Bench, tmp_path: Path) -> None:
    table = tmp_path / "t.json"
    ran.ok("results", "-q", "--files", str(tmp_path / "out"), "-o", str(table), "--json", "--columns", "n")
    assert [row["n"] for row in json.loads(table.read_text())] == ["1", "2", "3", "4"]


def test_a_sweep_without_result_files_says_what_such_a_result_is(bench: Bench) -> None:
    bench.ok("run", "-q", "-p", "x=1", "--", "echo", "{{ x }}")
    assert "no result of this sweep is a file" in bench.refused("results", "--files", "out")


def test_nothing_is_written_into_runs_or_over_a_copy(bench: Bench, tmp_path: Path) -> None:
    bench.write(
        "spe.yaml",
        "command: sh -c 'echo {{ n }} > {{ n }}.txt'\nparameters: {grid: {n: [1, 2]}}\nresults: {t: '{{ n }}.txt'}\n",
    )
    bench.ok("run")
    database = bench.runs() / "sweep.db"
    before = database.read_bytes()
    for words in (("-o", str(database)), ("--files", str(bench.runs())), ("--files", str(bench.runs().parent / "new"))):
        assert "holds what spe keeps" in bench.refused("results", *words)
    assert database.read_bytes() == before
    out = tmp_path / "out"
    assert "a copied file is to lie there" in bench.refused("results", "--files", str(out), "-o", str(out / "1.txt"))
    assert not out.exists()
    bench.ok("results", "--files", str(out), "-o", str(out / "table.csv"))
    assert sorted(one.name for one in out.iterdir()) == ["1.txt", "2.txt", "table.csv"]

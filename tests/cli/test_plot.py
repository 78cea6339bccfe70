"""`spe plot`: in the terminal, as SVG, as CSV; and what it says to bad input."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from .kit import Bench

TABLE = """
name: t
command: ./work {{ x }} {{ cfl }} {{ rep }}
attempts: 1
parameters:
  grid: {x: [1, 2, 3, 4], cfl: [0.2, 0.4]}
  repeat: 3
results:
  energy: {from: stdout, regex: 'energy (.+)', as: float}
  note: {from: stdout, regex: 'note (.+)'}
"""
WORK = '[ "$1$3" != 43 ] || exit 1\necho "energy $1.$3"; echo "note of $1"\n'


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A sweep of 24 sets, of which two have failed."""
    made = Bench(tmp_path_factory.mktemp("ran"))
    made.write("spe.yaml", TABLE)
    made.worker(WORK)
    assert made.spe("run").code == 1
    yield made
    made.close()


def drawn(bench: Bench, *words: str) -> list[list[str]]:
    """The numbers that are drawn."""
    bench.ok("plot", *words, "-o", "drawn.csv")
    with (bench.folder / "drawn.csv").open(newline="") as stream:
        return list(csv.reader(stream))


def test_a_plot_is_drawn_in_the_terminal_as_wide_as_it_is(ran: Bench) -> None:
    pytest.importorskip("plotext")
    ran.environment |= {"COLUMNS": "60", "LINES": "30"}
    out = ran.ok("plot", "energy", "--over", "x", "--by", "cfl").out
    key, caption, hidden = out.splitlines()[-3:]
    assert (key, caption) == ("• cfl 0.2   + cfl 0.4", "Energy over x, by cfl, 22 sets.")
    assert hidden.endswith(" points are hidden behind others.") and int(hidden.split()[0]) >= 11, "both cfl are equal"
    assert max(map(len, out.splitlines())) < 60 and "\x1b" not in out
    lines = ran.ok("plot", "energy", "--as", "lines").out
    assert "Mean of energy over x, 22 sets. The bars are the standard error of the mean." in lines


def test_a_plot_is_written_as_svg(ran: Bench) -> None:
    ran.ok("plot", "energy", "--over", "x", "--by", "cfl", "--as", "lines", "--log", "xy", "-o", "e.svg")
    root = ElementTree.parse(ran.folder / "e.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and len(list(root.iter(f"{root.tag[:-3]}polyline"))) == 4


def test_a_plot_is_written_as_png_and_as_pdf(ran: Bench) -> None:
    pytest.importorskip("cairosvg")
    beginnings = {"png": b"\x89PNG\r\n", "pdf": b"%PDF-"}
    for kind, beginning in beginnings.items():
        ran.ok("plot", "energy", "--over", "x", "--as", "lines", "-o", f"e.{kind}")
        assert (ran.folder / f"e.{kind}").read_bytes().startswith(beginning)


@pytest.mark.parametrize("kind", ["png", "pdf"])
@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("raise ImportError(name='cairosvg')", "needs cairosvg, which is not installed\n  pip install 'spe[image]'"),
        ("raise OSError('no library called cairo-2')", "needs the system's cairo library, which is not installed"),
    ],
)
def test_without_what_makes_images_that_is_named_and_nothing_is_written(
    ran: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, fault: str, sentence: str
) -> None:
    (tmp_path / "cairosvg.py").write_text(f"{fault}\n")
    monkeypatch.setitem(ran.environment, "PYTHONPATH", str(tmp_path))
    done = ran.spe("plot", "energy", "-o", f"lacking.{kind}")
    assert done.code == 2 and f"a plot as .{kind} {sentence}" in done.err and len(done.err.splitlines()) == 2
    assert not (ran.folder / f"lacking.{kind}").exists()


def test_without_names_the_first_number_is_drawn_over_the_first_parameter(ran: Bench) -> None:
    assert drawn(ran)[:2] == [["number", "x", "energy"], ["1", "1.0", "1.1"]]


def test_the_numbers_of_a_plot_are_those_of_the_table(ran: Bench) -> None:
    rows = drawn(ran, "energy", "--over", "x", "--as", "lines", "--where", "cfl == 0.2 and rep < 3")
    assert rows[0] == ["x", "mean of energy", "standard error", "sets"]
    assert [(float(x), round(float(y), 9), n) for x, y, _, n in rows[1:]] == [(x, x + 0.15, "2") for x in (1, 2, 3, 4)]
    assert len(drawn(ran, "x", "--over", "cfl", "--by", "energy", "--as", "heat")) == 1 + 8
    assert drawn(ran, "energy", "--over", "note")[1][1] == "of 1", "texts are an axis, too"
    assert sum(int(row[-1]) for row in drawn(ran, "energy", "--as", "histogram")[1:]) == 22


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (["nothing"], "no column nothing There are: number, attempts, seconds, host, x, cfl, rep, energy, note."),
        (["energy", "--by", "nothing"], "there is no column nothing"),
        (["note"], "note is text, such as 'of 1': what is drawn upwards is a number Choose a column of numbers."),
        (["energy", "--over", "note", "--log", "x"], "such as 'of 1': a logarithmic axis is one of numbers"),
        (["energy", "--where", "x > 99"], "no set has a row in the table: there is nothing to draw"),
        (["energy", "--where", "x >"], "--where"),
        (["energy", "--where", "y > 1"], "--where: there is no column 'y'"),
        (["energy", "-o", "e.gif"], "e.gif: a plot is written as .svg, .png or .pdf, or its numbers as .csv"),
        (["energy", "-o", "plot"], "plot: a plot is written as .svg, .png or .pdf, or its numbers as .csv"),
        (["energy", "-o", "runs/e.svg"], "nothing else may be written there"),
        (["energy", "-o", "no/e.svg"], "no/e.svg: it cannot be written: No such file or directory"),
    ],
)
def test_bad_input_is_one_sentence_and_what_to_do(ran: Bench, words: list[str], sentences: str) -> None:
    done = ran.spe("plot", *words)
    assert done.code == 2 and not done.out
    assert sentences in " ".join(done.err.split()), done
    assert len(done.err.splitlines()) <= 2


def test_without_plotext_the_line_that_installs_it_is_named(ran: Bench, tmp_path: Path) -> None:
    (tmp_path / "plotext.py").write_text("raise ImportError(name='plotext')\n")
    ran.environment["PYTHONPATH"] = str(tmp_path)
    done = ran.spe("plot", "energy")
    del ran.environment["PYTHONPATH"]
    assert done.code == 2
    assert done.err.splitlines() == [
        "spe: a plot in the terminal needs plotext, which is not installed", "  pip install 'spe[plot]'",
    ]  # fmt: skip


def test_of_a_sweep_that_runs_the_sets_that_are_done_are_drawn_and_that_is_told(bench: Bench) -> None:
    from waiting import wait_until

    sweep = "name: t\ncommand: ./work {{ x }}\nparameters: {grid: {x: [1, 2]}}\nhosts: [localhost slots=2]\n"
    bench.write("spe.yaml", sweep + "results: {y: {from: stdout, as: float}}\n")
    bench.worker('[ "$1" = 1 ] || while [ ! -e "$GATE" ]; do sleep 0.1; done; echo "$1"\n')
    running = bench.start("run", "-q")
    wait_until(lambda: bench.spe("plot", "y", "-o", "y.csv").code == 0, "one set is done")
    done = bench.ok("plot", "y", "-o", "y.csv")
    assert done.err == "spe: the sweep is still running: the plot has the sets that are done by now\ny.csv: y over x\n"
    assert (bench.folder / "y.csv").read_text() == "number,x,y\n1,1.0,1.0\n"
    Path(bench.environment["GATE"]).touch()
    assert running.end().code == 0

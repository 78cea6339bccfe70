"""The report of a run: one file that says what was done, and that anybody can open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from cli.kit import Bench
from waiting import wait_until

from .kit import Sweep


@pytest.fixture(scope="module")
def report(ran: Sweep) -> str:
    done = ran.bench.ok("report")
    assert "report.html: the report of sweep" in done.err
    return (ran.bench.folder / "report.html").read_text(encoding="utf-8")


def test_it_is_one_file_that_names_nothing_outside_of_it(report: str) -> None:
    assert not re.findall(r"<(?:script|link|img|iframe|object)\b", report)
    assert not re.findall(r"\b(?:src|href|srcset)=", report)
    assert not re.findall(r"url\(|@import|@font-face", report)


def test_it_has_summary_methods_table_failures_hosts_and_versions(report: str) -> None:
    text = " ".join(re.sub(r"<[^>]+>", " ", report).split())
    assert re.findall(r"<h2 [^>]+>([^<]+)<", report) == [
        "Summary", "Methods", "Plots", "Table", "Failures", "Hosts", "Versions", "How to repeat it",
    ]  # fmt: skip
    assert "3 of 4 sets done, 1 failed" in text
    assert "One program was run for each of 4 parameter sets, by the command “./work {{ x }}”." in text
    assert re.search(r"The program was the worker work \(SHA-256 [0-9a-f]{64}\)\.", text)
    assert "The parameters were x (4 values, 1 to 4); mesh (2 values, 32 to 64)." in text
    assert "energy from its output as a number, by the regular expression “energy = (.*)”" in text
    assert re.search(r"spe [0-9.]+ \(Simple Parallel Exec\) ran the sets on 1 host \(localhost\)\.", text)
    assert "1 set gave none: 1 failed." in text
    assert "1 1 32 1.5 files/1/note.txt state 1" in text
    assert "1 exit code 3: no convergence 4: x=4 mesh=64" in text
    assert re.search(r"localhost 3 [0-9.]+ s linux-\w+ \d+", text)
    assert "spe replay sweep.zip" in text
    assert "parameters: params.csv" in text


def test_a_result_that_is_a_number_is_drawn_over_the_parameter_with_most_values(report: str) -> None:
    assert 'aria-label="Energy over x, 3 sets."' in report
    assert report.count("<circle") == 3
    assert 'aria-label="How long sets took' in report


def test_of_many_rows_it_has_the_first_ones_and_says_so(bench: Bench) -> None:
    bench.ok("run", "-q", "-p", "x=1:205", "--name", "many", "--", "echo", "{{ x }}")
    bench.ok("report", "many", "-o", "many.html")
    text = (bench.folder / "many.html").read_text()
    assert "These are the first 200 of 205 rows; results.csv has all of them." in text
    assert text.count('<th scope="row">') == 201  # and the host
    assert 'aria-label="Stdout over x, 205 sets."' in text


def test_what_programs_print_is_text_in_it_and_no_markup(bench: Bench) -> None:
    script = "<script>alert(1)</script>"
    bench.worker(f"""[ "$1" != 2 ] || {{ echo '{script}' >&2; exit 1; }}; echo '{script}'""")
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2]}}\nattempts: 1\n")
    assert bench.spe("run", "-q").code == 1
    bench.ok("report")
    text = (bench.folder / "report.html").read_text()
    assert script not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2
    assert "No result is a number, so nothing is drawn." in text


def test_it_is_about_the_run_also_when_spe_yaml_was_broken_since(bench: Bench) -> None:
    bench.worker("echo 1")
    bench.write("spe.yaml", "command: ./work\nname: kept\n")
    bench.ok("run", "-q")
    bench.write("spe.yaml", "command: [\n")
    bench.ok("report", "kept")
    assert "by the command “./work”" in (bench.folder / "report.html").read_text()
    bench.ok("report", "runs/kept", "-o", "again.html")
    assert (bench.folder / "again.html").exists()


@pytest.mark.browser
def test_it_asks_for_nothing_fits_a_phone_and_passes_axe(ran: Sweep, report: str, browser: Any, axe: str) -> None:
    asked: list[str] = []
    for width in (360, 800, 1400):
        page = browser.new_page(viewport={"width": width, "height": 700})
        page.on("request", lambda request: asked.append(request.url))
        page.goto((ran.bench.folder / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate(axe)
        found = page.evaluate("axe.run()")
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
        page.close()
    assert {one.partition(":")[0] for one in asked} == {"file"}
    assert len(asked) == 3


@pytest.mark.browser
def test_on_paper_nothing_is_cut_off(ran: Sweep, report: str, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 700, "height": 1000})  # A4 without its margins
    page.goto((ran.bench.folder / "report.html").as_uri())
    page.emulate_media(media="print")
    widths = page.evaluate("[...document.querySelectorAll('.scroll, pre')].map(e => e.scrollWidth - e.clientWidth)")
    assert max(widths) <= 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    page.close()


# -- what cannot be reported


@pytest.mark.parametrize("command", ["report", "export"])
def test_a_run_that_is_still_writing_is_refused(sweep: Sweep, command: str) -> None:
    bench = sweep.bench
    bench.worker('echo "$1" >> "$LOG"\nwhile [ ! -e "$GATE" ]; do sleep 0.05; done; echo 1')
    started = bench.start("run", "-q")
    wait_until(lambda: bench.logged() != [], "a set runs")
    done = bench.start(command).end()
    assert done.code == 2, done
    assert "this run is still writing" in done.err
    assert "`spe stop`" in done.err
    bench.open_gate()
    started.end()


@pytest.mark.parametrize("command", ["report", "export"])
def test_an_unknown_run_and_one_without_a_finished_set_are_refused(bench: Bench, command: str) -> None:
    bench.write("spe.yaml", "command: 'false'\nattempts: 1\nname: failing\n")
    said = bench.refused(command)
    assert "nothing has run here yet" in said
    assert "Nothing has run here yet: `spe run`." in bench.refused(command, "pi")
    assert bench.spe("run", "-q").code == 1
    said = bench.refused(command, "pi")
    assert "there is no run pi" in said
    assert "There are: failing." in said
    said = bench.refused(command)
    assert "no set is finished yet" in said
    assert "`spe status`" in said


@pytest.mark.parametrize("command", ["report", "export"])
def test_where_nothing_can_be_written_it_says_so_and_leaves_nothing(ran: Sweep, command: str) -> None:
    bench = ran.bench
    for place, what in (
        ("nowhere/x", "it cannot be written"),
        ("meshes", "it cannot be written: it is a folder"),
        ("runs/sweep/x", "nothing else may be written there"),
    ):
        said = bench.refused(command, "-o", place)
        assert what in said
        assert "-o" in said
    assert not (bench.runs() / "x").exists()
    assert [one for one in Path(bench.folder).iterdir() if one.name.startswith(".")] == []

"""The page's Next, the document and `spe why` show the order in which sets really begin, with real programs."""

from __future__ import annotations

import html
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from waiting import wait_until

pytestmark = pytest.mark.patient

SETS = 60
LENGTHS = [0.2 + 0.08 * (7 * number % 10) for number in range(SETS)]  # seconds, a jumble


@contextmanager
def running(folder: Path, *options: str, order: str = "") -> Iterator[Path]:
    """A run of sets of known lengths, two at a time and none prefetched; yields runs/sleeps."""
    listed = ", ".join(f"{length:.2f}" for length in LENGTHS)
    folder.joinpath("spe.yaml").write_text(
        f"name: sleeps\ncommand: sleep {{{{ t }}}}\nhosts: [localhost slots=2]\nat_once: 2\n"
        f"parameters: {{zip: {{t: [{listed}], place: {{range: [1, {SETS}]}}}}}}\n{order}",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "spe", "run", "-q", *options],
        cwd=folder, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    run = folder / "runs" / "sleeps"
    try:
        wait_until(lambda: (run / "master.json").exists() or process.poll() is not None, "the run begins")
        assert process.poll() is None, "the run did not begin"
        yield run
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.wait()


def address(run: Path, path: str) -> str:
    page = str(json.loads((run / "master.json").read_text(encoding="utf-8"))["page"])
    return page.replace("/?", f"/{path}?")


def state(run: Path) -> dict[str, Any]:
    """The document: the first event of the stream."""
    with urlopen(address(run, "stream"), timeout=30) as answer:
        for line in answer:
            if line.startswith(b"data: "):
                return dict(json.loads(line[6:]))
    raise AssertionError("the stream ended")


def next_page(run: Path) -> tuple[str, list[dict[str, str]]]:
    """The text above the table, and its rows by column."""
    with urlopen(address(run, "next"), timeout=30) as answer:
        text = html.unescape(answer.read().decode())
    columns = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", text)
    rows = re.findall(r"<tr><td.*?</tr>", text)
    cells = [re.findall(r"<t[dh][^>]*>(?:<a[^>]*>)?(.*?)(?:</a>)?</t[dh]>", row) for row in rows]
    return text, [dict(zip(columns, one, strict=True)) for one in cells]


def begun(run: Path) -> list[int]:
    """The numbers of the sets in the order in which they were handed out."""
    with closing(sqlite3.connect(f"file:{run / 'sweep.db'}?mode=ro", uri=True)) as connection:
        return [number for (number,) in connection.execute("SELECT task FROM tickets ORDER BY id")]


def spe(run: Path, *words: str) -> str:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "spe", *words], cwd=run.parents[1], env=environment, check=True, text=True,
        stdout=subprocess.PIPE,
    ).stdout  # fmt: skip


def test_next_shows_the_order_that_is_used_with_the_expected_seconds_and_why_names_it(tmp_path: Path) -> None:
    with running(tmp_path) as run:
        wait_until(lambda: state(run)["sweep"]["order"] == "longest", "the order changes")
        spe(run, "pause")
        wait_until(lambda: state(run)["sweep"]["running"] == 0, "nothing runs")
        text, rows = next_page(run)
        assert "those that are expected to take longest come first" in text
        lengths = [float(row["t"]) for row in rows]
        assert len(lengths) > 20 and lengths == sorted(lengths, reverse=True)
        for row in rows:
            assert float(re.sub(r"[^\d.]", "", row["expected"])) == pytest.approx(float(row["t"]), rel=0.3, abs=0.1)
        wait_until(lambda: "longest begin first" in spe(run, "why", rows[-1]["number"]), "spe why says so")
        before = len(begun(run))
        spe(run, "resume")
        wait_until(lambda: len(begun(run)) >= before + 4, "sets begin again")
        assert begun(run)[before : before + 4] == [int(row["number"]) for row in rows[:4]]
    assert sorted(begun(run)) == list(range(1, SETS + 1))


@pytest.mark.parametrize("way", ["key", "option"])
def test_order_given_switches_it_off(tmp_path: Path, way: str) -> None:
    options = ("--order", "given") if way == "option" else ()
    with running(tmp_path, *options, order="order: given\n" if way == "key" else "") as run:
        wait_until(lambda: state(run)["sweep"]["done"] >= SETS // 2, "half of the sets have ended")
        assert state(run)["sweep"]["order"] == "given"
        text, rows = next_page(run)
        assert "expected to take longest" not in text
        numbers = [int(row["number"]) for row in rows]
        assert numbers and numbers == sorted(numbers)
        assert "longest" not in spe(run, "why", str(SETS))
    assert begun(run) == list(range(1, SETS + 1))

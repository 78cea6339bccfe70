"""The table in other programs, as docs/results.md has it: each reads the same rows with the same types."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import openpyxl
import pandas
import polars
import pytest
import spe
from cli.kit import Bench
from needs import need_program

ROWS = "SELECT count(*), sum(steps), min(energy), count(DISTINCT tag) FROM {}"


def expected(bench: Bench) -> tuple[int, int, float, int]:
    rows = list(spe.open("t").results())
    return (
        len(rows),
        sum(int(str(row["steps"])) for row in rows),
        min(float(str(row["energy"])) for row in rows),
        len({row["tag"] for row in rows}),
    )


@pytest.mark.parametrize("name", ["runs/t/results.csv", "t.parquet", "t.json"])
def test_duckdb_reads_the_csv_the_parquet_and_the_json(ran: Bench, name: str) -> None:
    if not name.startswith("runs"):
        ran.ok("results", "-o", name)
    number = "steps" if name.endswith(("csv", "parquet")) else "CAST(steps AS INTEGER) AS steps"
    found = duckdb.sql(f"SELECT {number}, CAST(energy AS DOUBLE) AS energy, tag FROM '{ran.folder / name}'")
    assert duckdb.sql(ROWS.format("found")).fetchall() == [expected(ran)]
    assert found.columns == ["steps", "energy", "tag"]


def test_datasette_serves_the_view_with_numbers_as_numbers(ran: Bench) -> None:
    words = [sys.executable, "-m", "datasette", "serve", str(ran.runs("t") / "sweep.db")]
    url = "/sweep/results.json?_shape=array&_size=max"
    done = subprocess.run([*words, "--get", url], capture_output=True, text=True, check=True)
    found = [{**row, "seconds": round(row["seconds"], 3)} for row in json.loads(done.stdout)]
    assert found == list(spe.open("t").results())


def test_sqlite_sums_in_the_view(ran: Bench) -> None:
    assert ran.query(ROWS.format("results"), "t") == [expected(ran)]


def test_pandas_and_polars_read_the_files_as_they_are(ran: Bench) -> None:
    ran.ok("results", "-o", "t.parquet")
    records = list(spe.open("t").results())
    assert pandas.read_csv(ran.runs("t") / "results.csv").to_dict("records") == records
    assert pandas.read_parquet(ran.folder / "t.parquet").to_dict("records") == records
    assert polars.read_parquet(ran.folder / "t.parquet").to_dicts() == records


def test_r_reads_the_csv(ran: Bench) -> None:
    need_program("Rscript", "r-base-core")
    line = 'r <- read.csv("runs/t/results.csv", encoding="UTF-8"); cat(nrow(r), sum(r$steps), min(r$energy), ' \
           'length(unique(r$tag)), class(r$steps), class(r$energy), class(r$said))'  # fmt: skip
    done = subprocess.run(["Rscript", "-e", line], cwd=ran.folder, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [*map(str, expected(ran)), "integer", "numeric", "character"]


def test_a_sheet_has_numbers_as_numbers_and_texts_as_texts(ran: Bench) -> None:
    ran.ok("results", "-o", "t.xlsx")
    head, *rows = openpyxl.load_workbook(ran.folder / "t.xlsx").active.iter_rows(values_only=True)
    assert [dict(zip(head, row, strict=True)) for row in rows] == list(spe.open("t").results())


@pytest.mark.parametrize("name", ["t.xlsx", "runs/t/results.csv"])
def test_libreoffice_opens_the_sheet_and_the_csv(ran: Bench, tmp_path: Path, name: str) -> None:
    need_program("soffice", "libreoffice-calc-nogui")
    if name == "t.xlsx":
        ran.ok("results", "-o", name)
    out = tmp_path / "opened"
    out.mkdir()
    words = [str(shutil.which("soffice")), f"-env:UserInstallation=file://{tmp_path / 'profile'}", "--headless"]
    words += ["--infilter=CSV:44,34,76"] if name.endswith("csv") else []  # comma, quotes, UTF-8
    words += ["--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76", "--outdir", str(out), name]
    subprocess.run(words, cwd=ran.folder, capture_output=True, check=True, timeout=300)
    (made,) = out.iterdir()
    with made.open(newline="", encoding="utf-8") as stream:
        found = list(csv.DictReader(stream))
    wanted = list(spe.open("t").results())
    assert [(row["tag"], int(row["steps"]), float(row["energy"])) for row in found] == [
        (row["tag"], row["steps"], row["energy"]) for row in wanted
    ]

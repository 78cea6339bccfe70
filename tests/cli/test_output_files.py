"""`-o` of every command that has it: files, links, pipes and devices, and the kinds of tables."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from waiting import wait_until

from .kit import Bench

SPE = (sys.executable, "-m", "spe")
ROOT = Path(__file__).resolve().parents[2]
WRITERS = {
    "results": ("results", "-o", "{}.csv"),
    "plot": ("plot", "y", "-o", "{}.svg"),
    "report": ("report", "-o", "{}.html"),
    "export": ("export", "-o", "{}.zip"),
}
BEGINS = {"results": b"number,", "plot": b"<svg", "report": b"<!doctype", "export": b"PK"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("ran"))
    bench.write("spe.yaml", "name: t\ncommand: echo {{ x }}\nparameters: {grid: {x: [1, 2]}}\nresults: {y: stdout}\n")
    bench.ok("run", "-q")
    yield bench
    bench.close()


def words_for(command: str, place: Path) -> list[str]:
    """The command that writes to this path, whose end stands for the kind."""
    *words, name = WRITERS[command]
    return [*words, name.format(place)]


def begins(command: str, data: bytes) -> bool:
    return data[:40].lower().startswith(BEGINS[command].lower())


def test_these_are_all_commands_with_an_output() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "master" / "cli").glob("*.py")}
    assert {name for name, text in texts.items() if re.search(r'"--output",', text)} == set(WRITERS)


@pytest.mark.parametrize("command", sorted(WRITERS))
def test_a_link_stays_and_what_it_names_is_written_with_its_mode(ran: Bench, tmp_path: Path, command: str) -> None:
    words = words_for(command, tmp_path / "link")
    link, real = Path(words[-1]), tmp_path / "real"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to("real")
    said = ran.ok(*words).err
    assert f"{link}: " in said
    assert link.is_symlink() and os.readlink(link) == "real"
    assert begins(command, real.read_bytes())
    assert real.stat().st_mode & 0o777 == 0o640
    assert {one.name for one in tmp_path.iterdir()} == {"real", link.name}
    assert ran.ok(*words, "-q").err == ""


@pytest.mark.parametrize("command", sorted(WRITERS))
def test_a_pipe_gets_it_all_and_one_that_nobody_reads_says_so(ran: Bench, tmp_path: Path, command: str) -> None:
    words = words_for(command, tmp_path / "pipe")
    pipe = Path(words[-1])
    os.mkfifo(pipe)
    with (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen([*SPE, *words], cwd=ran.folder, env=ran.environment, stderr=err)
    wait_until(lambda: "nobody reads this pipe yet" in (tmp_path / "err").read_text(), "it says so")
    assert begins(command, pipe.read_bytes())
    assert process.wait(60) == 0
    assert pipe.is_fifo()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
@pytest.mark.parametrize("command", sorted(WRITERS))
def test_a_device_stays_one_and_a_disk_is_refused(ran: Bench, tmp_path: Path, command: str) -> None:
    words = words_for(command, tmp_path / "device")
    device = Path(words[-1])
    os.mknod(device, 0o600 | 0o020000, os.makedev(1, 3))  # as /dev/null
    ran.ok(*words)
    assert device.is_char_device()
    device.unlink()
    os.mknod(device, 0o600 | 0o060000, os.makedev(7, 99))
    assert "it cannot be written: it is a disk" in ran.refused(*words)
    assert device.is_block_device()


@pytest.mark.parametrize("command", ["report", "export", "results"])
def test_standard_output_is_written_where_it_goes_and_after_what_was_there(
    ran: Bench, tmp_path: Path, command: str
) -> None:
    into = tmp_path / "log"
    into.write_text("before\n")
    with into.open("ab") as out:
        words = [*SPE, command, "-o", "/dev/stdout"]
        done = subprocess.run(words, cwd=ran.folder, env=ran.environment, stdout=out, stderr=subprocess.PIPE)
    assert done.returncode == 0, done
    text = into.read_bytes()
    assert text.startswith(b"before\n") and begins(command, text.removeprefix(b"before\n"))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("t.feather", "Did you mean .parquet?"), ("t.xls", "Did you mean .xlsx?"), ("t.jsonl", "Did you mean .json?"),
        ("t.parq", "Did you mean .parquet?"), ("t.txt", "Did you mean .csv?"), ("t.db", "There are: .csv"),
        ("t", "There are: .csv, .json, .parquet and .xlsx."), ("-", "Without -o, the table is printed."),
    ],
)  # fmt: skip
def test_a_kind_of_table_that_is_not_written_is_refused_and_the_near_one_is_named(
    ran: Bench, name: str, near: str
) -> None:
    said = ran.refused("results", "-q", "-o", name)
    assert near in said
    assert not (ran.folder / name).exists()


def test_the_line_of_an_export_repeats_it(ran: Bench) -> None:
    assert "`spe replay all.zip` repeats it" in ran.ok("export", "-o", "all.zip").err


# -- tables that do not come to their end

KINDS = [".csv", ".json", ".parquet", ".xlsx"]
#: `spe`, which stops when a table is complete beside its place and not yet in it.
STOPPED = """
import pathlib, sys, time
from spe.table import output_file

def stop(temporary, path):
    pathlib.Path("stopped").write_text(temporary.name)
    while True:
        time.sleep(1)

output_file._replace = stop
sys.argv = ["spe", *sys.argv[1:]]
from spe.cli import main
main()
"""


@pytest.mark.parametrize("there", [None, b"mine"], ids=["a new file", "a file of before"])
def test_a_text_that_no_sheet_can_hold_leaves_no_part_of_a_sheet(bench: Bench, there: bytes | None) -> None:
    bench.write("spe.yaml", "name: t\ncommand: sh -c 'head -c {{ n }} /dev/zero | tr \\\\0 a'\n"
                "parameters: {grid: {n: [5, 32767, 32768, 7]}}\nresults: {y: {from: stdout, as: text}}\n")  # fmt: skip
    bench.ok("run", "-q")
    assert [len(one) for one in bench.column("y", "t")] == [5, 32767, 32768, 7]
    sheet = bench.folder / "t.xlsx"
    if there is not None:
        sheet.write_bytes(there)
    before = sorted(bench.folder.iterdir())
    said = bench.refused("results", "-o", "t.xlsx")
    assert "a text of 32768 characters: a sheet holds 32767" in said and ".parquet" in said
    assert sorted(bench.folder.iterdir()) == before, "neither a sheet nor a part of one"
    assert there is None or sheet.read_bytes() == there
    bench.ok("results", "-o", "t.xlsx", "--where", "n != 32768")
    rows = openpyxl.load_workbook(sheet).active.iter_rows(min_row=2, values_only=True)
    assert [len(row[2]) for row in rows] == [5, 32767, 7]


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_that_is_killed_leaves_the_file_of_before(ran: Bench, kind: str) -> None:
    there, stopped = ran.folder / f"kept{kind}", ran.folder / "stopped"
    there.write_bytes(b"mine")
    words = [sys.executable, "-c", STOPPED, "results", "-q", "-o", there.name]
    process = subprocess.Popen(words, cwd=ran.folder, env=ran.environment)
    try:
        wait_until(lambda: stopped.exists() and bool(stopped.read_text()), "the table is complete")
    finally:
        process.kill()
        process.wait()
    part = ran.folder / stopped.read_text()
    stopped.unlink()
    assert there.read_bytes() == b"mine"
    assert part.name.startswith(".") and part.name.endswith(".part"), "nobody takes it for a table"
    part.unlink()
    ran.ok("results", "-q", "-o", there.name)
    assert there.read_bytes() != b"mine"

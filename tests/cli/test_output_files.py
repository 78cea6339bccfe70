"""`-o` of every command that has it: files, links, pipes and devices, and the kinds of tables."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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

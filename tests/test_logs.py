"""Logs that do not fill a disk: a log file is kept within a size, with all that its process prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from spe.logs import numbered

WRITER = """
import logging, os, sys
from pathlib import Path
from spe import logs
logs.SIZE, logs.OLDER = 5000, 2
logs.BoundedLog.__init__.__defaults__ = (logs.SIZE, logs.OLDER)
logs.log_to_standard_error(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    logging.getLogger("spe.farm").info("line %04d", number)
print("printed", flush=True)
os.write(2, b"last words\\n")
"""


def write(path: Path, lines: int) -> str:
    """Let a process log some lines into a file that is its standard output and error."""
    with path.open("ab") as log:
        subprocess.run([sys.executable, "-c", WRITER, str(path), str(lines)], stdout=log, stderr=log, check=True)
    return path.read_text()


def test_a_log_that_is_full_is_kept_beside_the_new_one_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "farm.log"
    newest = write(path, 1000)
    logs = [numbered(path, number) for number in (2, 1, 0)]
    assert sorted(tmp_path.iterdir()) == sorted(logs)
    text = "".join(one.read_text() for one in logs)
    numbers = [int(line.rpartition(" ")[2]) for line in text.splitlines() if " line " in line]
    assert numbers == list(range(numbers[0], 1000)) and numbers[0] > 0, "no line is lost between two logs"
    assert all(5000 <= one.stat().st_size < 5100 for one in logs[:2]) and path.stat().st_size < 5100
    assert newest.endswith("printed\nlast words\n")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_goes_on_where_an_earlier_process_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "farm.log"
    write(path, 3)
    assert write(path, 3).count(" line ") == 6 and list(tmp_path.iterdir()) == [path]
    path.write_bytes(b"x" * 5000)
    assert write(path, 3).count(" line ") == 3 and numbered(path, 1).read_bytes() == b"x" * 5000


def test_a_log_that_cannot_be_replaced_grows_and_says_so_seldom(tmp_path: Path) -> None:
    path = tmp_path / "farm.log"
    numbered(path, 1).touch()
    (numbered(path, 2) / "in the way").mkdir(parents=True)
    text = write(path, 1000)
    assert text.count(" line ") == 1000
    assert 1 <= text.count("no new log can be begun, so this one grows: ") <= 5


def test_standard_error_that_is_another_file_is_left_alone(tmp_path: Path) -> None:
    journal, path = tmp_path / "journal", tmp_path / "farm.log"
    path.write_text("of an earlier farm\n")
    with journal.open("ab") as log:
        subprocess.run([sys.executable, "-c", WRITER, str(path), "1000"], stdout=log, stderr=log, check=True)
    assert journal.read_text().count(" line ") == 1000
    assert path.read_text() == "of an earlier farm\n" and sorted(tmp_path.iterdir()) == [path, journal]


@pytest.mark.parametrize("number", [0, 3])
def test_older_logs_have_numbers(number: int) -> None:
    assert numbered(Path("/a/farm.log"), number) == Path("/a/farm.log.3" if number else "/a/farm.log")

"""Files written by lines for a shell: any bytes, in lines that a terminal takes."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from needs import need_program
from spe.earlier.paste_words import lines_that_write

MOST = 4096  # bytes of a line, to a terminal without line editing
CONTENTS = {
    "empty": b"",
    "a line": b"line\n",
    "no end": b"no end",
    "empty lines": b"\n\n\nx\n\n",
    "a minus": b"-n\n-e\n-",
    "percents": b"%s %d \\n \\101 100%\n",
    "quotes": b"it's a 'text'\n'\n",
    "a minus and a tab": b"-\t-",
    "all bytes": bytes(range(256)) * 10,
    "random": random.Random(1).randbytes(20_000),
    "a long line": "ä∑".encode() * 5000 + b"\n",
    "many lines": b"".join(b"line %d\n" % number for number in range(600)),
    "DOS": b"one\r\ntwo\r\n",
}


@pytest.mark.parametrize("shell", ["dash", "bash", "zsh", "ksh"])
@pytest.mark.parametrize("name", CONTENTS)
def test_the_file_has_the_bytes(name: str, shell: str, tmp_path: Path) -> None:
    lines = " &&\n".join(lines_that_write(CONTENTS[name], "file"))
    done = subprocess.run([need_program(shell, shell)], input=lines.encode(), cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "file").read_bytes() == CONTENTS[name]


@pytest.mark.parametrize("name", CONTENTS)
def test_a_line_is_short_and_has_nothing_that_a_terminal_obeys(name: str) -> None:
    for command in lines_that_write(CONTENTS[name], "file"):
        for line in command.split("\n"):
            assert line.isprintable()
            assert len(line.encode()) < MOST

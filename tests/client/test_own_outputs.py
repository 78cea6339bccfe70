"""What a program does to its own outputs costs that attempt alone: no client ends by it."""

from __future__ import annotations

import pytest

from .kit import Started
from .pretended_master import Master, task

DIRECT = "import fcntl, os; print('whole', flush=True); fcntl.fcntl(1, fcntl.F_SETFL, os.O_APPEND | os.O_DIRECT)"
INSTEAD = {
    "a folder": "rm ../stderr; mkdir ../stderr",
    "a link to itself": "rm ../stderr; ln -s stderr ../stderr",
    "a link below a file": "echo x > file; rm ../stderr; ln -s $PWD/file/x ../stderr",
    "a pipe": "rm ../stderr; mkfifo ../stderr",
}


@pytest.mark.parametrize("batch", ["Yes", "No"])
def test_an_output_that_the_program_left_in_direct_mode_is_read_as_it_is(
    master: Master, client: Started, batch: str
) -> None:
    master.config["Batch"] = batch
    direct = ("dd", "bs=4096", "oflag=direct", "if=input")
    master.add(
        task(1, "python3", "-c", DIRECT),
        task(2, *direct, inputs={"input": b"x" * 4096}),
        task(3, "sh", "-c", 'exec 1>&2; python3 -c "$0"; exit 3', DIRECT),
        task(4, "echo", "k"),
    )
    code, said = client.run("--slots", "1")
    assert code == 0, said
    assert master.completed[1].parts["stdout"] == b"whole\n"
    assert master.completed[2].parts["stdout"] == b"x" * 4096
    assert master.failed[3].parts["stderr"] == b"whole\n"
    assert master.completed[4].parts["stdout"] == b"k\n"


@pytest.mark.parametrize("size", [1, 200_000])
@pytest.mark.parametrize("batch", ["Yes", "No"])
@pytest.mark.parametrize("instead", INSTEAD.values(), ids=INSTEAD.keys())
def test_what_a_program_puts_in_the_place_of_its_stderr_ends_no_client(
    master: Master, client: Started, instead: str, batch: str, size: int
) -> None:
    master.config["Batch"] = batch
    text = f"head -c {size} /dev/zero > out; {instead}"
    master.add(task(1, "sh", "-c", text, results={"out": "out"}), task(2, "sh", "-c", f"{text}; exit 3"))
    code, said = client.run("--slots", "1")
    assert code == 0, said
    assert len(master.completed[1].parts["out"]) == size
    assert master.failed[2].reason == "exit code 3"


@pytest.mark.parametrize("size", [1, 200_000])
@pytest.mark.parametrize("batch", ["Yes", "No"])
def test_a_stdout_that_cannot_be_read_fails_its_attempt_in_words(
    master: Master, client: Started, batch: str, size: int
) -> None:
    master.config["Batch"] = batch
    text = f"head -c {size} /dev/zero > out; rm ../stdout; ln -s stdout ../stdout"
    master.add(task(1, "sh", "-c", text, results={"out": "out", "said": "stdout"}), task(2, "echo", "k"))
    code, said = client.run("--slots", "1")
    assert code == 0, said
    assert 2 in master.completed
    if batch == "Yes" and size == 1:  # then its hand reads it, by the file that it opened itself
        assert master.completed[1].parts["said"] == b""
    else:
        assert master.failed[1].reason == "result file stdout cannot be read: Too many levels of symbolic links"

"""Starting programs: the quick way and the one of old Pythons do the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from spe.client.machine import facts
from spe.client.task import spawn as module
from spe.client.task.spawn import spawn

PATH = {b"PATH": os.environb[b"PATH"]}


@pytest.fixture(params=["posix_spawn", "subprocess"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test both ways; the current directory is put back."""
    if request.param == "subprocess":
        monkeypatch.setattr(module, "_posix_spawn", None)
    here = Path.cwd()
    yield
    os.chdir(here)


def run(folder: Path, *words: str, environment: dict[bytes, bytes] | None = None) -> tuple[int, bytes]:
    """Exit code and what it printed."""
    output = os.open(folder / "printed", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        files = {0: null, 1: output, 2: output}
        pid = spawn([os.fsencode(word) for word in words], str(folder), environment or PATH, files)
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(null)
        os.close(output)
    return os.waitstatus_to_exitcode(status), (folder / "printed").read_bytes()


def program(path: Path, text: str, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_it_runs_in_its_folder_with_its_environment_alone(tmp_path: Path) -> None:
    assert run(tmp_path, "sh", "-c", "pwd; env | grep -c HOME; exit 3") == (3, f"{tmp_path}\n0\n".encode())


def test_it_leads_a_session_of_its_own(tmp_path: Path) -> None:
    script = "import os; print(os.getsid(0) == os.getpgrp() == os.getpid())"
    assert run(tmp_path, sys.executable, "-c", script) == (0, b"True\n")


def test_it_is_found_by_the_path_that_it_gets(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "thing", "#!/bin/sh\necho here\n")
    assert run(tmp_path, "thing", environment={b"PATH": os.fsencode(f"/nowhere:{tmp_path}/bin")}) == (0, b"here\n")
    with pytest.raises(FileNotFoundError):
        run(tmp_path, "thing")


def test_a_program_that_has_moved_along_the_path_is_found_again(tmp_path: Path) -> None:
    path = {b"PATH": os.fsencode(f"{tmp_path}/first:{tmp_path}/second")}
    first = program(tmp_path / "first" / "thing", "#!/bin/sh\necho first\n")
    assert run(tmp_path, "thing", environment=path) == (0, b"first\n")
    assert run(tmp_path, "thing", environment=path) == (0, b"first\n")
    program(tmp_path / "second" / "thing", "#!/bin/sh\necho second\n")
    first.unlink()
    assert run(tmp_path, "thing", environment=path) == (0, b"second\n")
    (tmp_path / "second" / "thing").unlink()
    with pytest.raises(FileNotFoundError):
        run(tmp_path, "thing", environment=path)


def test_a_path_with_the_current_folder_in_it_is_gone_through_for_each_task(tmp_path: Path) -> None:
    path = {b"PATH": os.fsencode(f".:{tmp_path}/bin")}
    program(tmp_path / "bin" / "thing", "#!/bin/sh\necho for all\n")
    program(tmp_path / "two" / "thing", "#!/bin/sh\necho its own\n")
    (tmp_path / "one").mkdir()
    assert run(tmp_path / "one", "thing", environment=path) == (0, b"for all\n")
    assert run(tmp_path / "two", "thing", environment=path) == (0, b"its own\n")
    assert run(tmp_path / "one", "thing", environment=path) == (0, b"for all\n")


def test_a_program_of_the_folder_is_called_by_its_place(tmp_path: Path) -> None:
    program(tmp_path / "thing", "#!/bin/sh\necho mine\n")
    assert run(tmp_path, "./thing") == (0, b"mine\n")
    with pytest.raises(FileNotFoundError):
        run(tmp_path, "./other")
    with pytest.raises(OSError):
        run(tmp_path, "")


def test_what_may_not_be_run_is_said_so(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "thing", "#!/bin/sh\n", 0o644)
    with pytest.raises(PermissionError):
        run(tmp_path, "bin/thing")
    with pytest.raises(PermissionError):
        run(tmp_path, "thing", environment={b"PATH": os.fsencode(f"{tmp_path}/bin:/nowhere")})


def test_a_missing_interpreter_and_a_name_that_is_none(tmp_path: Path) -> None:
    program(tmp_path / "thing", "#!/no/such/interpreter\n")
    with pytest.raises(FileNotFoundError):
        run(tmp_path, "./thing")
    with pytest.raises(ValueError):
        run(tmp_path, "a\0b")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("#!/usr/bin/python3.9\nprint()\n", "is not found on host {host}: '#!/usr/bin/python3.9'"),
        ("#!/bin/sh\r\necho\r\n", "is not found on host {host}: '#!/bin/sh\\r'"),
        ("\x7fELF", "its loader is not found on host {host}"),
        (None, "program './thing' not found on host {host}"),
    ],
)
def test_the_first_line_of_a_program_that_was_not_started_is_quoted(
    tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        program(tmp_path / "thing", content)
    fault = FileNotFoundError(2, "No such file or directory")
    told = module.why_not_started(b"./thing", str(tmp_path), fault)
    assert told.endswith(said.format(host=facts.host_name())) and "\n" not in told


def test_signals_that_python_ignores_are_as_elsewhere(tmp_path: Path) -> None:
    code, printed = run(tmp_path, "grep", "SigIgn", "/proc/self/status")
    assert code == 0 and int(printed.split()[1], 16) & (1 << 12) == 0, "SIGPIPE"


def test_no_signal_is_blocked_in_a_program_whatever_is_in_the_client(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    try:
        code, printed = run(tmp_path, "grep", "SigBlk", "/proc/self/status")
        assert code == 0 and int(printed.split()[1], 16) == 0
        assert signal.SIGCHLD in signal.pthread_sigmask(signal.SIG_BLOCK, []), "here it is still blocked"
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_program_that_is_just_being_written_is_tried_again(tmp_path: Path) -> None:
    thing = program(tmp_path / "thing", "#!/bin/sh\necho done\n")
    writer = os.open(thing, os.O_WRONLY)
    threading.Timer(0.03, os.close, (writer,)).start()
    assert run(tmp_path, "./thing") == (0, b"done\n")


def test_what_was_inherited_open_is_not_handed_on(tmp_path: Path) -> None:
    """In a process of its own, whose open files are its own."""
    script = (
        "import os, sys; from spe.client.task import spawn\n"
        "spawn.keep_files_to_ourselves()\n"
        "null = os.open(os.devnull, os.O_RDWR)\n"
        f"pid = spawn.spawn([b'ls', b'/proc/self/fd'], {str(tmp_path)!r}, dict(os.environb), {{0: null, 1: 1, 2: 2}})\n"
        "os.waitpid(pid, 0)\n"
    )
    read, write = os.pipe()
    done = subprocess.run([sys.executable, "-c", script], pass_fds=[read, write], stdout=subprocess.PIPE, check=True)
    os.close(read)
    os.close(write)
    assert done.stdout.split() == [b"0", b"1", b"2", b"3"], "its three, and that of the listing"

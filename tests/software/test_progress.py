"""What `spe run` shows while wheels are downloaded and hosts make the software of a sweep."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cli.test_terminal import Terminal
from waiting import wait_until

from .kit import SoftwareBench, wheel

pytestmark = pytest.mark.slow
HELD = 'prepare: while [ ! -e "$GATE" ]; do sleep 0.05; done\n'


class Index(ThreadingHTTPServer):
    """A page of wheels that answers when the test says so."""

    daemon_threads = True
    gate = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Index)
        self.server.gate.wait(60)
        super().do_GET()

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def index(bench: SoftwareBench) -> Iterator[Index]:
    """The wheels of the bench are found there only."""
    wheel(bench.wheels, "tool", "1.0")
    server = Index(("127.0.0.1", 0), functools.partial(Handler, directory=str(bench.wheels)))
    server.gate = threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    bench.environment["PIP_FIND_LINKS"] = server.url
    bench.write("requirements.txt", "tool\n")
    bench.write("spe.yaml", "command: python -c 'import tool'\nvenv: requirements.txt\n")
    yield server
    server.gate.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_terminal_shows_what_is_downloaded_for_which_platform(bench: SoftwareBench, index: Index) -> None:
    terminal = Terminal(bench, "run")
    wait_until(lambda: "requirements.txt: downloading wheels for linux-" in terminal.shown, "it is shown")
    index.gate.set()
    assert terminal.end() == 0
    assert "wheels (" not in terminal.shown, "a terminal has the live line instead"


def test_without_a_terminal_a_download_has_a_line_at_its_begin_and_one_at_its_end(
    bench: SoftwareBench, index: Index
) -> None:
    index.gate.set()
    done = bench.spe("run")
    assert done.code == 0, done
    lines = [line for line in done.err.splitlines() if "wheel" in line]
    assert len(lines) == 2, done
    assert lines[0].startswith("venv: requirements.txt: downloading wheels for linux-")
    assert lines[1].startswith("venv: requirements.txt: 1 wheel (")
    assert "Python 3." in lines[1]


def test_temporary_files_of_pip_go_with_the_next_run_when_this_one_is_killed(
    bench: SoftwareBench, index: Index
) -> None:
    started = bench.start("run")
    software = bench.runs() / "software"
    wait_until(lambda: list(software.glob("*.part/tmp/pip-*")), "pip is at work")
    assert not list(bench.tmp.glob("pip-*"))
    started.signal(signal.SIGKILL)
    started.process.wait()
    index.gate.set()
    assert bench.spe("run").code == 0
    assert not list(software.glob("*.part")) and not list(software.glob("*/tmp"))


def test_a_terminal_shows_how_many_hosts_are_ready(bench: SoftwareBench) -> None:
    bench.write("spe.yaml", "command: echo\n" + HELD)
    terminal = Terminal(bench, "run")
    wait_until(lambda: "setting up prepare: while" in terminal.shown, "it is shown")
    wait_until(lambda: "ready on 0 of 1 host" in terminal.shown, "and how many are ready")
    bench.open_gate()
    assert terminal.end() == 0


def test_without_a_terminal_setting_up_has_a_line_at_its_begin_and_one_at_its_end(bench: SoftwareBench) -> None:
    bench.apptainer()
    bench.write("image.sif", "x" * 3000)
    bench.write("spe.yaml", "command: echo\ncontainer: image.sif\n" + HELD)
    started = bench.start("run")
    assert started.process.stderr
    said = ""
    while "setting up" not in said:
        line = started.process.stderr.readline()
        assert line, said
        said += line
    assert "setting up 1 host: container: image.sif (3.0 kB), prepare: while [ ! -e" in said
    bench.open_gate()
    done = started.end()
    assert done.code == 0, done
    assert "software is ready on 1 of 1 host, after" in done.err
    assert "setting up" not in done.err, "it was said before"
    bench.assert_nothing_left(done)


def test_a_quiet_run_says_nothing_of_it(bench: SoftwareBench) -> None:
    bench.write("spe.yaml", "command: echo\nprepare: sleep 2\n")
    done = bench.spe("run", "-q")
    assert done.code == 0
    assert "software" not in done.err and "setting up" not in done.err

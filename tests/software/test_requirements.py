"""`venv: requirements.txt` as pip reads it, and what is refused before anything runs."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from spe.errors import ConfigError
from spe.software import requirements

from .kit import SoftwareBench, wheel
from .test_venv import sweep, versions

TODAY = "tool==1.0\n"


@pytest.mark.parametrize(
    ("text", "included"),
    [
        ('-r "sub dir/more.txt"\n', ["sub dir/more.txt"]),
        ("-r 'sub dir/more.txt'  # a comment\n", ["sub dir/more.txt"]),
        ("-r sub\\ dir/more.txt\n", ["sub dir/more.txt"]),
        ("--requirement=plain.txt\n-cplain.txt\n", ["plain.txt"]),
        ("--constraint plain.txt\n", ["plain.txt"]),
        ("-r \\\n  plain.txt\n", ["plain.txt"]),
        ("# -r never.txt\\\n-r plain.txt\n", ["plain.txt"]),
        ("-r ${WHERE}/more.txt\n", ["sub dir/more.txt"]),
        ("-r file://{here}/plain.txt\n", ["plain.txt"]),
        ("-r https://example.org/more.txt\n", []),
        ("tool \\\n  --hash=sha256:00 \\\n  --hash=sha256:11\n", []),
    ],
)
def test_a_file_includes_what_pip_would_include(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, included: list[str]
) -> None:
    monkeypatch.setenv("WHERE", f"{tmp_path}/sub dir")
    if "${WHERE}" in text:
        text = text.replace("${WHERE}/more.txt", '"${WHERE}/more.txt"')
    (tmp_path / "sub dir").mkdir()
    (tmp_path / "sub dir" / "more.txt").write_text(TODAY)
    (tmp_path / "plain.txt").write_text(TODAY)
    (tmp_path / "r.txt").write_text(text.replace("{here}", str(tmp_path)))
    requirements.check(tmp_path / "r.txt", "r.txt")
    found = [str(one.relative_to(tmp_path)) for one in requirements.files(tmp_path / "r.txt")]
    assert found == ["r.txt", *included]


def test_a_wheel_is_looked_for_where_pip_runs(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.txt").write_text("./own.whl\n")
    (tmp_path / "r.txt").write_text("-r sub/more.txt\n")
    (tmp_path / "own.whl").write_text("")
    assert tmp_path / "own.whl" in list(requirements.files(tmp_path / "r.txt"))


def test_the_value_of_a_variable_counts_and_a_password_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r.txt").write_text(
        "tool==${V}\n--index-url https://me:${KEY}@example.org/\npart @ https://me:${KEY}@example.org/p-1-py3-none-any.whl\n"
    )
    found = {}
    for version, key in (("1", "a"), ("1", "b"), ("2", "b")):
        monkeypatch.setenv("V", version)
        monkeypatch.setenv("KEY", key)
        found[version, key] = requirements.values(tmp_path / "r.txt")
    assert found["1", "a"] == found["1", "b"] != found["2", "b"]
    assert "me:" not in found["2", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "numpy\nnumpy==1.26.4; python_version < '3.9'\ntool[extra] >= 2, < 3  # why\n",
        "\n# nothing\n",
        "./own/tool-1.0-py3-none-any.whl\ntool @ file:///x/tool-1.0-py3-none-any.whl\ngit+https://example.org/x\n",
        "-e ./mypkg\n--find-links wheels\n--pre\n",
        "tool==1.0 --hash=sha256:00\n",
        "# -*- coding: latin-1 -*-\ntool  # für\n",
    ],
)
def test_what_pip_reads_is_not_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.txt").write_bytes(text.encode("latin-1"))
    requirements.check(tmp_path / "r.txt", "r.txt")


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16"])
def test_a_file_that_windows_has_written_is_read(tmp_path: Path, mark: str) -> None:
    (tmp_path / "r.txt").write_bytes("tool==1.0\r\npart\r\n".encode(mark))
    requirements.check(tmp_path / "r.txt", "r.txt")
    assert [one.text for one in requirements.lines(tmp_path / "r.txt")] == ["tool==1.0", "part"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"# mine\nname: sim\nchannels:\n  - conda-forge\ndependencies:\n  - numpy\n", "environment file of conda"),
        (b"channels: [conda-forge]\n", "environment file of conda"),
        (b"[project]\nname = 'sim'\n", "r.txt:1: "),
        (b"import numpy\n", "r.txt:1: 'import numpy' names no package"),
        (b"numpy\ntool = 1.0\n", "r.txt:2: 'tool = 1.0' names no package"),
        (b"\x7fELF\x02\x01\x00\x00", "is not a text file"),
        (b"PK\x03\x04\x14\x00\x00", "is not a text file"),
        (b"\xff\xd8\xff\xe0", "is not a text file"),
    ],
)
def test_what_is_no_requirements_file_is_told_with_what_to_write(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "r.txt").write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        requirements.check(tmp_path / "r.txt", "r.txt")
    assert words in caught.value.what
    assert "numpy==1.26.4" in caught.value.todo


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("environment.yml", b"name: sim\ndependencies: [numpy]\n", "conda pack"),
        ("requirements.txt", b"tool = 1.0\n", "names no package"),
        ("env.tar.gz", b"", "the archive env.tar.gz is empty"),
        ("env.tar.gz", b"<html>not found</html>", "the archive env.tar.gz is no tar archive"),
    ],
)
def test_a_venv_that_cannot_work_is_refused_before_any_host_is_started(
    bench: SoftwareBench, name: str, data: bytes, words: str
) -> None:
    (bench.folder / name).write_bytes(data)
    bench.write("spe.yaml", f"command: echo\nvenv: {name}\n")
    done = bench.spe("run")
    assert done.code == 2
    assert words in done.err and "spe.yaml:2" in done.err
    assert not (bench.folder / "runs").exists()


@pytest.mark.slow
def test_an_empty_image_is_refused_before_any_host_is_started(bench: SoftwareBench) -> None:
    bench.write("image.sif", "")
    bench.write("spe.yaml", "command: echo\ncontainer: image.sif\n")
    done = bench.spe("run")
    assert done.code == 2
    assert "the image image.sif is empty" in done.err and "apptainer build" in done.err


@pytest.mark.slow
def test_quotes_variables_and_continuations_reach_the_hosts(bench: SoftwareBench) -> None:
    wheel(bench.wheels, "tool", "1.0")
    wheel(bench.wheels, "tool", "2.0")
    bench.write("sub dir/more.txt", "tool \\\n  ==${VERSION}\n")
    bench.environment["VERSION"] = "1.0"
    sweep(bench, '-r "sub dir/more.txt"\n')
    assert bench.spe("run").code == 0
    assert versions(bench) == {"1.0"}
    bench.environment["VERSION"] = "2.0"
    assert bench.spe("run").code == 2, "another version is another program"
    assert bench.spe("run", "--fresh").code == 0
    assert versions(bench) == {"2.0"}


@pytest.mark.slow
def test_an_empty_environment_is_not_told_as_one_of_wheels(bench: SoftwareBench) -> None:
    bench.write("requirements.txt", "# nothing yet\n")
    bench.write("spe.yaml", "command: python -c 'pass'\nvenv: requirements.txt\n")
    done = bench.spe("run")
    assert done.code == 0
    assert "1 wheel" not in done.err
    assert "venv: requirements.txt: it names no package for linux-" in done.err


class Locked(BaseHTTPRequestHandler):
    """An index that wants a password, and has nothing for those who have one."""

    def do_GET(self) -> None:
        known = base64.b64encode(b"me:right").decode()
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        self.send_response(404 if given == known else 401)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def locked() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Locked)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.slow
def test_an_index_that_wants_a_password_is_told_as_that(bench: SoftwareBench, locked: str) -> None:
    del bench.environment["PIP_NO_INDEX"]
    bench.environment["PIP_INDEX_URL"] = f"http://me:wrong@{locked}/simple/"
    sweep(bench)
    done = bench.spe("run")
    assert done.code == 3
    assert "no version has a wheel" not in done.err
    assert f"{locked}/simple/tool/: 401 Unauthorized" in done.err
    assert "wrong" not in done.err
    assert "It wants a user name and a password" in done.err
    bench.environment["PIP_INDEX_URL"] = f"http://me:right@{locked}/simple/"
    done = bench.spe("run")
    assert "pip finds no package of this name" in done.err, "an index that answers 404 has said all"


@pytest.mark.slow
def test_an_index_that_is_down_is_told_as_that(bench: SoftwareBench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    del bench.environment["PIP_NO_INDEX"]
    bench.environment["PIP_INDEX_URL"] = f"http://{address}/simple/"
    bench.environment["PIP_RETRIES"] = "0"
    sweep(bench)
    done = bench.spe("run")
    assert done.code == 3
    assert "no version has a wheel" not in done.err
    assert f"http://{address}/simple/tool/: Connection refused" in done.err
    assert "Does this machine reach it?" in done.err

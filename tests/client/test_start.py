"""Starting: the command line, detaching, a second start, a workdir that can't be; every exit code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from needs import need
from processes import is_alive
from spe.client import VERSION, exits
from waiting import wait_until

from .kit import Started
from .pretended_master import SESSION, Master, task

TOP = Path(__file__).parents[2]


def call(client: Started, *arguments: str, told: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(client.pyz), *arguments]
    environment = client.environment(**more)
    return subprocess.run(words, capture_output=True, text=True, env=environment, input=told, timeout=60, check=False)


def test_version_is_that_of_the_project(client: Started) -> None:
    setup = ConfigParser()
    setup.read(TOP / "setup.cfg")
    done = call(client, "--version")
    assert (done.returncode, done.stdout) == (0, f"spe-client {setup['metadata']['version']}\n")
    assert setup["metadata"]["version"] == VERSION


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--master"),
        (["--master", "ftp://x"], "must look like http://HOST:PORT"),
        (["--master", "http://x:99999"], "ort"),
        (["--master", "https://x", "--fingerprint", "abc"], "64 hexadecimal digits"),
        (["--master", "http://x", "--fingerprint", "ab" * 32], "http:// shows no certificate"),
        (["--master", "http://x", "--slots", "0"], "must be 1 or more"),
        (["--master", "http://x"], "no session ID"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_wrong(client: Started, arguments: list[str], says: str) -> None:
    done = call(client, *arguments)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


def test_help_has_an_example(client: Started) -> None:
    assert "Example:" in call(client, "--help").stdout


def test_the_session_may_come_in_the_environment(master: Master, client: Started) -> None:
    done = call(client, "--master", master.url, "--workdir", str(client.workdir), SPE_SESSION=SESSION)
    assert done.returncode == 0, done.stderr


def test_where_the_master_is_may_come_on_standard_input_before_the_session(master: Master, client: Started) -> None:
    words = ("--master", "-", "--workdir", str(client.workdir))
    done = call(client, *words, told=f"{master.url}\n{SESSION}\n")
    assert done.returncode == 0, done.stderr
    nobody = call(client, *words)
    assert nobody.returncode == 2
    assert "must look like http://HOST:PORT" in nobody.stderr
    assert "Traceback" not in nobody.stderr


@pytest.mark.parametrize("more", [(), ("--detach",)])
def test_relative_paths_mean_what_they_mean_where_it_is_started(
    master: Master, client: Started, more: tuple[str, ...]
) -> None:
    """Though the client stands elsewhere while it works."""
    master.config["DeleteClient"], master.config["DeleteWorker"] = "Yes", "No"
    master.config["Setup"] = json.dumps("export STARTED_IN=$PWD")
    master.worker("prog", b"#!/bin/sh\necho $STARTED_IN; pwd\n", f"linux-{os.uname().machine}")
    master.add(task(1, "./prog"))
    words = [sys.executable, client.pyz.name, "--master", master.url, "--workdir", "work", "--log", "log", *more]
    environment = client.environment(XDG_CACHE_HOME="cache")
    done = subprocess.run(words, input=SESSION, text=True, capture_output=True, cwd=client.folder, env=environment)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: not client.workdir.exists(), "the client has removed its folder")
    began_in, here = master.completed[1].parts["stdout"].decode().split()
    assert began_in == ("/" if more else str(client.folder))
    assert here.startswith(f"{client.workdir}/spe-")
    assert "registered" in (client.folder / "log").read_text()
    assert list(client.folder.glob("cache/spe/workers/*/prog"))
    assert not client.pyz.exists()


def test_a_workdir_that_cannot_be_made_is_6(master: Master, client: Started) -> None:
    client.workdir.write_text("a file")
    code, said = client.run()
    assert code == 6
    assert str(client.workdir) in said
    assert not master.requests


def test_a_workdir_of_others_stays_with_what_is_in_it(master: Master, client: Started) -> None:
    client.workdir.mkdir()
    (client.workdir / "theirs").write_text("x")
    (client.workdir / "spe-theirs").mkdir()
    assert client.run()[0] == 0
    assert sorted(one.name for one in client.workdir.iterdir()) == ["spe-theirs", "theirs"]


def test_its_folder_is_private(master: Master, client: Started) -> None:
    master.over = False
    client.start()
    master.wait_for(lambda: master.of("/task"))
    assert client.base().stat().st_mode & 0o777 == 0o700


def detached(client: Started, *arguments: str) -> int:
    """The daemon's own process, after its parent ended well."""
    code, said = client.run("--detach", *arguments)
    assert code == 0, said
    return int((client.base() / "client.lock").read_text().split("\n")[1])


def test_detached_it_goes_on_after_its_parent_ended_and_holds_none_of_its_streams(
    master: Master, client: Started
) -> None:
    master.over = False
    pid = detached(client)  # `end` has read stdout and stderr to their ends: nobody holds them
    assert os.getsid(pid) != os.getsid(0)
    assert not any(os.readlink(f"/proc/{pid}/fd/{n}").startswith("pipe") for n in (0, 1, 2))
    assert Path(f"/proc/{pid}/cwd").resolve() == client.base(), "no folder of the user's is held"
    master.add(task(1, "echo", "on"))
    master.wait_for(lambda: 1 in master.completed)
    assert "registered with" in (client.base() / "log").read_text()
    master.finish()
    wait_until(lambda: not is_alive(pid), "the process has ended")
    wait_until(lambda: not client.workdir.exists(), "the client has removed its folder")


def test_detached_it_ends_at_sigterm_and_cleans_up(master: Master, client: Started) -> None:
    master.over = False
    pid = detached(client)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not is_alive(pid) and not client.workdir.exists(), "the client has ended and removed its folder")
    master.wait_for(lambda: master.of("/bye"))


def test_detached_a_failure_is_told_by_the_parent(master: Master, client: Started) -> None:
    code, said = client.run("--detach", session="wrong")
    assert (code, said) == (4, "spe-client: the master refuses: 403 no such session\n")
    # It says so first, and cleans up then.
    wait_until(lambda: not client.workdir.exists(), "the client has removed its folder")


def test_detached_with_hold_its_parent_stays_until_it_has_ended_and_nobody_is_an_orphan(
    master: Master, client: Started
) -> None:
    master.over = False
    process = client.start("--detach", "--hold").process
    assert process and process.stderr
    assert process.stderr.readline() == "spe-client: at work; this process stays until it has ended\n"
    pid = int((client.base() / "client.lock").read_text().split("\n")[1])
    guard = parent(pid)
    assert (parent(guard), os.getsid(pid)) == (process.pid, guard), "a session of its own"
    master.add(task(1, "echo", "on"))
    master.wait_for(lambda: 1 in master.completed)
    assert process.poll() is None
    master.finish()
    code, said = client.end()
    assert (code, said) == (0, "")
    assert not is_alive(pid) and not is_alive(guard) and not client.workdir.exists()


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_detached_with_hold_a_failure_and_another_client_are_told_at_once(master: Master, client: Started) -> None:
    master.over = False
    assert client.run("--detach", "--hold", session="wrong")[0] == 4
    wait_until(lambda: not client.workdir.exists(), "the client has removed its folder")
    pid = detached(client)
    code, said = client.run("--detach", "--hold")
    assert (code, said) == (0, "spe-client: already running here; told it the master's address\n")
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not is_alive(pid), "the process has ended")


def test_detached_and_already_running_is_0(master: Master, client: Started) -> None:
    master.over = False
    pid = detached(client)
    code, said = client.run("--detach")
    assert (code, said) == (0, "spe-client: already running here; told it the master's address\n")
    assert len(master.of("/config")) == 1
    assert (client.base() / "address").read_text() == f"{master.url}\n\n"
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not is_alive(pid), "the process has ended")


def test_a_living_client_is_told_no_address_at_which_no_master_answers(master: Master, client: Started) -> None:
    master.over = False
    pid = detached(client)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = call(client, "--master", url, "--workdir", str(client.workdir), "--detach", told=f"{SESSION}\n")
    assert done.stderr == f"spe-client: the master at {url} cannot be reached: connection refused\n"
    assert done.returncode == exits.NOT_REACHED
    assert not (client.base() / "address").exists()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not is_alive(pid), "the process has ended")


def test_a_log_file_may_be_named(master: Master, client: Started) -> None:
    log = client.folder / "it.log"
    assert client.run("--log", str(log)) == (0, "")
    assert "the sweep is over" in log.read_text()


def test_it_works_on_when_its_own_file_is_gone(master: Master, client: Started) -> None:
    master.over = False
    client.start()
    master.wait_for(lambda: master.of("/task"))
    client.pyz.unlink()
    master.add(task(1, "echo", "on"), task(2, "no-such-program"))
    master.wait_for(lambda: 1 in master.completed and 2 in master.failed)
    master.finish()
    assert client.end()[0] == 0


PYENV = Path.home() / ".pyenv" / "versions"


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8", "3.9", "3.10", "3.12", "3.13"])
def test_it_runs_under_old_and_new_pythons(master: Master, client: Started, version: str) -> None:
    python = next(iter(sorted(PYENV.glob(f"{version}.*/bin/python3"))), None) or shutil.which(f"python{version}")
    need(python, f"needs Python {version}, from pyenv or in PATH")
    master.worker("prog", b"#!/bin/sh\ncat; echo $1; sleep 600 & \n", f"linux-{os.uname().machine}")
    master.config.update(Ping="1", Setup='"A=1; export A"', Cores="1", Nice="1", DeleteClient="Yes")
    master.add(task(1, "./prog", "ü", inputs={"stdin": b"in "}), task(2, "sleep", "600", timeout=1), task(3, "nope"))
    code, said = client.run("--detach" if version == "3.6" else "--slots=2", python=str(python))
    assert code == 0, said
    master.wait_for(lambda: master.of("/bye"))
    assert master.completed[1].parts["stdout"] == "in ü\n".encode()
    assert master.failed[2].reason == "timeout after 1 s"
    assert "not found" in master.failed[3].reason
    assert "Warning" not in said
    assert not client.workdir.exists()
    assert not client.cache.exists()
    assert not client.pyz.exists()


def test_a_python_that_is_too_old_is_told_so(client: Started) -> None:
    python = next(iter(sorted(PYENV.glob("2.7.*/bin/python2.7"))), None) or shutil.which("python2.7")
    need(python, "needs Python 2.7, from pyenv or in PATH")
    assert python
    done = subprocess.run([python, client.pyz, "--version"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 7
    assert done.stderr.startswith("spe-client: needs Python 3.6 or newer, this is 2.7")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("version", ["3.6", "3.13"])
def test_names_that_are_not_ascii_work_without_a_locale(master: Master, client: Started, version: str) -> None:
    python = next(iter(sorted(PYENV.glob(f"{version}.*/bin/python3"))), None) or shutil.which(f"python{version}")
    need(python, f"needs Python {version}, from pyenv or in PATH")
    master.worker("prüf", "#!/bin/sh\necho $Ä_ $B; cat süß.txt\n".encode(), f"linux-{os.uname().machine}")
    master.config["Setup"] = '"B=gr\\u00fcn; export B # ü"'
    record = task(1, "./prüf", inputs={"süß.txt": "ö".encode()}, results={"r": "stdout", "q": "nö.txt"})
    master.add(record, task(2, "./prüf", inputs={"süß.txt": "ö".encode()}), task(3, "nüll"))
    code, said = client.run("--host", "hößt", python=str(python), LC_ALL="C", LANG="C", PYTHONCOERCECLOCALE="0")
    assert code == 0, said
    assert master.failed[1].reason == "result file nö.txt was not written"
    assert master.failed[3].reason.startswith("program 'nüll' not found")
    assert master.completed[2].parts["stdout"].endswith("grün\nö".encode())
    assert master.of("/config")[0].query["host"] == ["hößt"]


def test_a_log_that_cannot_be_written_is_said_in_one_line(master: Master, client: Started) -> None:
    code, said = client.run("--log", str(client.folder / "none" / "log"))
    assert (code, said.count("\n")) == (1, 1)
    assert "No such file or directory" in said
    assert not client.workdir.exists()

"""A sweep on another machine, looked at over SSH (`--at`); and hosts that come and go while a sweep runs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import spe
from lab import USER, Boot, Lab, LabHost
from needs import need
from waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
LAB_HOSTS = 3
HOME = f"/home/{USER}"
GATED = "#!/bin/sh\nwhile [ ! -e {gate} ]; do sleep 0.05; done\necho $1\n"
THREE = "name: far\ncommand: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\nhosts: [localhost slots=2]\n"


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of spe, to its end."""
    command = [sys.executable, "-m", "spe", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    print(words, done.returncode, done.stdout, done.stderr, sep="\n")
    return done


def ask(folder: Path, *words: str) -> Any:
    done = run(folder, *words, "--json")
    assert done.returncode == 0
    return json.loads(done.stdout)


def programs(host: LabHost) -> int:
    """Count the programs of a sweep that run there."""
    return len(host.root("pgrep", "-f", "^/bin/sh ./work", check=False).stdout.split())


def is_idle(host: LabHost) -> bool:
    """Tell whether no process of the user runs there: also none that the test started without SSH."""
    return not host.root("pgrep", "-u", USER, check=False).stdout


# -- from another machine


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """spe as it is installed, and what it needs, to be shown to a host."""
    lib = tmp_path_factory.mktemp("lib")
    lib.chmod(0o755)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(spe.__file__).resolve().parent, lib / "spe", ignore=unwanted)
    found = find_spec("spe.client")
    assert found and found.submodule_search_locations
    client = next(iter(found.submodule_search_locations))
    shutil.copytree(client, lib / "spe/client", ignore=unwanted, dirs_exist_ok=True)
    library = find_spec("aiohttp")
    assert library and library.origin
    return lib, Path(library.origin).parents[1]


@pytest.fixture
def far(lab: Lab, hosts: list[LabHost], installed: tuple[Path, Path]) -> LabHost:
    """A host with spe below ~/.local/bin, where its user has a sweep in ~/sweeps/far."""
    host = hosts[0]
    host.boot(Boot(binds=((installed[0], f"{HOME}/lib"), (installed[1], f"{HOME}/site"))))
    same = host.shell("python3 -c 'import sys; print(*sys.version_info[:2])'").stdout.split()
    need([int(n) for n in same] == list(sys.version_info[:2]), "needs this very Python as the system's, too")
    say = 'exec env PYTHONPATH=$HOME/lib:$HOME/site python3 -m spe "$@"'
    host.shell(f"mkdir -p .local/bin sweeps/far; printf '#!/bin/sh\\n{say}\\n' > .local/bin/spe")
    host.shell("chmod +x .local/bin/spe")
    host.shell("cat > sweeps/far/spe.yaml <<'E'\n" + THREE + "E\n")
    host.shell("cat > sweeps/far/work <<'E'\n" + GATED.format(gate="~/gate") + "E\nchmod +x sweeps/far/work")
    return host


@pytest.fixture
def running(far: LabHost) -> Iterator[LabHost]:
    """The sweep runs there, detached."""
    begun = far.shell("cd sweeps/far; ~/.local/bin/spe run --detach -q", check=False)
    assert begun.returncode == 0, begun.stderr
    yield far
    far.shell("touch gate")
    wait_until(lambda: is_idle(far), "the sweep there has ended")


def test_what_reads_shows_a_sweep_of_another_machine_with_its_output_and_exit_code(
    lab: Lab, running: LabHost, tmp_path: Path
) -> None:
    there = ("--at", f"{USER}@h01:sweeps/far", "-F", str(lab.ssh_config))
    wait_until(lambda: ask(tmp_path, "status", *there)["running"] == 2, "two programs run there")
    assert ask(tmp_path, "top", *there)["sweep"]["name"] == "far"
    assert ask(tmp_path, "hosts", *there)[0]["running"] == 2
    assert run(tmp_path, "top", *there).stdout.startswith("far: 0 of 3 sets done, 0 failed, 2 running")
    assert "it is next" in run(tmp_path, "why", "3", *there).stdout
    events = [sys.executable, "-m", "spe", "events", *there]
    with subprocess.Popen(events, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout and json.loads(listening.stdout.readline())["event"] == "state"
        running.shell("touch gate")
        last = [json.loads(line) for line in listening.stdout][-1]
    assert listening.returncode == 0 and last["event"] in ("change", "note")
    wait_until(lambda: ask(tmp_path, "status", *there)["done"] == 3, "it is through")
    wait_until(lambda: ask(tmp_path, "status", *there)["run"] is None, "the run has ended")
    assert run(tmp_path, "results", f"--at={USER}@h01:~/sweeps/far", f"-F{lab.ssh_config}").stdout.count("\n") == 4
    assert "== task 2 (x=2)" in run(tmp_path, "log", "2", *there).stdout
    assert "task 2: done" in run(tmp_path, "show", "2", *there).stdout
    refused = run(tmp_path, "show", "7", *there)
    assert refused.returncode == 2 and "there is no task 7" in refused.stderr


def test_what_steers_does_so_there_and_a_retry_outlives_its_connection(
    lab: Lab, running: LabHost, tmp_path: Path
) -> None:
    there = ("--at", f"{USER}@h01:sweeps/far", "-F", str(lab.ssh_config))

    def state(key: str) -> Any:
        return ask(tmp_path, "status", *there)[key]

    wait_until(lambda: state("running") == 2, "two sets are given out there")
    wait_until(lambda: programs(running) == 2, "their programs run")
    assert "work" in run(tmp_path, "ask", *there, "1", "--", "ls", "-F").stdout, "-F is an option of ls here"
    assert run(tmp_path, "pause", *there).returncode == 0
    assert run(tmp_path, "cancel", "1", *there).returncode == 0
    wait_until(lambda: state("cancelled") == 1, "it is cancelled")
    assert run(tmp_path, "resume", *there).returncode == 0
    # Not quiet: its first numbers say that it follows the run, which is not over yet.
    following = subprocess.Popen(
        [sys.executable, "-m", "spe", "attach", *there], cwd=tmp_path, stderr=(tmp_path / "followed").open("wb")
    )
    wait_until(lambda: "of 3 sets done" in (tmp_path / "followed").read_text(), "it follows")
    assert run(tmp_path, "stop", "--now", *there).returncode == 0
    assert following.wait(60) == 130
    wait_until(lambda: state("run") is None, "the run has ended")
    begun = run(tmp_path, "retry", "1", *there)
    assert begun.returncode == 0
    wait_until(lambda: state("running") == 2, "it runs without a connection")


def test_who_is_logged_in_over_ssh_gets_a_line_that_opens_the_page_where_he_sits(lab: Lab, far: LabHost) -> None:
    """The line is pasted here, where this login came from."""
    login = ["ssh", "-F", str(lab.ssh_config), far.name]
    begun = subprocess.run(
        [*login, "cd sweeps/far; ~/.local/bin/spe run --detach"], capture_output=True, text=True, timeout=60, check=True
    )
    page = next(line.removeprefix("page: ") for line in begun.stderr.splitlines() if line.startswith("page: "))
    line = next(line.partition("run there: ")[2] for line in begun.stderr.splitlines() if "run there: " in line)
    words = shlex.split(line)
    assert words[0] == "ssh"
    with subprocess.Popen([*words[:1], "-F", str(lab.ssh_config), *words[1:]]) as way:
        try:
            wait_until(lambda: _answers(page), "the page is there")
        finally:
            way.terminate()
    far.shell("touch gate")
    wait_until(lambda: is_idle(far), "the sweep there has ended")


def _answers(page: str) -> bool:
    try:
        with urllib.request.urlopen(page, timeout=5) as answer:
            return b"far" in answer.read()
    except OSError:
        return False


@pytest.mark.parametrize("words", [("log", "1", "-f"), ("events",)])
def test_what_is_followed_there_ends_with_who_follows_it(
    lab: Lab, running: LabHost, tmp_path: Path, words: tuple[str, ...]
) -> None:
    def there() -> list[str]:
        return [one.line for one in running.processes(user_only=True) if f"-m spe {words[0]}" in one.line]

    at = ("--at", f"{USER}@h01:sweeps/far", "-F", str(lab.ssh_config))
    wait_until(lambda: ask(tmp_path, "status", *at)["running"] == 2, "two programs run there")
    following = subprocess.Popen([sys.executable, "-m", "spe", *words, *at], cwd=tmp_path, stdout=subprocess.DEVNULL)
    wait_until(there, "it is followed")
    following.kill()
    following.wait()
    wait_until(lambda: not there(), "nobody follows it")


def test_where_spe_folder_or_host_is_missing_it_says_what_was_looked_for(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    def refused(at: str) -> str:
        done = run(tmp_path, "status", "--at", at, "-F", str(lab.ssh_config))
        assert done.returncode == 2 and not done.stdout and "Traceback" not in done.stderr
        return done.stderr

    hosts[1].shell("mkdir sweeps")
    told = refused("h02:sweeps")
    assert "spe: spe is not installed there" in told and "~/.local/bin/spe" in told and "python3 -m spe" in told
    assert "there is no folder it's not there" in refused("h02:it's not there")
    assert "ssh cannot connect" in refused("no-such-host.invalid:sweeps")
    assert "not [user@]host:folder" in refused("sweeps")
    hosts[2].boot(Boot(new_host_key=True))
    assert "HOST IDENTIFICATION HAS CHANGED" in refused("h03:sweeps")


def test_where_nothing_runs_there_its_advice_is_not_for_here(lab: Lab, far: LabHost, tmp_path: Path) -> None:
    done = run(tmp_path, "cancel", "5", "--at", "h01:sweeps/far", "-F", str(lab.ssh_config))
    assert done.returncode == 2
    assert done.stderr.startswith("spe: h01:sweeps/far: ")
    assert "`spe run` starts it" in done.stderr
    assert "This is about h01:sweeps/far: log in there first" in done.stderr


def test_a_folder_can_have_a_spe_of_its_own_and_any_shell_takes_the_words_as_they_are(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    """Whatever is in them: nothing of it is run by a shell on the way."""
    hosts[1].shell("mkdir -p \"a b/.venv/bin\"; printf '#!/bin/sh\\npwd; echo \"$@\"; exit 7\\n' > 'a b/.venv/bin/spe'")
    hosts[1].shell("chmod +x 'a b/.venv/bin/spe'")
    done = run(tmp_path, "status", "-n", "x; touch $HOME/bad `id` 'y", "--at", "h02:a b", "-F", str(lab.ssh_config))
    assert done.stdout == f"{HOME}/a b\nstatus -n x; touch $HOME/bad `id` 'y\n"
    assert done.returncode == 7
    assert hosts[1].shell("ls").stdout == "a b\n"


# -- hosts that come and go


@pytest.fixture
def gated(tmp_path: Path) -> Path:
    """A sweep whose programs run until the file `gate` is in the home of their user."""
    (tmp_path / "work").write_text(GATED.format(gate='"$HOME"/gate'))
    (tmp_path / "work").chmod(0o755)
    (tmp_path / "spe.yaml").write_text(
        "name: far\ncommand: ./work {{ x }}\nparameters: {grid: {x: {range: [1, 8]}}}\nping: 1\nonce: true\n"
        "hosts: hosts.txt\n"
    )
    return tmp_path


def start(folder: Path, lab: Lab, hosts: str) -> subprocess.Popen[str]:
    (folder / "hosts.txt").write_text(hosts)
    command = [sys.executable, "-m", "spe", "run", "-F", str(lab.ssh_config)]
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip


def states(folder: Path) -> dict[str, tuple[str, int]]:
    if not (folder / "runs/far/master.json").exists():
        return {}
    return {host["host"]: (host["state"], host["running"]) for host in ask(folder, "hosts") if "running" in host}


def test_a_line_of_the_hosts_file_that_comes_is_started_and_one_that_goes_is_left_as_it_was_found(
    lab: Lab, hosts: list[LabHost], gated: Path
) -> None:
    before = hosts[0].files()
    process = start(gated, lab, "h01 slots=2\n")
    wait_until(lambda: states(gated).get("h01") == ("up", 2), "h01 works")
    (gated / "hosts.txt").write_text("h02 slots=3\n")
    wait_until(lambda: states(gated) == {"h01": ("drained", 2), "h02": ("up", 3)}, "h02 works, h01 gets nothing new")
    hosts[0].shell("touch gate")
    wait_until(lambda: not hosts[0].processes(user_only=True), "the client of h01 has left")
    hosts[0].shell("rm gate")
    assert hosts[0].files() == before
    wait_until(lambda: states(gated)["h01"] == ("drained", 0), "the picture, which is drawn now and then, says so")
    hosts[1].shell("touch gate")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert {h["host"]: h["tasks"] for h in ask(gated, "status")["hosts"]} == {"h01": 2, "h02": 6}


def test_a_host_that_is_added_to_a_sweep_on_this_machine_reaches_the_master_through_its_connection(
    lab: Lab, hosts: list[LabHost], gated: Path
) -> None:
    process = start(gated, lab, "localhost slots=1\n")
    wait_until(lambda: states(gated).get("localhost") == ("up", 1), "it works here")
    done = run(gated, "hosts", "add", "h03", "slots=2")
    assert done.returncode == 0 and done.stderr == "h03: being started\n"
    wait_until(lambda: states(gated).get("h03") == ("up", 2), "h03 works")
    assert run(gated, "hosts", "drain", "localhost").returncode == 0
    hosts[2].shell("touch gate")
    wait_until(lambda: ask(gated, "status")["done"] == 7, "h03 has done all but one")
    (gated / "gate").touch()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err

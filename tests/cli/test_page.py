"""`spe page`: the address of a running sweep's page, and the page of a run that is over."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_until

from .kit import Bench

SWEEP = "name: held\ncommand: ./work {{ x }}\nparameters: {grid: {x: [1, 2]}}\nhosts: [localhost slots=2]\n"
SSH = "10.0.0.7 50000 10.0.0.9 2222"


def fetched(address: str, path: str = "", body: bytes | None = None) -> tuple[int, str]:
    base, _, token = address.partition("/?")
    try:
        with urllib.request.urlopen(f"{base}/{path}?{token}", body, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def running(bench: Bench) -> Iterator[Bench]:
    """A sweep of two sets that run until the gate is there."""
    bench.write("spe.yaml", SWEEP)
    bench.worker('while [ ! -e "$GATE" ]; do sleep 0.1; done; echo "$1"\n')
    run = bench.start("run", "-q")
    wait_until(lambda: (bench.runs("held") / "master.json").exists(), "it runs")
    yield bench
    Path(bench.environment["GATE"]).touch()
    run.end()


def test_of_a_running_sweep_the_address_is_printed_and_the_command_ends(running: Bench) -> None:
    known = json.loads((running.runs("held") / "master.json").read_text())["page"]
    for words in ([], ["held"], ["runs/held"], ["-n", "held"]):
        done = running.ok("page", *words)
        assert (done.out, done.err) == (f"{known}\n", "")
    assert fetched(known)[0] == 200 and fetched(known, "act", b'{"do": "pause"}')[0] == 403


def test_a_running_sweep_cannot_be_the_first_of_two_from_different_folders(running: Bench, tmp_path: Path) -> None:
    other = tmp_path / "runs" / "held"
    other.mkdir(parents=True)
    (other / "sweep.db").touch()
    done = running.spe("page", "held", "--beside", str(other))
    assert done.code == 2 and not done.out and len(done.err.splitlines()) == 2
    assert "held is still running: its master's page shows only the runs beside it" in done.err


def test_with_act_the_address_is_one_that_acts(running: Bench) -> None:
    address = running.ok("page", "--act").out.strip()
    status, said = fetched(address, "act", b'{"do": "pause"}')
    assert status == 200 and "paused" in said
    assert "You may act on this sweep here." in fetched(address)[1]
    overview = fetched(running.ok("page").out.strip())[1]
    assert "spe page --act" in overview and "secrets.json" not in overview


def test_over_ssh_the_line_that_makes_the_page_reachable_is_printed(running: Bench) -> None:
    running.environment["SSH_CONNECTION"] = SSH
    done = running.ok("page")
    port = done.out.partition("127.0.0.1:")[2].partition("/")[0]
    assert f"ssh -N -L {port}:127.0.0.1:{port} -p 2222 " in done.err and "@10.0.0.9" in done.err
    assert running.ok("page", "-q").err == ""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("ended"))
    made.write("spe.yaml", SWEEP)
    made.worker('echo "$1"\n')
    made.ok("run")
    yield made
    made.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_over_is_served_until_it_is_told_to_end(ended: Bench, number: int) -> None:
    ended.environment["SSH_CONNECTION"] = SSH
    page = ended.start("page", "held")
    assert page.process.stdout
    address = page.process.stdout.readline().strip()
    status, text = fetched(address)
    assert status == 200 and "changes nothing" in text and "noscript" not in text
    assert fetched(address, "plot.csv") == (200, "number,x,stdout\n1,1.0,1.0\n2,2.0,2.0\n")
    page.signal(number)
    done = page.end()
    assert done.code == 0 and "ssh -N -L " in done.err and "Ctrl-C ends it" in done.err


def test_a_port_can_be_named_and_one_in_use_is_told(ended: Bench) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = ended.spe("page", "--port", str(port))
    assert done.code == 2 and f"port {port} cannot be used: Address already in use" in done.err
    page = ended.start("page", "--port", str(port))
    assert page.process.stdout and f":{port}/?token=" in page.process.stdout.readline()
    page.signal(signal.SIGTERM)
    assert page.end().code == 0


def test_bad_input_is_one_sentence_and_what_to_do(ended: Bench, tmp_path: Path) -> None:
    done = ended.spe("page", "other")
    assert done.code == 2 and done.err == "spe: runs/: there is no run other\n  There are: held.\n"
    done = ended.spe("page", "--beside", "other")
    assert done.code == 2 and done.err == "spe: runs/: there is no run other\n  There are: held.\n"
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "master.log").touch()
    done = ended.spe("page", str(tmp_path / "half"))
    assert done.code == 2 and len(done.err.splitlines()) == 2 and "there is no run" in done.err
    done = ended.spe("page", "--act")
    assert done.code == 2 and "nothing runs here" in done.err and "`spe page` shows what is stored" in done.err
    empty = Bench(tmp_path)
    assert "nothing has run here" in empty.spe("page").err
    assert "there is no run x" in empty.spe("page", "x").err


def test_a_killed_run_is_shown_from_what_is_stored(bench: Bench) -> None:
    bench.write("spe.yaml", SWEEP)
    bench.worker('[ "$1" = 1 ] || sleep 60; echo "$1"\n')
    run = bench.start("run", "-q")
    wait_until(lambda: bench.query("SELECT 1 FROM tasks WHERE state = 'done'", "held"), "one set is done")
    run.process.kill()
    run.process.wait()
    page = bench.start("page")
    assert page.process.stdout
    status, text = fetched(page.process.stdout.readline().strip(), "results")
    assert status == 200 and "1 to 1 of 1" in text
    page.signal(signal.SIGINT)
    assert page.end().code == 0

"""Folders that spe 0.1.0 left are taken over: nothing finished runs again, nothing is asked, its clients do no harm.

The samples were made by spe 0.1.0 itself: a sweep with scripts under `inputs:`, one whose master was killed, and one of
two one-liners in one folder.
"""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from waiting import wait_until

from .kit import Bench

SAMPLES = Path(__file__).parent / "samples" / "0.1.0"


def taken(bench: Bench, sample: str, name: str) -> None:
    """A project folder as 0.1.0 left it."""
    shutil.copytree(SAMPLES / sample, bench.folder, dirs_exist_ok=True)
    (bench.folder / "runs").mkdir()
    (bench.folder / "run").rename(bench.folder / "runs" / name)
    (bench.root / "gate").touch()


@pytest.fixture
def scripts(bench: Bench) -> Bench:
    taken(bench, "scripts", "sweep")
    return bench


def test_a_sweep_with_scripts_under_inputs_is_finished_still(scripts: Bench) -> None:
    before = scripts.rows()
    scripts.ok("run")
    assert scripts.rows() == before
    assert scripts.query("SELECT max(id) FROM tickets") == [(4,)], "nothing ran again"
    assert "program: not recorded" in scripts.ok("show", "1").out
    assert json.loads(scripts.ok("show", "1", "--json").out)["program"] is None
    scripts.ok("run")
    scripts.write("helper.py", "def square(x):\n    return -x\n")
    assert "helper.py" in scripts.refused("run")
    scripts.ok("run", "--fresh")
    assert [row["y"] for row in scripts.rows()] == ["-1 data", "-2 data", "-3 data", "-4 data"]
    assert "helper.py" in scripts.ok("show", "1").out


def test_with_a_new_set_only_that_one_runs(scripts: Bench) -> None:
    text = (scripts.folder / "spe.yaml").read_text()
    scripts.write("spe.yaml", text.replace("[1, 4]", "[0, 4]"))
    scripts.ok("run")
    assert [(row["number"], row["n"]) for row in scripts.rows()] == [("5", "0"), *((n, n) for n in "1234")]
    scripts.write("data.txt", "other")
    scripts.ok("run")
    assert {row["y"].split()[1] for row in scripts.rows()} == {"other"}
    scripts.write("data.txt", "data\n")
    scripts.ok("run")
    assert [row["number"] for row in scripts.rows()] == ["5", "1", "2", "3", "4"]


def test_a_sweep_whose_master_was_killed_goes_on_with_a_session_of_its_own(bench: Bench) -> None:
    taken(bench, "interrupted", "sweep")
    old = json.loads((bench.runs() / "session" / "secrets.json").read_text())
    bench.ok("run")
    assert [row["y"] for row in bench.rows()] == [f"old {n}" for n in range(1, 7)]
    assert bench.query("SELECT id FROM tickets WHERE task <= 2") == [(1,), (2,)], "what was done is done"
    assert {state for (state,) in bench.query("SELECT state FROM tickets WHERE id BETWEEN 3 AND 5")} == {"lost"}
    assert not (bench.runs() / "session").exists()
    assert old["session"]


def status(url: str, body: bytes | None = None) -> int:
    """Of a request as a client makes it."""
    head = {"Content-Type": "multipart/form-data; boundary=b"} if body else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, head), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_client_of_the_old_session_is_turned_away(bench: Bench) -> None:
    """It asks with the ID that it was given, on the port that it knows, and brings a result for a ticket of before."""
    taken(bench, "interrupted", "sweep")
    (bench.root / "gate").unlink()
    old = json.loads((bench.runs() / "session" / "secrets.json").read_text())
    run = bench.start("run")
    master = bench.runs() / "master.json"
    wait_until(lambda: old["session"] not in master.read_text(), "the master is up")
    facts = json.loads(master.read_text())
    url, session = facts["url"], facts["session"]
    for path in (f"/task?sessionID={old['session']}", f"/ping?sessionID={old['session']}&ticket=3"):
        assert status(url + path) == 403
    body = b'--b\r\nContent-Disposition: form-data; name="y"\r\n\r\nforged\r\n--b--\r\n'
    late = "/complete?sessionID={}&ticket=3"
    assert status(url + late.format(old["session"]), body) == 403
    status(url + late.format(session), body)  # nor does its ticket count
    (bench.root / "gate").touch()
    assert run.end().code == 0
    assert [row["y"] for row in bench.rows()] == [f"old {n}" for n in range(1, 7)]

"""`spe farm start`, `stop`, `status`, `check`, `hosts`, `users` and `log`, typed by real accounts."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from needs import need_program
from spe.logs import SIZE, numbered
from spe.pool.gate.public_folder import PublicFolder
from spe.version import __version__
from waiting import wait_until

from ..gate.kit import ADA, ADA_UID, BEN, BEN_UID, FARM, FARM_UID, as_account
from ..gate.test_doorstep import home, place

__all__ = ["place"]
HERE = socket.gethostname().partition(".")[0]
# Python may lie where other accounts cannot look; their own files stay their own, by their modes.
SEARCH = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


class Desk:
    """The administrator's terminal on the farm's host."""

    def __init__(self, place: Path) -> None:
        self.place, self.public = place, place / "farm"
        self.hosts = place / "cluster.txt"
        self.hosts.write_text("localhost slots=2\n")
        self.users = place / "users.txt"
        self.users.write_text(f"{ADA}\n")

    def type(self, *words: str, uid: int = FARM_UID, public: bool = True, **more: str) -> tuple[int, str]:
        """Type `spe farm WORDS`; return exit code and all that it printed."""
        path = os.pathsep.join(one for one in sys.path if one)
        command = [*as_account(uid), *SEARCH, sys.executable, "-m", "spe", "farm", *words]
        if public:
            command += ["--public", str(self.public)]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": str(home(self.place, uid)), **more}
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/", env=environment)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr

    def ok(self, *words: str, **more: Any) -> str:
        code, said = self.type(*words, **more)
        assert code == 0, said
        return said

    def start(self, *words: str) -> str:
        files = ("--hosts", str(self.hosts), "--users", str(self.users), "--listen", "127.0.0.1:")
        return self.ok("start", *files[:-1], f"127.0.0.1:{free_port()}", *words)

    def status(self) -> Any:
        return json.loads(self.ok("status", "--json"))

    def host(self, name: str) -> Any:
        found = {one["name"]: one for one in self.status()["hosts"]}
        return found.get(name)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def desk(place: Path) -> Iterator[Desk]:
    made = Desk(place)
    yield made
    made.type("stop")


def test_a_farm_is_started_looked_at_joined_and_stopped(desk: Desk) -> None:
    said = desk.start()
    assert "1 of 1 hosts let you in" in said
    assert f"join with:  spe farm join {HERE} --account {FARM} --public {desk.public}" in said
    status = desk.status()
    assert (status["epoch"], status["jobs"], status["silence"], status["deals"]) == (1, {}, "", True)
    code, again = desk.type("start", "--hosts", str(desk.hosts))
    assert code == 2 and f"the farm runs already: process {status['pid']}, since " in again
    # The first user, as an account of his own.
    joined = desk.ok("join", HERE, "--account", FARM, uid=ADA_UID)
    assert f"as {ADA}" in joined
    assert re.search(rf"^{ADA} +{HERE} +", desk.ok("users", "tokens"), re.M)
    assert re.search(rf"^{ADA} on {HERE}: spe {re.escape(__version__)}, ", desk.ok("status"), re.M)
    assert f"process {status['pid']}; jobs go on" in desk.ok("stop")
    left = Path(f"/proc/{status['pid']}/cmdline")  # empty for one that init has not taken yet
    assert not left.exists() or not left.read_bytes()
    code, gone = desk.type("status")
    assert code == 2 and f"no farm of the account {FARM} runs on this host" in gone
    assert desk.type("stop") == (2, gone)


def test_the_farm_goes_on_where_it_was_with_what_was_done_by_hand(desk: Desk) -> None:
    desk.start()
    before = desk.status()
    wait_until(lambda: desk.host(HERE)["reason"] != "its watcher was not heard yet", "the host is heard", seconds=60)
    desk.ok("hosts", "drain", HERE)
    desk.ok("users", "disable", ADA)
    desk.ok("stop")
    desk.start()
    after = desk.status()
    assert (after["farm"], after["epoch"], after["fingerprint"]) == (before["farm"], 2, before["fingerprint"])
    assert desk.host(HERE)["reason"] == "drained by hand"
    users = json.loads(desk.ok("users", "--json"))
    assert [(one["name"], one["enabled"]) for one in users] == [(ADA, False)]
    desk.ok("hosts", "use", "--all")
    assert desk.host(HERE)["active"]


def test_a_farm_that_was_killed_is_no_longer_there_and_is_started_again(desk: Desk) -> None:
    desk.start()
    os.kill(desk.status()["pid"], signal.SIGKILL)
    wait_until(lambda: "no farm of the account" in desk.type("status")[1], "its end is seen")
    desk.start()
    assert desk.status()["epoch"] == 2


def test_a_restored_registry_gets_a_new_id(desk: Desk) -> None:
    desk.start()
    before = desk.status()["farm"]
    desk.ok("stop")
    desk.start("--new-id")
    assert desk.status()["farm"] != before


def test_the_hosts_file_is_read_again_and_an_error_in_it_is_shown(desk: Desk) -> None:
    desk.start()
    desk.hosts.write_text("localhost slots=3\nlicence abaqus=2\n")
    wait_until(lambda: desk.host(HERE)["slots"] == 3, "the new line counts", seconds=30)
    desk.hosts.write_text("localhost slots=3\nsetting longg=1h\n")
    wait_until(lambda: desk.status()["files"], "the error is shown", seconds=30)
    told = f"{desk.hosts}:2: there is no setting 'longg'. Did you mean long?"
    assert f"not read: {told}" in desk.ok("status")
    code, said = desk.type("check")
    assert code == 1 and f"files: {told}" in said
    assert told in desk.ok("log", "--level", "error", public=False)
    assert "listens at" not in desk.ok("log", "--level", "error", public=False)


def test_a_log_that_is_full_is_kept_beside_a_new_one_and_both_are_printed(desk: Desk) -> None:
    desk.start()
    desk.ok("stop")
    path = home(desk.place, FARM_UID) / ".local" / "share" / "spe" / "farm" / "farm.log"
    with path.open("a") as log:
        log.writelines(["2026-12-03 00:00:00,000 WARNING spe.farm: it was long ago\n"] * (SIZE // 50))
    desk.start()
    assert numbered(path, 1).stat().st_size > SIZE > 10_000 > path.stat().st_size
    said = desk.ok("log", public=False)
    assert "it was long ago" in said and said.count(" listens at ") == 2
    assert [one.stat().st_mode & 0o777 for one in (path, numbered(path, 1))] == [0o600, 0o600]


def test_another_account_administers_nothing(desk: Desk) -> None:
    desk.start()
    # It looks for a farm of its own account there. (Without the right to open others' files: no farm.)
    code, said = desk.type("status", uid=BEN_UID)
    assert code == 2 and f"belongs to uid {FARM_UID}" in said
    program = (
        "from spe.pool.joining.socket_check import ask; import sys, json;"
        f"print(json.dumps(ask({FARM!r}, sys.argv[1], {{'do': 'administer', 'spe': '0.2.0'}})))"
    )
    words = [*as_account(ADA_UID), sys.executable, "-c", program, str(desk.public)]
    environment = {"PYTHONPATH": os.pathsep.join(one for one in sys.path if one), "PATH": os.environ["PATH"]}
    done = subprocess.run(words, capture_output=True, text=True, cwd="/", env=environment, timeout=60, check=True)
    assert "only the account that runs the farm" in json.loads(done.stdout)["error"]
    assert "token" not in json.loads(done.stdout)


def test_the_administrator_is_no_user_and_submits_nothing(desk: Desk) -> None:
    desk.start()
    assert FARM not in desk.ok("users")
    code, said = desk.type("hosts", "drain", "lab99")
    assert code == 2 and "there is no host lab99" in said
    code, said = desk.type("users", "disable", "nobody-there")
    assert code == 2 and "there is no user 'nobody-there'" in said


def test_a_user_with_the_role_administers_by_the_token_of_a_member_and_another_does_not(desk: Desk) -> None:
    desk.users.write_text(f"{ADA} admin\n{BEN}\n")
    desk.start()
    for uid in (ADA_UID, BEN_UID):
        desk.ok("join", HERE, "--account", FARM, uid=uid)
    assert "drained by hand" in desk.ok("hosts", "drain", HERE, uid=ADA_UID, public=False)
    assert "jobs: none" in desk.ok("status", "--farm", HERE, uid=ADA_UID, public=False)
    assert HERE in desk.ok("hosts", uid=BEN_UID, public=False)
    code, said = desk.type("hosts", "use", HERE, uid=BEN_UID, public=False)
    assert code == 2 and f"{BEN} may not change hosts" in said
    code, said = desk.type("status", uid=BEN_UID, public=False)
    assert code == 2 and f"{BEN} may not see the status" in said


def test_a_user_without_a_login_here_joins_by_a_code_that_the_administrator_made(desk: Desk) -> None:
    desk.start()
    port, fingerprint, code = desk.ok("users", "add", "cyd", "--code").strip().split(".")
    status = desk.status()
    assert (f"https://127.0.0.1:{port}", fingerprint) == (status["urls"][0], status["fingerprint"])
    assert len(code) == 32


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("lab01 slots=x\n", "cluster.txt:1: "),
        ("lab01\nlab01\n", "cluster.txt:2: lab01 stands in "),
        ("# nobody\n", "cluster.txt: names no host"),
        ("lab01 most=3 slots=2\n", "cluster.txt:1: most=3 is more than slots=2"),
    ],
)
def test_a_wrong_hosts_file_is_named_with_its_line(desk: Desk, text: str, wanted: str) -> None:
    desk.hosts.write_text(text)
    code, said = desk.type("start", "--hosts", str(desk.hosts))
    assert code == 2 and wanted in said
    assert not desk.public.exists()


def test_a_wrong_users_file_is_named_with_its_line(desk: Desk) -> None:
    desk.users.write_text(f"{ADA}\nben boss\n")
    code, said = desk.type("start", "--hosts", str(desk.hosts), "--users", str(desk.users))
    assert code == 2 and "users.txt:2: the role is member or admin, not 'boss'" in said


def test_what_keeps_a_farm_from_starting_is_said_where_it_was_typed(desk: Desk) -> None:
    start = ("start", "--hosts", str(desk.hosts))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = desk.type(*start, "--listen", f"127.0.0.1:{port}")
    assert code == 2 and f"spe: 127.0.0.1, port {port}: cannot listen: Address already in use" in said
    code, said = desk.type(*start, "--store", "sqlite:////proc/farm.db")
    assert code == 2 and "/proc/farm.db: the registry cannot be made" in said
    code, said = desk.type(*start, SPE_FARM_STORE="sqlite:////proc/farm.db")
    assert code == 2 and "/proc/farm.db: the registry cannot be made" in said
    code, said = desk.type(*start, "--store", "postgresql://x:secret@127.0.0.1:1/farm")
    assert code == 2 and ("the registry's database cannot be used" in said or "psycopg" in said)
    assert "secret" not in said


def test_a_second_farm_on_the_same_registry_names_the_first(desk: Desk) -> None:
    desk.start()
    other = str(desk.place / "other")
    code, said = desk.type("start", "--hosts", str(desk.hosts), "--public", other, public=False)
    assert code == 2 and f"another farm uses this registry: process {desk.status()['pid']}" in said


def test_a_farm_in_a_user_namespace_says_why_it_cannot_run(desk: Desk) -> None:
    unshare = need_program("unshare", "util-linux")
    path = os.pathsep.join(one for one in sys.path if one)
    words = [unshare, "--user", "--map-root-user", sys.executable, "-m", "spe", "farm"]
    words += ["start", "--hosts", str(desk.hosts), "--public", str(desk.public)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": str(desk.place)}
    done = subprocess.run(words, capture_output=True, text=True, cwd="/", env=environment, timeout=60)
    assert done.returncode == 2 and "a farm cannot run in this container" in done.stderr


def test_a_farm_starts_although_somebody_looks_whether_one_runs(tmp_path: Path) -> None:
    import fcntl
    import threading

    PublicFolder(tmp_path / "farm").close()
    with (tmp_path / "farm" / "lock").open() as looked:
        fcntl.flock(looked, fcntl.LOCK_SH)
        threading.Timer(0.3, lambda: fcntl.flock(looked, fcntl.LOCK_UN)).start()
        PublicFolder(tmp_path / "farm").close()

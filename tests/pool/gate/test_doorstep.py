"""The farm's socket, with real accounts: a farm of one, who is joined by others."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from needs import need_program, need_root
from spe.errors import BusyError, UsageError
from spe.pool.gate.peers import check_namespace, maps_all_uids
from spe.pool.gate.public_folder import PublicFolder

from .kit import ADA, ADA_UID, BEN_UID, FARM_UID, MALLORY_UID, as_account, farm_process

JOIN = b'{"do": "join", "host": "lab07", "spe": "0.2.0"}\n'
SAY = """
import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])
s.sendall(bytes.fromhex(sys.argv[2]))
while (got := s.recv(4096)):
    sys.stdout.buffer.write(got)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder like /var/tmp, in which every account may make folders."""
    need_root()
    made = subprocess.run(["mktemp", "-d", "/var/tmp/spe-test-XXXXXX"], capture_output=True, text=True, check=True)
    path = Path(made.stdout.strip())
    path.chmod(0o1777)
    yield path
    subprocess.run(["rm", "-rf", str(path)], check=True)


def home(place: Path, uid: int) -> Path:
    folder = place / f"home-{uid}"
    if not folder.exists():
        folder.mkdir(mode=0o700)
        os.chown(folder, uid, uid)
    return folder


@pytest.fixture
def farm(place: Path) -> Iterator[Path]:
    options = json.dumps({"users": [ADA, "list"], "disabled": ["list"]})
    with farm_process(place / "farm", home(place, FARM_UID), options) as process:
        assert process.stdout and process.stdout.readline().startswith("up ")
        yield place / "farm"


def say(folder: Path, raw: bytes, uid: int, *before: str) -> Any:
    """Return the answer to these bytes, sent as an account."""
    # In a user namespace the Python of the tests may lie in a home that cannot be entered.
    python = "/usr/bin/python3" if before else sys.executable
    words = [*as_account(uid), *before, python, "-c", SAY, str(folder / "socket"), raw.hex()]
    done = subprocess.run(words, capture_output=True, text=True, cwd="/", timeout=60, check=True)
    assert done.stdout.count("\n") == 1, done.stdout
    return json.loads(done.stdout)


def test_the_kernel_names_who_comes_and_he_gets_a_token_of_his_own(farm: Path) -> None:
    first, second = say(farm, JOIN, ADA_UID), say(farm, JOIN, ADA_UID)
    assert first["user"] == ADA
    assert first["token"] != second["token"]
    assert first["farm"] == "f00d"


def test_the_folder_and_what_lies_in_it_have_their_modes_whatever_the_umask(farm: Path) -> None:
    modes = {one.name: one.stat().st_mode & 0o777 for one in [farm, *farm.iterdir()]}
    assert modes == {"farm": 0o755, "socket": 0o666, "farm.json": 0o644, "lock": 0o600}
    assert {one.stat().st_uid for one in [farm, *farm.iterdir()]} == {FARM_UID}


@pytest.mark.parametrize(
    ("uid", "why"),
    [
        (0, "root cannot join"),
        (65534, "cannot tell who you are"),
        (54321, "uid 54321 has no name"),
        (BEN_UID, "backup is not a user of this farm"),
        (38, "list is disabled"),
    ],
)
def test_who_cannot_be_a_user_is_refused_with_one_sentence(farm: Path, uid: int, why: str) -> None:
    answer = say(farm, JOIN, uid)
    assert why in answer["error"]
    assert "token" not in answer


@pytest.mark.parametrize("mapped", ["--map-root-user", "--map-user=34", ""])
def test_a_user_namespace_gives_nobody_another_name(farm: Path, mapped: str) -> None:
    need_program("unshare", "util-linux")
    words = [word for word in ("unshare", "-U", mapped) if word]
    if subprocess.run([*as_account(ADA_UID), *words, "true"], capture_output=True).returncode:
        pytest.skip("needs unprivileged user namespaces")
    assert say(farm, JOIN, ADA_UID, *words)["user"] == ADA


@pytest.mark.parametrize(
    "raw",
    [
        b"\n", b"\0\0\n", b"[]\n", b"[" * 4000 + b"\n", b'"x"\n', b"{}\n", b"\xff\xfe\n", b"x" * 10_000 + b"\n",
        b'{"do": "join", "host": "a b", "spe": "0.2.0"}\n', b'{"do": "join", "host": ["x"], "spe": "0.2.0"}\n',
        b'{"do": "join", "host": "h\\u0000", "spe": "0.2.0"}\n', b'{"do": "leave", "host": "x", "spe": "0.2.0"}\n',
        b'{"do": "join", "host": "lab07", "spe": "9.0"}\n', b'{"do": "join", "host": "lab07"}\n',
    ],
)  # fmt: skip
def test_what_is_no_request_is_answered_with_one_sentence(farm: Path, raw: bytes) -> None:
    answer = say(farm, raw, ADA_UID)
    assert answer["error"]
    assert "token" not in answer
    assert say(farm, JOIN, ADA_UID)["user"] == ADA


def test_a_fifth_connection_of_one_account_is_refused_and_others_are_served(farm: Path) -> None:
    hold = "import socket,sys\nheld=[socket.socket(socket.AF_UNIX) for _ in range(5)]\n"
    hold += "for s in held: s.connect(sys.argv[1])\nprint(held[4].recv(4096).decode(), flush=True)\n"
    hold += "held[0].settimeout(30); began=__import__('time').monotonic(); assert held[0].recv(99) == b''\n"
    hold += "print(__import__('time').monotonic() - began)"
    words = [*as_account(33), sys.executable, "-c", hold, str(farm / "socket")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        assert process.stdout
        assert "too many connections" in process.stdout.readline()
        assert "not a user" in say(farm, JOIN, BEN_UID)["error"]
        process.stdout.readline()
        assert float(process.stdout.readline()) < 8  # who says nothing is cut off after 5 s
    assert say(farm, JOIN, ADA_UID)["user"] == ADA


def test_a_peer_that_reads_nothing_and_leaves_does_no_harm(farm: Path) -> None:
    for _ in range(50):
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(farm / "socket"))
            one.send(JOIN)
    until = time.monotonic() + 20
    while "error" in (answer := say(farm, JOIN, ADA_UID)) and time.monotonic() < until:
        pass
    assert answer["user"] == ADA


def test_a_second_farm_of_an_account_has_to_wait_and_a_killed_one_leaves_no_trouble(farm: Path, place: Path) -> None:
    with farm_process(farm, home(place, FARM_UID)) as second:
        assert second.stdout and "runs already" in second.stdout.readline()
    other = place / "killed"
    with farm_process(other, home(place, FARM_UID)) as first:
        assert first.stdout and first.stdout.readline().startswith("up ")
        first.kill()
        first.wait()
        with farm_process(other, home(place, FARM_UID)) as again:
            assert again.stdout and again.stdout.readline().startswith("up ")
            assert say(other, JOIN, ADA_UID)["user"] == ADA


def test_nobody_else_can_hold_the_lock(farm: Path) -> None:
    words = [*as_account(MALLORY_UID), sys.executable, "-c", f"open({str(farm / 'lock')!r})"]
    assert b"PermissionError" in subprocess.run(words, capture_output=True, cwd="/").stderr


def test_a_folder_that_mallory_made_first_is_refused(place: Path) -> None:
    folder = place / "farm"
    folder.mkdir()
    os.chown(folder, MALLORY_UID, MALLORY_UID)
    with farm_process(folder, home(place, FARM_UID)) as process:
        assert process.stdout and f"belongs to uid {MALLORY_UID}" in process.stdout.readline()


def test_a_symbolic_link_is_refused_even_to_a_folder_of_ones_own(place: Path) -> None:
    real = place / "real"
    real.mkdir()
    os.chown(real, FARM_UID, FARM_UID)
    (place / "farm").symlink_to(real)
    with farm_process(place / "farm", home(place, FARM_UID)) as process:
        assert process.stdout and "symbolic link" in process.stdout.readline()
    assert list(real.iterdir()) == []


def test_a_folder_in_one_that_others_may_rename_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(UsageError, match="others may write into the folder above"):
        PublicFolder(tmp_path / "farm")


def test_the_folder_is_free_again_when_it_is_closed(tmp_path: Path) -> None:
    first = PublicFolder(tmp_path / "farm")
    with pytest.raises(BusyError):
        PublicFolder(tmp_path / "farm")
    first.close()
    PublicFolder(tmp_path / "farm").close()


@pytest.mark.parametrize("mapped", ["--map-root-user", ""])
def test_a_farm_in_a_user_namespace_does_not_start(place: Path, mapped: str) -> None:
    need_program("unshare", "util-linux")
    words = [word for word in ("unshare", "-U", mapped) if word]
    code = "from spe.pool.gate.peers import check_namespace as c; c()"
    ran = subprocess.run([*words, sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    if "unshare" in ran.stderr:
        pytest.skip("needs user namespaces")
    assert "it would take several users for one" in ran.stderr


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        ("         0          0 4294967295\n", True),
        ("0 0 1\n1 1 4294967294\n", True),
        ("0 1000 1\n", False),
        ("0 100000 65536\n", False),
        ("0 0 65536\n", False),
        ("", False),
    ],
)
def test_a_namespace_is_whole_when_each_uid_is_itself(text: str, is_whole: bool, tmp_path: Path) -> None:
    assert maps_all_uids(text) == is_whole
    (tmp_path / "uid_map").write_text(text)
    if is_whole:
        check_namespace(tmp_path / "uid_map")
    else:
        with pytest.raises(UsageError, match="cannot run in this container"):
            check_namespace(tmp_path / "uid_map")

"""`spe farm join` and `leave` on the farm's own host, with real accounts."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from needs import need_program
from spe.pool.joining.invitations import write_invitation
from spe.pool.joining.knocking import own_name

from ..gate.kit import ADA, ADA_UID, BEN_UID, FARM, FARM_UID, MALLORY_UID, as_account, farm_process
from ..gate.test_doorstep import home, place

__all__ = ["place"]
HERE = socket.gethostname()
# A socket of mallory, in a folder that anybody may have made.
FALSE_FARM = """
import os, socket, sys, json
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o666); s.listen()
print("up", flush=True)
while True:
    c, _ = s.accept(); c.recv(4096); c.sendall(sys.argv[2].encode() + b"\\n"); c.close()
"""


def join(place: Path, *words: str, uid: int = ADA_UID, folder: str = "farm", before: tuple[str, ...] = (),
         typed: str = "") -> tuple[int, str]:  # fmt: skip
    """Run `spe farm WORDS` as an account; return exit code and all that it printed."""
    own = home(place, uid)
    path = os.pathsep.join(one for one in sys.path if one)
    code = "from spe.cli import main; main()"
    command = [*as_account(uid), *before, sys.executable, "-c", code, "farm", *words]
    if words[0] == "join" and "--public" not in words:
        command += ["--public", str(place / folder)]
    if words[0] == "join" and "--account" not in words:
        command += ["--account", FARM]
    done = subprocess.run(
        command, capture_output=True, text=True, input=typed, timeout=120, cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": str(own)},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def cards(place: Path, uid: int = ADA_UID) -> list[dict[str, Any]]:
    folder = home(place, uid) / ".config" / "spe" / "farms"
    return [json.loads(one.read_text()) for one in folder.glob("*.json")]


@pytest.fixture
def farm(place: Path) -> Iterator[Path]:
    options = json.dumps({"users": [ADA, "list"], "disabled": ["list"], "admins": [], "code": ADA})
    with farm_process(place / "farm", home(place, FARM_UID), options) as process:
        assert process.stdout
        _, port, fingerprint, code = process.stdout.readline().split()
        (place / "invitation").write_text(write_invitation(int(port), fingerprint, code))
        yield place / "farm"


def test_a_user_joins_accepts_hosts_by_a_pattern_and_leaves(farm: Path, place: Path) -> None:
    code, said = join(place, "join", HERE, "--accept", "h0[12]")
    assert f"joined the farm f00d on {HERE} as {ADA}" in said
    assert "0 of 2 hosts let you in" in said and "h01:" in said and code == 1  # there are no such hosts
    assert "not accepted: 1 hosts" in said
    (card,) = cards(place)
    assert card["accepted"] == ["h01", "h02"]
    folder = home(place, ADA_UID) / ".config" / "spe" / "farms"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / f"f00d@{own_name()}.json").stat().st_mode & 0o777 == 0o600
    assert card["token"] not in said
    assert join(place, "join", HERE, "--update", "--yes")[0] == 1
    assert cards(place)[0]["accepted"] == ["h01", "h02", "h03"]
    assert join(place, "leave", HERE)[0] == 0
    assert cards(place) == []
    assert join(place, "leave", HERE) == (2, f"spe: {HERE}: you have not joined this farm\n")


def test_without_a_terminal_and_without_yes_no_host_is_accepted(farm: Path, place: Path) -> None:
    code, said = join(place, "join", HERE)
    assert code == 0
    assert "not accepted: 3 hosts" in said
    assert cards(place)[0]["accepted"] == []


@pytest.mark.parametrize(
    ("words", "uid", "why"),
    [
        (("--account", "nobody-there"), ADA_UID, "there is no account 'nobody-there'"),
        (("--account", "mail"), ADA_UID, f"belongs to uid {FARM_UID}, not to mail"),
        (("--public", "/var/tmp/spe-none"), ADA_UID, "there is no farm of proxy here"),
        ((), BEN_UID, "backup is not a user of this farm"),
        ((), 38, "list is disabled in this farm"),
    ],
)
def test_a_stranger_is_told_why_in_one_sentence_and_what_to_do(
    farm: Path, place: Path, words: tuple[str, ...], uid: int, why: str
) -> None:
    code, said = join(place, "join", HERE, *words, uid=uid)
    assert code == 2
    assert why in said
    lines = said.strip().splitlines()
    assert len(lines) == 2 and lines[1].startswith("  "), said
    assert cards(place, uid) == []


def test_a_farm_that_is_down_is_named_so(place: Path) -> None:
    with farm_process(place / "farm", home(place, FARM_UID)) as process:
        assert process.stdout and process.stdout.readline().startswith("up ")
        process.kill()
        process.wait()
    code, said = join(place, "join", HERE)
    assert code == 2
    assert "does not answer" in said and "It may be down" in said


def test_a_folder_of_mallory_is_refused(place: Path) -> None:
    folder = place / "farm"
    folder.mkdir()
    os.chown(folder, MALLORY_UID, MALLORY_UID)
    assert f"belongs to uid {MALLORY_UID}, not to {FARM}" in join(place, "join", HERE)[1]


def test_a_link_of_mallory_to_the_true_folder_is_refused(farm: Path, place: Path) -> None:
    (place / "link").symlink_to(farm)
    assert "is a symbolic link" in join(place, "join", HERE, folder="link")[1]


@pytest.mark.parametrize("owner", [MALLORY_UID, FARM_UID])
def test_a_socket_of_mallory_in_the_true_folder_is_refused(place: Path, owner: int) -> None:
    folder = place / "farm"
    folder.mkdir()
    (folder / "farm.json").write_text("{}")
    path = folder / "socket"
    os.chown(folder, MALLORY_UID, MALLORY_UID)
    words = [*as_account(MALLORY_UID), sys.executable, "-c", FALSE_FARM, str(path), '{"token": "x"}']
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            assert process.stdout and process.stdout.readline() == "up\n"
            for one in (folder, folder / "farm.json"):
                os.chown(one, FARM_UID, FARM_UID)
            # Owned by the farm's account, too, as if mallory had got hold of the name: the kernel still tells.
            os.chown(path, owner, owner)
            code, said = join(place, "join", HERE)
        finally:
            process.kill()
    assert code == 2
    wanted = "answers at" if owner == FARM_UID else "belongs to"
    assert re.search(f"uid {MALLORY_UID} {wanted}|{wanted} uid {MALLORY_UID}", said), said


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("[]", "answer is none"),
        ("nonsense", "cut off or is none"),
        ('{"token": 5}', "sent no token"),
        ('{"error": "\\u001b[2J\\u0007bad"}', "bad"),
        ('{{"token": "{}", "farm": "../../x", "urls": ["https://a"], "fingerprint": "{}"}}'.format("t" * 30, "0" * 64),
         "no proper address"),
        ('{{"token": "{}", "farm": "x", "urls": ["file:///etc"], "fingerprint": "{}"}}'.format("t" * 30, "0" * 64),
         "no proper address"),
    ],
)  # fmt: skip
def test_a_farm_that_answers_nonsense_is_one_sentence(place: Path, answer: str, why: str) -> None:
    folder = place / "farm"
    folder.mkdir()
    (folder / "farm.json").write_text("{}")
    for one in (folder, folder / "farm.json"):
        os.chown(one, FARM_UID, FARM_UID)
    words = [*as_account(FARM_UID), sys.executable, "-c", FALSE_FARM, str(folder / "socket"), answer]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            assert process.stdout and process.stdout.readline() == "up\n"
            code, said = join(place, "join", HERE)
        finally:
            process.kill()
    assert code == 2
    assert why in said
    assert "\x1b" not in said and "\x07" not in said
    assert cards(place) == []


def test_a_changed_key_is_refused_and_said_and_the_old_card_stays(farm: Path, place: Path) -> None:
    assert join(place, "join", HERE)[0] == 0
    (before,) = cards(place)
    other = json.dumps({"users": [ADA]})
    with farm_process(place / "again", home(place, MALLORY_UID), other, uid=MALLORY_UID) as process:
        assert process.stdout and process.stdout.readline().startswith("up ")
        code, said = join(place, "join", HERE, "--account", "mail", folder="again")
    assert code == 2
    assert "the key of this farm has changed" in said
    assert cards(place) == [before]


def test_a_gate_with_another_key_gets_no_token(farm: Path, place: Path) -> None:
    assert join(place, "join", HERE)[0] == 0
    path = home(place, ADA_UID) / ".config" / "spe" / "farms" / f"f00d@{own_name()}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fingerprint": "0" * 64}))
    code, said = join(place, "join", HERE, "--update")
    assert code == 2
    assert "not the one that was pinned" in said


def test_a_code_is_read_from_standard_input_and_good_once(farm: Path, place: Path) -> None:
    typed = (place / "invitation").read_text() + "\n"
    code, said = join(place, "join", "127.0.0.1", "--code", uid=MALLORY_UID, typed=typed)
    assert f"as {ADA}" in said, said
    assert code == 0
    code, said = join(place, "join", "127.0.0.1", "--code", uid=BEN_UID, typed=typed)
    assert code == 2
    assert "the code is wrong, used, or older than an hour" in said
    assert "that is no code" in join(place, "join", "127.0.0.1", "--code", uid=BEN_UID, typed="x\n")[1]


def test_from_inside_a_container_nobody_can_check_and_joining_is_refused(farm: Path, place: Path) -> None:
    need_program("unshare", "util-linux")
    text = Path(sys.modules["spe"].__path__[0], "pool", "joining", "socket_check.py").read_text()
    asked = json.dumps({"account": FARM, "folder": str(farm), "request": {}})
    program = f"{text}\nmain({asked!r})\n"
    words = [*as_account(ADA_UID), "unshare", "-U", "/usr/bin/python3", "-"]
    done = subprocess.run(words, input=program, capture_output=True, text=True, cwd="/")
    if "unshare" in done.stderr:
        pytest.skip("needs unprivileged user namespaces")
    assert "this is a container" in done.stdout

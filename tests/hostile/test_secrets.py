"""The page is for who has its token, on this machine; no secret is where others look; what is foreign is named."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import inspect
import os
import re
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from drills.by_hand_kit import WORK, Drill
from needs import need_root
from spe.page import acting as acting_module
from spe.page import door as door_module
from spe.session.certificate import make_certificate
from spe.wire import guard as guard_module
from waiting import wait_until

from .kit import Target, body_of, ends_as_without, status_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def listening(pid: int) -> dict[int, str]:
    """The TCP ports that a process listens on, and the addresses, as /proc says."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(link)))
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                address, _, port = words[1].partition(":")
                found[int(port, 16)] = address
    return found


def test_the_page_listens_on_loopback_alone_and_says_nothing_without_its_token(drill: Drill) -> None:
    target = Target(drill.sweep(10, "listen: 0.0.0.0:0\n").start(), page=True)
    token = target.secret
    assert drill.master
    ports = listening(drill.master.pid)
    assert ports[target.place[1]] == "0100007F"  # 127.0.0.1
    assert len(token) >= 22
    wrong = ["", "?token=", "?token=x", f"?token={token[:-1]}", f"?token={token}x", f"?token={token.swapcase()}",
             f"?Token={token}", f"?token=x&token={token}", "?token=%ff%00", f"?sessionID={target.session}",
             f"?token={target.session}", "?token=" + 5000 * "a"]  # fmt: skip
    answers = set()
    for path in ("/", "/events", "/nothing", "//", "/../", "/static/x", "*"):
        for method in ("GET", "POST", "HEAD", "PUT", "OPTIONS", "TRACE", "BREW"):
            for query in wrong:
                answer = target.send(target.head(method, path + query, session=None))
                assert status_of(answer) == 403, (method, path, query, answer)
                assert b"set" not in body_of(answer).replace(b"session", b"")
                answers.add(body_of(answer))
    assert len(answers - {b""}) <= 2, answers
    assert any(b"master.json" in answer for answer in answers), "it says where the right address stands"
    assert status_of(target.send(target.head("GET", f"/?token={token}", session=None))) == 200
    drill.host("h1", "--fingerprint", drill.facts["fingerprint"])
    log = drill.runs / "master.log"
    assert drill.end() == 0
    assert token not in log.read_text()
    drill.checked()


def test_tokens_and_session_ids_are_compared_in_constant_time() -> None:
    for module in (door_module, acting_module, guard_module):
        source = inspect.getsource(module)
        assert "hmac.compare_digest" in source
        assert not re.search(r"(token|session|secret)\w*\s*[!=]=|[!=]=\s*\w*(token|session|secret)", source)


def test_what_programs_see_and_what_errors_say_holds_no_secret(drill: Drill) -> None:
    told = drill.root / "told"
    look = f'env >>"{told}"; cat "/proc/$$/cmdline" "/proc/$PPID/cmdline" >>"{told}"; pwd >>"{told}"\n'
    drill.sweep(6, "attempts: 1\n", work=WORK.replace("#!/bin/sh\n", f"#!/bin/sh\n{look}")).start("-vv")
    target = Target(drill)
    secrets = [target.session, Target(drill, page=True).secret]
    for path in ("/config?slots=x", "/task?wait=never", "/complete", "/failed?ticket=1", "/file?sha256=x", "/worker",
                 "/nothing", "/config?host=" + "h" * 500):  # fmt: skip
        for method in ("GET", "POST"):
            assert target.session.encode() not in target.send(target.head(method, path))
    host = drill.host("h1")
    log = drill.runs / "master.log"
    assert drill.end() == 0
    for secret in secrets:
        for text in (told.read_bytes().decode("utf-8", "replace"), log.read_text(), host.said):
            assert secret not in text
    assert target.session not in drill.said
    assert "SPE_TICKET=" in told.read_text()
    drill.checked()


def expired() -> tuple[str, str]:
    """A certificate of yesterday."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "spe master")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(days=9))
    made = builder.not_valid_after(now - datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM).decode(), private.decode()


def test_an_expired_or_foreign_certificate_and_a_damaged_session_are_named_with_file_and_remedy(drill: Drill) -> None:
    drill.sweep(10, "listen: 0.0.0.0:0\n").start()
    assert drill.master
    drill.master.kill()
    drill.master.wait()
    folder = drill.runs / "session"
    good = {name: (folder / name).read_text() for name in ("certificate.pem", "key.pem", "secrets.json")}
    old, old_key = expired()
    bad = {
        "expired": {"certificate.pem": old, "key.pem": old_key},
        "KEY_VALUES_MISMATCH": {"certificate.pem": make_certificate()[0]},
        "PEM": {"certificate.pem": "nonsense"},
        "too short": {"secrets.json": re.sub(r'"read": "[^"]*"', '"read": "abc"', good["secrets.json"])},
    }
    for words, files in bad.items():
        for name, text in {**good, **files}.items():
            (folder / name).write_text(text)
        done = drill.spe("run", "--hosts", "none")
        assert done.returncode != 0
        assert words in done.stderr, done.stderr
        assert str(folder / next(iter(files))) in done.stderr, done.stderr
        assert f"Remove the folder {folder}" in done.stderr
        assert "Traceback" not in done.stderr
    subprocess.run(["rm", "-r", str(folder)], check=True)  # as it says
    drill.start()
    drill.host("h1", "--fingerprint", drill.facts["fingerprint"])
    assert drill.end() == 0
    drill.checked()


def test_a_client_with_a_foreign_certificate_or_session_says_where_the_right_one_stands(
    drill: Drill, other: Drill
) -> None:
    for one in (drill, other):
        one.sweep(10, "listen: 0.0.0.0:0\n").start()
    session = other.facts["session"]
    mistaken = other.host("h1", "--fingerprint", drill.facts["fingerprint"])
    assert mistaken.process.wait(60) == 5
    assert "not the master's" in mistaken.said
    assert "runs/NAME/master.json" in mistaken.said
    stranger = other.host("h1", "--fingerprint", drill.facts["fingerprint"], url=drill.facts["url"])
    assert stranger.process.wait(60) == 4
    assert "403 wrong session ID" in stranger.said
    assert "master.json" in stranger.said
    assert session not in mistaken.said + stranger.said
    for one in (drill, other):
        one.host("h2", "--fingerprint", one.facts["fingerprint"])
        assert one.end() == 0
    drill.checked()


def test_the_session_is_in_no_environment_of_a_client_after_it_has_begun(drill: Drill) -> None:
    target = Target(drill.sweep(4).start())
    host = drill.host("h1", SLEEP="1")
    wait_until(drill.started, "a program runs")
    for pid, line in drill.processes().items():
        assert target.session not in line
        with contextlib.suppress(OSError):
            assert target.session.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert host.process.poll() is None
    ends_as_without(drill, target.session)


def test_another_users_folder_of_the_clients_name_is_refused_and_nothing_is_written_through_it(drill: Drill) -> None:
    need_root()
    session = drill.sweep(10).start().facts["session"]
    label = hashlib.sha256(session.encode()).hexdigest()[:12]
    common, victim = drill.root / "common", drill.root / "victim"
    folder = common / f"spe-{label}-h1"
    folder.mkdir(parents=True)
    common.chmod(0o1777)
    victim.write_text("mine")
    start = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]  # a living process: "already running"
    here = f"{os.uname().nodename} {os.readlink('/proc/self/ns/pid')}"
    (folder / "client.lock").write_text(f"{here}\n{os.getpid()}\n{start}\n")
    (folder / "address").symlink_to(victim)
    for name in ("", "client.lock"):
        os.chown(folder / name, 12345, 12345)
    before = sorted(path.name for path in folder.iterdir())
    refused = drill.host("h1", "--workdir", str(common))
    assert refused.process.wait(60) == 6
    assert f"{folder} belongs to somebody else" in refused.said
    assert sorted(path.name for path in folder.iterdir()) == before
    assert victim.read_text() == "mine"
    subprocess.run(["rm", "-r", str(refused.root), str(common)], check=True)
    drill.hosts.remove(refused)
    ends_as_without(drill, session)


def test_what_a_program_writes_does_not_steer_the_terminal_of_the_master(drill: Drill) -> None:
    evil = "printf 'bad\\033]0;owned\\007\\033[2J\\n' >&2; exit 3\n"
    drill.sweep(12, "attempts: 1\n", work=WORK.replace('if [ -n "$BAD" ]', f'[ -z "$BAD" ] || {{ {evil} }}\nif false'))
    drill.start()
    drill.host("good", SLEEP="0.3")
    drill.host("bad", BAD="1")
    drill.end()
    assert drill.query("SELECT count(*) FROM tickets WHERE state = 'failed'")[0][0] > 0
    texts = [drill.said, (drill.runs / "failed.csv").read_text() if (drill.runs / "failed.csv").exists() else ""]
    for command in ("status", "show"):
        done = drill.spe(command, *(["1"] if command == "show" else []))
        texts += [done.stdout, done.stderr]
    assert not [text for text in texts if "\033" in text]

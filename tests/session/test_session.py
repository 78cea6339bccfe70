"""A session's secrets: who can read them, that they come back, what is said when they are damaged; and the lock."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from spe import cli
from spe.errors import BusyError, StoreError
from spe.session.lock import Lock
from spe.session.run_folder import private_write
from spe.session.session import Session


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def filled(folder: Path) -> Session:
    session = Session(folder)
    session.served_on(4711)
    session.tls()
    session.announce("https://10.0.0.1:4711", "http://127.0.0.1:1/", "ff")
    return session


def test_both_ports_come_back_also_with_secrets_of_a_version_that_knew_one(tmp_path: Path) -> None:
    session = filled(tmp_path)
    session.page_served_on(4712)
    session.served_on(4713)
    assert (Session(tmp_path).secrets.port, Session(tmp_path).secrets.page_port) == (4713, 4712)
    path = session.folder / "secrets.json"
    known = json.loads(path.read_text())
    del known["page_port"]
    path.write_text(json.dumps(known))
    assert (Session(tmp_path).secrets.port, Session(tmp_path).secrets.page_port) == (4713, 0)
    path.write_text(json.dumps({**known, "page_port": "x"}))
    with pytest.raises(StoreError, match="the port is no number"):
        Session(tmp_path)


@pytest.mark.usefixtures("no_umask")
def test_nobody_else_reads_a_session_whatever_the_umask(tmp_path: Path) -> None:
    session = filled(tmp_path)
    assert mode(session.folder) == 0o700
    files = [*session.folder.iterdir(), tmp_path / "master.json"]
    assert sorted(f.name for f in files) == ["certificate.pem", "key.pem", "master.json", "secrets.json"]
    assert {mode(file) for file in files} == {0o600}


def test_a_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / "session").mkdir()
    (tmp_path / "session").chmod(0o755)
    assert mode(Session(tmp_path).folder) == 0o700


@pytest.mark.usefixtures("no_umask")
def test_a_private_file_replaces_an_open_one_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.with_name("secret.new").write_text("of a crash, for all to read")
    private_write(path, "new")
    assert (path.read_text(), mode(path), os.listdir(tmp_path)) == ("new", 0o600, ["secret"])


def test_tokens_have_128_bits_and_are_all_different(tmp_path: Path) -> None:
    tokens: list[str] = []
    for number in range(50):
        held = Session(tmp_path / str(number)).secrets
        tokens += (held.session, held.read, held.act)
    assert len(set(tokens)) == 150
    for token in tokens:
        assert len(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))) * 8 >= 128
        assert token.replace("-", "").replace("_", "").isalnum()


def test_a_master_that_comes_back_has_the_same_id_port_and_certificate(tmp_path: Path) -> None:
    first = filled(tmp_path)
    again = Session(tmp_path)
    assert again.resumed and not first.resumed
    assert again.secrets == first.secrets
    assert again.secrets.port == 4711
    assert again.tls()[1] == first.tls()[1]


def test_the_fingerprint_is_that_of_the_certificate(tmp_path: Path) -> None:
    session = Session(tmp_path)
    _, fingerprint = session.tls()
    pem = (session.folder / "certificate.pem").read_text()
    assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == fingerprint


def test_an_ended_session_leaves_nothing_and_the_next_is_another(tmp_path: Path) -> None:
    first = filled(tmp_path)
    first.end()
    assert os.listdir(tmp_path) == []
    again = Session(tmp_path)
    assert not again.resumed
    assert again.secrets.session != first.secrets.session


GOOD = {"session": "s" * 32, "read": "r" * 32, "act": "a" * 32, "port": 1}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"session": "x"}', json.dumps({**GOOD, "more": 1}).encode(),
     json.dumps({**GOOD, "session": ""}).encode(), json.dumps({**GOOD, "read": 7}).encode(),
     json.dumps({**GOOD, "port": "1"}).encode()],
)  # fmt: skip
def test_damaged_secrets_say_which_file_and_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = Session(tmp_path).folder / "secrets.json"
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        Session(tmp_path)
    assert str(path) in str(caught.value)
    assert f"Remove the folder {path.parent}" in caught.value.todo


@pytest.mark.parametrize("name", ["certificate.pem", "key.pem"])
def test_a_damaged_certificate_says_what_to_do(tmp_path: Path, name: str) -> None:
    session = filled(tmp_path)
    (session.folder / name).write_text("-----BEGIN nonsense")
    with pytest.raises(StoreError, match="Remove the folder"):
        Session(tmp_path).tls()


# -- the lock

HOLD = "import sys, pathlib; from spe.session.lock import Lock; "
HOLD += "lock = Lock(pathlib.Path(sys.argv[1])); lock.acquire(); "


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its stdin ends."""
    code = HOLD + "print('held', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(BusyError, match=f"is being run by process {process.pid} on ") as told:
            Lock(tmp_path).acquire()
        assert "`spe stop`" in told.value.todo, "a detached run has no Ctrl-C"
        process.kill()


def test_a_lock_goes_with_its_process_however_it_ends(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.kill()
    lock = Lock(tmp_path)
    lock.acquire()
    assert lock.path.read_text().startswith(f"process {os.getpid()} on ")
    lock.release()
    assert os.listdir(tmp_path) == []


def test_a_lock_file_that_is_just_being_removed_locks_nobody_in(tmp_path: Path) -> None:
    first, second, third = Lock(tmp_path), Lock(tmp_path), Lock(tmp_path)
    first.acquire()

    class LateOpen(type(first.path)):  # type: ignore[misc]
        """The first one leaves between our opening the file and our locking it."""

        def open(self, *words: str, **more: str):  # type: ignore[no-untyped-def, override]
            opened = super().open(*words, **more)
            first.release()
            return opened

    second.path = LateOpen(second.path)
    second.acquire()
    with pytest.raises(BusyError):
        third.acquire()
    second.release()


def announced(folder: Path, **facts: object) -> None:
    """master.json of a run that may go on."""
    (folder / "master.json").write_text(json.dumps({"pid": 4242, "page": "", "host": "elsewhere", **facts}))


def test_without_its_lock_the_run_of_another_host_is_taken_for_alive(tmp_path: Path) -> None:
    """Nobody here can ask for its process; a crash, which leaves master.json too, leaves the lock file."""
    announced(tmp_path)
    with pytest.raises(BusyError, match="may go on") as caught:
        Lock(tmp_path).acquire()
    assert "process 4242 on elsewhere" in caught.value.what
    assert caught.value.where == str(tmp_path / "lock")
    assert f"remove {tmp_path / 'master.json'}" in caught.value.todo
    assert not (tmp_path / "lock").exists(), "its run may make it again"


def test_after_a_crash_on_another_host_the_lock_is_free(tmp_path: Path) -> None:
    announced(tmp_path)
    (tmp_path / "lock").write_text("process 4242 on elsewhere")
    lock = Lock(tmp_path)
    lock.acquire()
    lock.release()


def test_after_a_crash_here_the_lock_is_free_also_when_it_was_removed(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    announced(tmp_path, pid=process.pid, host=socket.gethostname())
    lock = Lock(tmp_path)
    lock.acquire()
    lock.release()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b'{"pid": 1e400, "host": 3}'])
def test_a_damaged_master_json_locks_nobody_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "master.json").write_bytes(content)
    lock = Lock(tmp_path)
    lock.acquire()
    lock.release()


def test_a_disk_that_is_full_when_a_run_begins_is_one_sentence_and_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "lock"))

    with monkeypatch.context() as patched:
        patched.setattr(Lock, "_sign", full)
        with pytest.raises(OSError) as caught:
            Lock(tmp_path).acquire()
    assert not (tmp_path / "lock").exists()
    lock = Lock(tmp_path)
    lock.acquire()  # nothing is held
    lock.release()
    assert cli._refused_by_system(caught.value) == 2
    assert "the disk is full" in capsys.readouterr().err


FULL = """
import pathlib, resource, sys
from spe.session.lock import Lock
lock = Lock(pathlib.Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    lock.acquire()
except OSError as error:
    print(error.errno, lock.stands, lock.path.exists())
"""


def test_a_lock_that_cannot_be_signed_is_no_lock_and_complains_once(tmp_path: Path) -> None:
    """What could not be written must not be tried again as the file is closed."""
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == ([str(errno.EFBIG), "False", "False"], "")

"""One try to send a message: to real servers, by a real command, through Apprise."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from certificates import tls_of_its_own
from processes import is_alive
from spe.notify import by_command, by_https, by_mail
from spe.notify.addresses import Address, address
from spe.notify.message import Facts, Message, message
from spe.notify.message import test_message as made_test_message
from spe.notify.not_sent import NotSent
from spe.notify.sending import send
from waiting import wait_until

from .kit import CERTIFICATE, SECRET, Letters, Server, mail_served, served

FACTS = Facts(
    "pi", "/home/pi/runs/pi", "/home/pi", "lab01", 3725.0, 100, 96, 3, 1, 0, 0, ((2, "exit code 1: no müsh"), (1, "x"))
)


def done() -> Message:
    return message("done", FACTS, "spe.1234.done")


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with served(tmp_path) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / CERTIFICATE))
        yield server


def at(text: str) -> Address:
    return address(text, "me", "here")


def fault(one: Address, on_terminal: bool = False) -> NotSent:
    with pytest.raises(NotSent) as caught:
        send(one, done(), on_terminal)
    assert SECRET not in caught.value.reason and SECRET not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__, "no traceback shows a library's words"
    return caught.value


# -- what it says


def test_a_message_says_what_has_come_of_the_run_and_what_to_do_next() -> None:
    told = done()
    assert told.subject == "spe: pi: ended, 96 of 100 sets are done, 3 failed"
    assert told.text.splitlines() == [
        "96 of 100 sets done, 3 failed, 1 cancelled",
        "2 × exit code 1: no müsh",
        "1 × x",
        "",
        "time:   62 min 5 s",
        "master: lab01",
        "folder: /home/pi/runs/pi",
        "next:   cd /home/pi && spe retry --name pi",
    ]
    assert told.facts["sets"] == {"total": 100, "done": 96, "failed": 3, "cancelled": 1, "running": 0, "waiting": 0}


@pytest.mark.parametrize(
    ("event", "subject", "verb"),
    [
        ("first_failure", "the first set has failed", "spe log --failed"),
        ("stalled", "it has stalled, 4 sets are left", "spe status"),
        ("given_up", "given up, 4 sets are left", "spe status"),
    ],
)
def test_each_event_has_a_subject_and_a_next_step(event: str, subject: str, verb: str) -> None:
    facts = Facts("a b", "/p/runs/a b", "/p", "h", 1.0, 5, 1, 0, 0, 1, 3, (), ("lab01 is not up: refused",))
    told = message(event, facts, "x")
    assert told.subject == f"spe: a b: {subject}"
    assert f"next:   cd /p && {verb} --name 'a b'" in told.text and "\nlab01 is not up: refused\n" in told.text


def test_counts_are_said_once_and_the_time_of_a_run_that_goes_on_is_named_so() -> None:
    facts = Facts("pi", "/f", "/", "h", 65.0, 9, 8, 1, 0, 0, 0)
    told = message("done", facts, "x")
    assert "8 of 9 sets are done, 1 failed" in told.subject and "sets done" not in told.text
    assert told.text.startswith("time:   65 s\n")
    assert "8 of 9 sets done, 1 failed" in message("first_failure", facts, "x").text
    assert "time:   65 s since it was continued\n" in message("done", replace(facts, continued=True), "x").text


def test_what_programs_wrote_is_shortened_and_cannot_add_lines_or_headers() -> None:
    reasons = tuple((1, f"{number} bad\r\nBcc: eve@example.org\x1b[1m {'x' * 999}") for number in range(9))
    facts = Facts("pi\nBcc: eve", "/f", "/", "h", 1.0, 9, 0, 9, 0, 0, 0, reasons)
    told = message("done", facts, "x")
    assert "\n" not in told.subject and len(told.text.splitlines()) == 11
    assert max(map(len, told.text.splitlines())) < 310 and "\x1b" not in told.text
    assert "and 4 more reasons" in told.text
    assert by_mail._letter(at("mailto:a@b").mail, told)["Bcc"] is None  # type: ignore[arg-type]


# -- https


def test_a_post_has_the_message_and_the_facts_as_json(hook: Server) -> None:
    send(at(f"{hook.url}/in/{SECRET}?a=b"), done())
    (came,) = hook.posted
    assert came.path == f"/in/{SECRET}?a=b" and came.head["Content-Type"] == "application/json"
    assert came.head["Idempotency-Key"] == "spe.1234.done" and "Authorization" not in came.head
    assert came.json["subject"] == done().subject and came.json["text"].startswith(done().subject)
    assert came.json["event"] == "done" and came.json["reasons"][0] == {"sets": 2, "reason": "exit code 1: no müsh"}


def test_a_user_in_the_address_logs_in(hook: Server) -> None:
    send(at(f"https://ada:p%40ss@127.0.0.1:{hook.port}/"), done())
    assert hook.posted[0].head["Authorization"] == "Basic YWRhOnBAc3M="


@pytest.mark.parametrize(("code", "again"), [(500, True), (429, True), (403, False), (302, False)])
def test_an_answer_that_is_none_of_success_is_told(hook: Server, code: int, again: bool) -> None:
    hook.usual = code
    found = fault(at(f"{hook.url}/{SECRET}"))
    assert (f"the server answered {code}" in found.reason, found.again) == (True, again)
    assert hook.tries == 1, "no redirect is followed"


def test_a_server_that_hangs_or_refuses_is_told(hook: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_https, "LIMIT", 0.3)
    hook.answers = [None]
    assert fault(at(f"{hook.url}/{SECRET}")).reason == "the server was silent for 0.3 s"
    hook.close()
    found = fault(at(f"{hook.url}/{SECRET}"))
    assert found.reason == "the server cannot be reached: Connection refused" and found.again


def test_a_certificate_that_nobody_knows_is_refused(hook: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    found = fault(at(f"{hook.url}/{SECRET}"))
    assert "certificate is not trusted" in found.reason and not found.again and hook.tries == 0


# -- mail


def test_a_letter_arrives_with_its_headers() -> None:
    letters = Letters()
    with mail_served(letters) as port:
        send(at(f"mailto:ada@example.org,bob@example.org?smtp=127.0.0.1:{port}&from=spe@example.org"), done())
    (letter,) = letters.came
    assert letters.to == [["ada@example.org", "bob@example.org"]]
    assert letter["Subject"] == done().subject and letter["From"] == "spe@example.org"
    assert letter["Message-ID"].startswith("<spe.1234.done@") and letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content().replace("\r\n", "\n") == done().text


def test_with_starttls_the_password_goes_over_the_encrypted_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, _ = tls_of_its_own(tmp_path, CERTIFICATE)
    letters = Letters()
    with mail_served(letters, context, SECRET) as port:
        text = f"mailtos://ada:{SECRET}@localhost:{port}?to=ada@example.org"
        found = fault(at(text))
        assert "the certificate of localhost is not trusted" in found.reason and not found.again
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / CERTIFICATE))
        send(at(text), done())
        wrong = fault(at(text.replace(SECRET, "other")))
        assert "answered 535" in wrong.reason and not wrong.again
    assert letters.to == [["ada@example.org"]]


def test_a_mail_server_that_refuses_is_told() -> None:
    letters = Letters()
    with mail_served(letters) as port:
        text = f"mailto:ada@example.org,bob@example.org?smtp=127.0.0.1:{port}"
        letters.refuses = lambda address: "550 no such user" if address.startswith("bob") else None
        found = fault(at(text))
        assert "refused 1 of the e-mail addresses: 550" in found.reason and not found.again
        letters.refuses = lambda address: "451 later"
        assert fault(at(text)).again
    assert "port" in (found := fault(at(text))).reason and "Connection refused" in found.reason and found.again


def test_a_mail_server_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_mail, "LIMIT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = fault(at(f"mailto:a@b?smtp=127.0.0.1:{silent.getsockname()[1]}"))
    assert "or was silent for 0.3 s" in found.reason and found.again


# -- commands


def test_a_command_gets_the_text_on_stdin_and_the_facts_in_its_environment(tmp_path: Path) -> None:
    out = tmp_path / "out"
    send(at(f'cmd: (echo "$SPE_EVENT|$SPE_SUBJECT|$SPE_SWEEP|$SPE_FOLDER"; cat) > {out}'), done())
    first, rest = out.read_text().split("\n", 1)
    assert first == f"done|{done().subject}|pi|/home/pi/runs/pi" and rest == f"{done().subject}\n\n{done().text}"


def test_a_command_that_reads_nothing_has_been_told() -> None:
    send(at("cmd: true"), Message("done", "s", "x" * 1_000_000, "i"))


def test_a_command_that_fails_is_told_and_its_words_only_where_they_hold_no_secret() -> None:
    text = f"cmd: echo no {SECRET} >&2; exit 3"
    assert fault(at(text)).reason == "the command ended with exit code 3"
    inline = address("cmd: echo no >&2; exit 3", "cmd: …", "here", private=False)
    assert fault(inline).reason == "the command ended with exit code 3: no"
    assert fault(at("cmd: echo no >&2; exit 3"), on_terminal=True).reason == "the command ended with exit code 3: no"
    assert fault(at("cmd: kill -9 $$")).reason == "the command ended with signal 9"


def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_command, "LIMIT", 0.5)
    pids = tmp_path / "pids"
    assert "was ended after 0.5 s" in fault(at(f"cmd: sleep 1000 & echo $$ $! > {pids}; wait")).reason
    for pid in map(int, pids.read_text().split()):
        wait_until(lambda pid=pid: not is_alive(pid), "it has ended")  # type: ignore[misc]


def test_a_command_that_still_runs_ends_with_the_master(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    thread = threading.Thread(target=lambda: fault(at(f"cmd: echo $$ > {pid}; exec sleep 1000")))
    thread.start()
    number = int(wait_until(lambda: pid.exists() and pid.read_text(), "it runs"))
    by_command.end_all()
    thread.join(30)
    assert not thread.is_alive() and not is_alive(number)


# -- Apprise


def test_apprise_sends_to_an_address_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("apprise")
    with served(tmp_path, tls=False) as server:
        send(at(f"json://ada:{SECRET}@127.0.0.1:{server.port}/in"), done())
        (came,) = server.posted
        assert came.json["title"] == done().subject and came.json["message"].strip() == done().text.strip()
        server.usual = 500
        found = fault(at(f"json://ada:{SECRET}@127.0.0.1:{server.port}/{SECRET}"))
        assert found.reason.startswith("Apprise could not send it: ") and "500" in found.reason


def test_a_fault_of_a_library_is_told_by_its_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(url: str, message: Message) -> None:
        raise RuntimeError(f"no {url}")

    monkeypatch.setattr(by_https, "send", broken)
    assert fault(at(f"https://127.0.0.1/{SECRET}")).reason == "a fault while sending (RuntimeError)"


def test_a_test_message_says_that_it_is_one() -> None:
    assert made_test_message("lab01", "x").subject == "spe: a test from lab01"

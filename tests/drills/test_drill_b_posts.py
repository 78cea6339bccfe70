"""Results that come cut short, again, with other content, or from another session: the table does not care."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from drill_b_kit import Drill, content, report, undisturbed
from drills.figures import Figures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
B = "a-boundary-of-ours"


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    made = Drill(tmp_path / "d")
    yield made
    made.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Drill]:
    made = Drill(tmp_path / "o")
    yield made
    made.close()


class Raw:
    """A client that does as it likes."""

    def __init__(self, drill: Drill, session: str = "") -> None:
        facts = drill.facts
        parts = urlsplit(facts["url"])
        self.place = (parts.hostname or "", parts.port or 0)
        self.session = session or facts["session"]
        self.client = ""

    def target(self, path: str, **query: object) -> str:
        return f"{path}?{urlencode({'sessionID': self.session, **query})}"

    def ask(self, path: str, body: bytes | None = None, **query: object) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*self.place, timeout=30)
        kind = {"Content-Type": f"multipart/form-data; boundary={B}"} if body is not None else {}
        connection.request("GET" if body is None else "POST", self.target(path, **query), body, kind)
        reply = connection.getresponse()
        found = reply.status, reply.read()
        connection.close()
        return found

    def register(self) -> None:
        status, text = self.ask("/config", host="raw", slots=100, pings=1)
        assert status == 200
        self.client = re.findall(rb"Client=(\d+)", text)[0].decode()

    def take(self, count: int) -> dict[int, int]:
        """Tickets, and the set that each is for."""
        status, text = self.ask("/task", count=count, wait=10, client=self.client)
        assert status == 200
        found = re.findall(rb"Ticket=(\d+)\n.*?CommandLine=\./work (\d+)\n", text, re.S)
        return {int(ticket): int(x) for ticket, x in found}

    def complete(self, ticket: int, body: bytes) -> tuple[int, bytes]:
        return self.ask("/complete", body, ticket=ticket, client=self.client)

    def cut(self, ticket: int, body: bytes, at: int, rude: bool) -> None:
        """Send so many bytes of it and hang up, by FIN or by RST."""
        head = f"POST {self.target('/complete', ticket=ticket)} HTTP/1.1\r\nHost: m\r\nContent-Length: {len(body)}\r\n"
        head += f"Content-Type: multipart/form-data; boundary={B}\r\n\r\n"
        with socket.create_connection(self.place, 10) as sock:
            if rude:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(head.encode() + body[:at])


def result(x: int, data: bytes | None = None) -> bytes:
    pieces = [("said", f"{x}\n".encode()), ("data", content(x) if data is None else data)]
    body = b"".join(
        f'--{B}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in pieces
    )
    return body + f"--{B}--\r\n".encode()


def two_hosts(drill: Drill) -> None:
    for name in ("h1", "h2"):
        drill.host(name, slots=2)


def test_results_cut_short_repeated_twice_or_of_another_session_change_nothing(
    drill: Drill, other: Drill, figures: Figures
) -> None:
    drill.sweep(300).start()
    other.sweep(3).start()
    raw, stranger = Raw(drill), Raw(other)
    raw.register()
    mine = raw.take(60)
    assert len(mine) == 60
    two_hosts(drill)
    theirs = stranger.take(3)
    cuts = repeats = accepted = 0
    for number, (ticket, x) in enumerate(mine.items()):
        whole = result(x)
        for at in (0, 1, 60, len(whole) // 2, len(whole) - 20 - number % 20, len(whole) - 1):
            raw.cut(ticket, whole, at, rude=bool(number % 2))
            cuts += 1
        if number % 3 == 0:  # the connection stays, the body ends too early
            assert raw.complete(ticket, whole[: len(whole) // 2])[0] == 400
            assert raw.complete(ticket, b"")[0] == 400
        answer = raw.complete(ticket, whole)
        assert answer in ((200, b"accepted\n"), (200, b"expired\n"))
        accepted += answer == (200, b"accepted\n")
        for again in (whole, result(x, b"other bytes"), result(x + 1)):
            assert raw.complete(ticket, again) == (200, b"expired\n")
            assert raw.ask("/failed", ticket=ticket, reason="no")[0] == 200
            repeats += 1
    foreign = 0
    for ticket, x in theirs.items():
        beyond = 10**6 + ticket
        assert raw.complete(beyond, result(x)) == (200, b"unknown\n")  # a number of another session, our session ID
        with_theirs = Raw(drill, session=stranger.session)
        assert with_theirs.complete(ticket, result(x, b"foreign")) == (403, b"wrong session ID\n")
        foreign += 2
        assert stranger.complete(ticket, result(x)) == (200, b"accepted\n")
    assert raw.ask("/bye", client=raw.client)[0] == 200
    assert drill.end() == other.end() == 0
    assert accepted > len(mine) / 2, "what was cut short and repeated was mostly wanted"
    lost = drill.query("SELECT count(*) FROM tickets WHERE state IN ('failed', 'rejected')")[0][0]
    assert lost == 0
    drill.checked()
    other.checked()
    what = f"POSTs: {cuts} cut short, {repeats} repeated or changed, {foreign} of another session"
    report(figures, what, drill, plain=undisturbed(drill, two_hosts))


def test_of_two_results_sent_for_one_ticket_in_the_same_moment_one_is_taken_whole(
    drill: Drill, figures: Figures
) -> None:
    drill.sweep(40).start()
    raw = Raw(drill)
    raw.register()
    mine = raw.take(40)
    both = 0
    for ticket, x in mine.items():
        socks = []
        for _ in range(3):  # three connections, all but the last byte; then the last bytes
            body = result(x)
            head = f"POST {raw.target('/complete', ticket=ticket)} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n"
            head += f"Content-Length: {len(body)}\r\nContent-Type: multipart/form-data; boundary={B}\r\n\r\n"
            sock = socket.create_connection(raw.place, 10)
            sock.sendall(head.encode() + body[:-1])
            socks.append((sock, body[-1:]))
        for sock, last in socks:
            sock.sendall(last)
        answers = []
        for sock, _ in socks:
            with contextlib.closing(sock), sock.makefile("rb") as stream:
                answers.append(stream.read().rpartition(b"\r\n\r\n")[2])
        assert set(answers) <= {b"accepted\n", b"expired\n"}
        assert b"accepted\n" in answers
        both += 1
    raw.ask("/bye", client=raw.client)
    assert drill.end() == 0
    drill.checked()
    report(figures, "three equal results for one ticket at once", drill, both)

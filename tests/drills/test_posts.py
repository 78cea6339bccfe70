"""Results that come cut short, again, with other content, or from another session: the table does not care."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
from urllib.parse import urlencode, urlsplit

import pytest

from .by_hand_kit import Drill, content, report, undisturbed
from .figures import Figures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
B = "a-boundary-of-ours"


class Raw:
    """A client that does as it likes."""

    def __init__(self, drill: Drill, session: str = "") -> None:
        facts = drill.facts
        parts = urlsplit(facts["url"])
        self.place = (parts.hostname or "", parts.port or 0)
        self.session = session or facts["session"]
        self.client = ""

    def target(self, path: str, **query: object) -> str:
        return f"{path}?{urlencode({'sessionID': self.session, **query}, doseq=True)}"

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

    def results(self, body: bytes) -> tuple[int, list[str]]:
        """Many at once: the status, and the answer to each ticket."""
        status, text = self.ask("/results", body, client=self.client)
        return status, text.decode().splitlines()

    def head(self, length: int, path: str, **query: object) -> bytes:
        head = f"POST {self.target(path, **query)} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n"
        return f"{head}Content-Length: {length}\r\nContent-Type: multipart/form-data; boundary={B}\r\n\r\n".encode()

    def cut(self, body: bytes, at: int, rude: bool, path: str = "/complete", **query: object) -> None:
        """Send so many bytes of it and hang up, by FIN or by RST."""
        with socket.create_connection(self.place, 10) as sock:
            if rude:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(self.head(len(body), path, **query) + body[:at])

    def at_once(self, *requests: tuple[bytes, str, dict[str, object]]) -> list[str]:
        """What is answered to requests whose last bytes come in the same moment, each on a connection of its own."""
        socks = []
        for body, path, query in requests:
            sock = socket.create_connection(self.place, 10)
            sock.sendall(self.head(len(body), path, **query) + body[:-1])
            socks.append((sock, body[-1:]))
        for sock, last in socks:
            sock.sendall(last)
        answers = []
        for sock, _ in socks:
            with contextlib.closing(sock), sock.makefile("rb") as stream:
                answers.append(stream.read().rpartition(b"\r\n\r\n")[2].decode())
        return answers


def result(x: int, data: bytes | None = None) -> bytes:
    return form([("said", f"{x}\n".encode()), ("data", content(x) if data is None else data)])


def batch(sets: dict[int, int], data: bytes | None = None) -> bytes:
    """The results of these tickets: for each the set that it is for."""
    return form([
        part for ticket, x in sets.items()
        for part in ((f"{ticket}/said", f"{x}\n".encode()), (f"{ticket}/data", content(x) if data is None else data))
    ])  # fmt: skip


def form(parts: list[tuple[str, bytes]]) -> bytes:
    body = b"".join(
        f'--{B}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in parts
    )
    return body + f"--{B}--\r\n".encode()


def places(body: bytes) -> list[int]:
    """One of each kind where a body may break off, none of them behind its end."""
    boundary, size = f"--{B}\r\n".encode(), len(B)
    parts = [at for at in range(len(body)) if body.startswith(boundary, at)]
    within = [parts[1] + offset for offset in (0, 1, 2 + size // 2, 2 + size, 3 + size, 4 + size, size + 20, size + 50)]
    head_ends = [body.index(b"\r\n\r\n", at) for at in parts[:3]]
    contents = [end + offset for end in head_ends for offset in (0, 2, 4, 5)]
    borders = [parts[2] - 2, parts[2] - 1, parts[2], parts[-1]]  # between two tickets, or two parts
    last = [len(body) - offset for offset in (size + 8, size + 6, size // 2, 5, 4)]
    return sorted({0, 1, 60, len(body) // 2, *within, *contents, *borders, *last})


def two_hosts(drill: Drill) -> None:
    for name in ("h1", "h2"):
        drill.host(name, slots=2)


def test_results_cut_short_repeated_twice_or_of_another_session_change_nothing(
    drill: Drill, other: Drill, figures: Figures
) -> None:
    drill.sweep(300, "once: true\n").start()  # no copies: what is brought here is wanted, however quick the others are
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
            raw.cut(whole, at, rude=bool(number % 2), ticket=ticket)
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
        answers = raw.at_once(*[(result(x), "/complete", {"ticket": ticket})] * 3)
        assert set(answers) <= {"accepted\n", "expired\n"}
        assert "accepted\n" in answers
        both += 1
    raw.ask("/bye", client=raw.client)
    assert drill.end() == 0
    drill.checked()
    report(figures, "three equal results for one ticket at once", drill, both)


# -- many results in one body


def in_groups(tickets: dict[int, int], size: int) -> list[dict[int, int]]:
    pairs = list(tickets.items())
    return [dict(pairs[at : at + size]) for at in range(0, len(pairs), size)]


def said(sets: dict[int, int], *words: str) -> set[tuple[str, ...]]:
    """Answers for these tickets, in their order: all of them the same one of these words."""
    return {tuple(f"{ticket} {word}" for ticket in sets) for word in words}


def test_batches_cut_short_repeated_twice_or_of_another_session_change_nothing(
    drill: Drill, other: Drill, figures: Figures
) -> None:
    # Nobody is quicker with a copy, and what is taken stays ours for a while: each batch has some sixty connections.
    drill.sweep(300, "once: true\nping: 20\n").start()
    other.sweep(4).start()
    raw, stranger = Raw(drill), Raw(other)
    raw.register()
    groups = in_groups(raw.take(60), 5)
    assert [len(group) for group in groups] == [5] * 12
    drill.host("h1", slots=2)
    drill.host("h2", slots=2)
    theirs = stranger.take(4)
    cuts = repeats = taken = 0
    for number, group in enumerate(groups):
        status, _ = raw.ask(
            "/ping", client=raw.client, ticket=[ticket for later in groups[number:] for ticket in later]
        )
        assert status == 204, "all of them are still ours"
        whole = batch(group)
        for at in [*places(whole), len(whole) - 1]:
            raw.cut(whole, at, rude=bool(cuts % 2), path="/results", client=raw.client)
            cuts += 1
        for at in places(whole)[number % 3 :: 3]:  # the connection stays, the body ends too early
            assert raw.results(whole[:at])[0] == 400, at
            cuts += 1
        marks = ",".join(map(str, group))
        assert drill.query(f"SELECT DISTINCT state FROM tickets WHERE id IN ({marks})") == [("issued",)]
        foreign = {10**6 + ticket: x for ticket, x in theirs.items()}  # of another session, in a batch of ours
        status, lines = raw.results(batch({**group, **foreign}))
        assert (status, lines[5:]) == (200, [f"{ticket} unknown" for ticket in foreign])
        assert tuple(lines[:5]) in said(group, "accepted")
        taken += 5
        for again in (whole, batch(group, b"other bytes"), batch({ticket: x + 1 for ticket, x in group.items()})):
            assert raw.results(again) == (200, [f"{ticket} expired" for ticket in group])
            late = form([(f"{ticket}/reason", b"no") for ticket in group])
            assert raw.results(late) == (200, [f"{ticket} noted" for ticket in group])
            repeats += 2
    with_theirs = Raw(drill, session=stranger.session)
    assert with_theirs.ask("/results", batch(theirs, b"foreign")) == (403, b"wrong session ID\n")
    assert raw.ask("/results", batch(theirs, b"foreign"))[0] == 200  # numbers of ours, all done: see what is checked
    assert stranger.results(batch(theirs)) == (200, [f"{ticket} accepted" for ticket in theirs])
    assert raw.ask("/bye", client=raw.client)[0] == 200
    assert drill.end() == other.end() == 0
    report(figures, f"batches: {cuts} cut short, {repeats} repeated, {taken} results taken", drill)
    lost = drill.query("SELECT count(*) FROM tickets WHERE state IN ('failed', 'rejected')")[0][0]
    assert lost == 0
    drill.checked()
    other.checked()


def test_of_batches_that_overlap_in_the_same_moment_each_ticket_is_taken_once_and_whole(
    drill: Drill, figures: Figures
) -> None:
    drill.sweep(60).start()
    raw = Raw(drill)
    raw.register()
    groups = in_groups(raw.take(60), 6)
    for group in groups:
        pairs = list(group.items())
        same, mixed = batch(group), batch(dict(pairs[::-1]))
        first, rest = batch(dict(pairs[:4])), batch(dict(pairs[2:]))
        ticket, x = pairs[3]
        bodies = [(body, "/results", {"client": raw.client}) for body in (same, same, mixed, first, rest)]
        alone = (result(x), "/complete", {"ticket": ticket, "client": raw.client})
        *answers, single = raw.at_once(*bodies[:3], *bodies[3:], alone)
        lines = [line for answer in answers for line in answer.splitlines()] + [f"{ticket} {single.strip()}"]
        assert {line.partition(" ")[2] for line in lines} <= {"accepted", "expired"}
        assert {f"{one} accepted" for one in group} <= set(lines)
        order = list(group)
        for answer, expected in zip(answers, (order, order, order[::-1], order[:4], order[2:]), strict=True):
            assert [int(line.split()[0]) for line in answer.splitlines()] == expected, "a line for each, as they came"
    raw.ask("/bye", client=raw.client)
    assert drill.end() == 0
    report(figures, "six batches of the same tickets in one moment", drill, len(groups))
    drill.checked()


def test_a_ticket_that_fails_in_one_batch_and_succeeds_in_another_at_once_is_done(
    drill: Drill, figures: Figures
) -> None:
    drill.sweep(40).start()
    raw = Raw(drill)
    raw.register()
    for group in in_groups(raw.take(40), 5):
        failure = form([(f"{ticket}/reason", b"exit code 1") for ticket in group])
        answers = raw.at_once(
            (failure, "/results", {"client": raw.client}), (batch(group), "/results", {"client": raw.client})
        )
        assert tuple(answers[0].splitlines()) in said(group, "noted")
        assert tuple(answers[1].splitlines()) in said(group, "accepted")
    raw.ask("/bye", client=raw.client)
    assert drill.end() == 0
    report(figures, "a failure and a result of one ticket in one moment", drill)
    drill.checked()

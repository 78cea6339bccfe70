"""Requests that no client of ours sends: fuzzed, with names that want to be paths, too large in every way."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from drills.by_hand_kit import Drill, content
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .kit import (
    LARGEST_GROWTH,
    MULTIPART,
    POSTED,
    ROUTES,
    B,
    Target,
    body_of,
    ends_as_without,
    form,
    report,
    status_of,
    tickets_in,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
OTHERS = ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "G\0T", ""]
METHODS = st.sampled_from(["GET", "POST"] * 6 + OTHERS)
STRANGE = ["/", "//config", "/config/", "/../config", "/%2e%2e/task", "/task;x", "*", "http://x/task", "/\xff"]
PATHS = st.one_of(
    st.sampled_from(ROUTES),
    st.sampled_from(ROUTES),
    st.sampled_from(POSTED),
    st.sampled_from(STRANGE),
    TEXT.map(lambda text: "/" + text.replace(" ", "").replace("?", "")),
)
NAMES = st.sampled_from(["ticket", "client", "host", "platform", "slots", "name", "worker", "count", "wait", "reason",
                         "sha256", "files", "extra", "load", "cores", "ahead", "pings", "killed", "x"])  # fmt: skip
ODD = st.one_of(
    TEXT,
    st.sampled_from(["", "-1", "0", "00", "1e9", "nan", "inf", "-0", "0x10", "٣", "\u00b2", "1" * 30,
                     "99999999999999999999", "../../etc/passwd", "\0", "%00", "a" * 300, "1,2", "1 2", "\r\nX: y"]),
    st.integers(10**7, 10**25).map(str),
)  # fmt: skip
HEADERS = st.lists(
    st.sampled_from([
        "Content-Type: multipart/form-data", f"Content-Type: {MULTIPART}",
        "Content-Type: multipart/form-data; boundary=",
        "Content-Type: multipart/mixed; boundary=b", "Content-Type: \xe9", "Content-Encoding: gzip",
        "Content-Encoding: deflate", "Content-Encoding: br", "Range: bytes=5-1", "Range: bytes=-0", "Range: x",
        "If-None-Match: *", "If-Range: x", "If-Modified-Since: never", "Expect: 100-continue", "Expect: nothing",
        "Upgrade: websocket", "Cookie: a=b; ;=", "Accept-Encoding: identity;q=x", "X" * 500 + ": y", "Host: other",
        "Transfer-Encoding: chunked", "Content-Length: 3", "Content-Length: -1", "Content-Length: 1\r\n 2", "a b: c",
    ]),
    max_size=2,
)  # fmt: skip
PIECES = st.sampled_from([
    b"--" + B.encode(), b"--" + B.encode() + b"--", b"\r\n", b"\r\n\r\n", b"\n", b"", b"\0\xff\xfe",
    b'Content-Disposition: form-data; name="said"', b'Content-Disposition: form-data; name="../../x"',
    b"Content-Disposition: form-data", b"Content-Disposition: ; ;=", b"Content-Length: 99999999999",
    b"Content-Length: -5", b"Content-Transfer-Encoding: base64", b"Content-Type: multipart/mixed; boundary=c",
    b"Content-Encoding: gzip", b'name="usage"', b"{", b"[" * 50, b"x" * 3000, b"3\r\nabc\r\n", b"0\r\n\r\n",
])  # fmt: skip
LARGEST, MOST_PARTS = 4 << 20, 10_000  # of a batch, as docs/protocol.md says
PATIENCE = 60.0  # seconds until a request counts as forgotten
ELSEWHERE = 10**8  # no ticket has such a number
PART_NAMES = st.one_of(
    st.sampled_from(["said", "reason", "", "/", "/said", "0/said", f"{ELSEWHERE}", f"{ELSEWHERE}/", "-1/said", "٣/said",
                     f"0{ELSEWHERE}/said", "1" * 30 + "/said"]),
    st.sampled_from(["said", "data", "reason", "usage", "files", "exit-code", "../../x", "/etc/passwd", "a/b",
                     "x" * 1000, "é"])
    .map(lambda name: f"{ELSEWHERE}/{name}"),
    TEXT.map(lambda name: f"{ELSEWHERE + 1}/{name}"),
)  # fmt: skip
FORMS = st.lists(st.tuples(PART_NAMES, st.binary(max_size=50)), max_size=5).map(form)
BODIES = st.one_of(st.just(b""), st.binary(max_size=200), st.lists(PIECES, max_size=12).map(b"".join), FORMS)
FINE = {200, 204, 205, 206, 304, 400, 403, 404, 405, 410, 413, 415, 416, 417, 503}


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, list[str], bytes]:
    """Method, path with query, headers and body. /task always says how long it waits, so that nothing is held."""
    path = draw(PATHS)
    pairs = draw(st.lists(st.tuples(NAMES, ODD), max_size=4))
    pairs = [(name, value) for name, value in pairs if name != "wait" or path != "/task"] + [("wait", "0")]
    quoted = [f"{name}={_percent(value)}" for name, value in pairs]
    headers = draw(HEADERS) if draw(st.integers(0, 2)) else []
    if path in POSTED and draw(st.booleans()):
        headers = [f"Content-Type: {MULTIPART}", *headers]
    return draw(METHODS), f"{path}?{'&'.join(quoted)}", headers, draw(BODIES)


def _percent(value: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "".join(f"%{b:02x}" for b in c.encode()) for c in value)


FUZZ = settings(max_examples=350, deadline=None, derandomize=True, database=None,
                suppress_health_check=list(HealthCheck))  # fmt: skip


def framed(target: Target, one: tuple[str, str, list[str], bytes], session: str | None) -> bytes:
    method, path, headers, body = one
    if not any(h.startswith(("Content-Length", "Transfer-Encoding")) for h in headers):
        headers = [*headers, f"Content-Length: {len(body)}"]
    return target.head(method, path, *headers, session=session) + body


def test_fuzzed_requests_of_a_stranger_are_answered_403_or_not_at_all(drill: Drill) -> None:
    target = Target(drill.sweep(20).start())
    count = 0

    @FUZZ
    @given(requests())
    def fuzz(one: tuple[str, str, list[str], bytes]) -> None:
        nonlocal count
        count += 1
        path = one[1].replace("sessionID=", "s=")
        answer = target.send(framed(target, (one[0], path, *one[2:]), None), patience=0.2)
        last = answer[answer.rfind(b"HTTP/1.1 ") :]
        assert status_of(answer) in (0, 403), (one, answer)
        assert body_of(last) in (b"", b"wrong session ID\n"), (one, answer)
        assert target.session.encode() not in answer

    fuzz()
    print(f"{count} fuzzed requests without a session ID")
    ends_as_without(drill, target.session)


def test_fuzzed_requests_with_the_session_are_never_a_fault_of_the_master(drill: Drill) -> None:
    """Tickets that come of it are worked on in the end: what they are good for is another test's."""
    target = Target(drill.sweep(60).start())
    taken: dict[int, int] = {}
    seen: dict[int, int] = {}

    @FUZZ
    @given(requests())
    def fuzz(one: tuple[str, str, list[str], bytes]) -> None:
        answer = target.send(framed(target, one, ""), patience=0.2)
        seen[status_of(answer)] = seen.get(status_of(answer), 0) + 1
        assert status_of(answer) in FINE | {0}, (one, answer)
        assert target.session.encode() not in answer
        taken.update(tickets_in(answer))

    fuzz()
    print(f"{sum(seen.values())} fuzzed requests with the session ID, answers {seen}")
    assert len(seen) >= 5, "all too much alike"
    target.deliver(taken)
    ends_as_without(drill, target.session)


BAD_NAMES = ["../../evil", "/tmp/evil", "..", ".", "a/../../evil", "evil\\..\\evil", "~/evil", "%2e%2e%2fevil",
             "evil\0x", "files/1/data.bin", "said/../../evil", "C:evil", "|evil", "$(touch evil)", "`touch evil`",
             "évil"]  # fmt: skip


def everything(folder: Path) -> set[Path]:
    changing = ("master.log", "sweep.db", "sweep.db-wal", "sweep.db-shm")
    return {path for path in folder.rglob("*") if path.name not in changing}


def batch(target: Target, body: bytes, *headers: str, client: str = "") -> bytes:
    """The answer to so many results at once."""
    head = target.head("POST", f"/results?client={client}", f"Content-Type: {MULTIPART}",
                       f"Content-Length: {len(body)}", *headers)  # fmt: skip
    return target.send(head, body)


def answered_meanwhile(target: Target, ask: Callable[[], bytes]) -> tuple[bytes, int]:
    """An answer, and how many pings of others were answered before it."""
    with ThreadPoolExecutor(1) as pool:
        answer, others = pool.submit(ask), 0
        while not answer.done():
            others += status_of(target.send(target.head("GET", f"/ping?ticket={ELSEWHERE}"))) == 205
        return answer.result(), others


def no_name_of_a_batch_is_a_path(target: Target, ticket: int, x: int, name: str) -> int:
    """Whether it stands for the ticket, for the result, or for both; how often it was tried."""
    said = f"{x}\n".encode()
    for whole in (name, f"{name}/said", f"{ticket}.{name}", f"/{ticket}/{name}", f"{ticket}/../{ticket}/said\0"):
        assert status_of(batch(target, form([(whole, b"evil"), (f"{ticket}/said", said)]))) == 400, whole
    tried = 5
    for inner in (name, f"../../{name}", f"/etc/{name}", f"/{name}"):
        for number in (ticket, ticket + ELSEWHERE):
            body = form([(f"{number}/{inner}", b"evil"), (f"{number}/said", said)])
            answer = batch(target, body, client=_percent(name) if "\0" not in name else "")
            line = b"rejected: no part data" if number == ticket else b"unknown"
            expected = (b"%d %b" % (number, line), b"a part", b"not a multipart body")  # a NUL is in no header
            assert body_of(answer).startswith(expected), (inner, answer)
            assert status_of(answer) == (400 if "\0" in name else 200), inner
            tried += 1
    return tried


def test_no_name_from_outside_becomes_a_path(drill: Drill) -> None:
    target = Target(drill.sweep(40).start())
    before = everything(drill.root)
    asked = 0
    for name in BAD_NAMES:
        word = _percent(name)
        for path in (f"/config?host={word}&platform=x", f"/config?host=h&platform={word}", f"/worker?name={word}",
                     f"/worker?name=work&platform={word}", f"/file?sha256={word}", f"/bye?client={word}",
                     f"/ping?client={word}&ticket={word}", f"/failed?ticket={word}&reason={word}", f"/{word}",
                     f"/back?client={word}&ticket={word}", f"/task?count=1&wait=0&worker={word}&ahead={word}",
                     f"/client/{word}", f"/worker/{word}?name=work"):  # fmt: skip
            answer = target.send(target.head("GET", path))
            asked += 1
            assert status_of(answer) in FINE, (path, answer)
            assert b"root:" not in answer
            if status_of(answer) == 200:
                assert path.startswith(("/config", "/bye", "/ping", "/failed", "/back", "/worker?name=work&")), path
        got = target.send(target.head("GET", "/task?count=1&wait=5"))
        assert status_of(got) == 200, (name, got, asked, drill.states())
        ((ticket, x),) = tickets_in(got).items()
        body = form([(name, b"evil"), ("said", f"{x}\n".encode())])
        disposition = f'; filename="{name}"'
        body = body.replace(b'name="said"', b'name="said"' + disposition.encode())
        for route in ("/complete", "/failed"):
            head = target.head("POST", f"{route}?ticket={ticket + 10**8}&client={word}", f"Content-Type: {MULTIPART}",
                               f"Content-Length: {len(body)}")  # fmt: skip
            assert status_of(target.send(head, body)) in (200, 400), name
            asked += 1
        whole = form([(name, b"evil"), ("said", f"{x}\n".encode())])
        head = target.head("POST", f"/complete?ticket={ticket}&client={word}", f"Content-Type: {MULTIPART}",
                           f"Content-Length: {len(whole)}")  # fmt: skip
        assert body_of(target.send(head, whole)).startswith((b"rejected: no part data", b"not a multipart body")), name
        asked += no_name_of_a_batch_is_a_path(target, ticket, x, name)
        target.deliver({ticket: x})
        assert not (drill.folder / "evil").exists()
    new = {str(path.relative_to(drill.runs)) for path in everything(drill.root) - before}
    own = {"incoming", "session/blockers.json"}  # the master's, at any time
    kept = {name for name in new - own if not name.startswith("files")}
    assert not kept
    assert all(name == "files" or name.split("/")[1].isdigit() for name in new - own)
    print(f"{asked} requests with names that want to be paths")
    ends_as_without(drill, target.session)


def test_a_batch_over_a_limit_is_refused_as_a_whole_and_one_at_the_limit_is_taken(drill: Drill) -> None:
    target = Target(drill.sweep(10).start())
    ((ticket, x),) = tickets_in(target.send(target.head("GET", "/task?count=1&wait=5"))).items()
    right = [(f"{ticket}/said", f"{x}\n".encode()), (f"{ticket}/data", content(x))]

    def filled(size: int) -> bytes:
        empty = len(form([*right, (f"{ELSEWHERE}/zz", b"")]))
        return form([*right, (f"{ELSEWHERE}/zz", bytes(size - empty))])

    def parts(count: int, *more: tuple[str, bytes]) -> bytes:
        return form([*((f"{ELSEWHERE}/n{i}", b"") for i in range(count - len(more))), *more])

    refused = {
        "10,001 parts": (413, parts(MOST_PARTS + 1, *right)),
        "4 MB and a byte": (413, filled(LARGEST + 1)),
        "a ticket of 1,000 digits": (400, form([*right, ("1" * 1000 + "/said", b"")])),
        "a name of 10,000 characters": (400, form([*right, (f"{ELSEWHERE}/" + "n" * 10_000, b"")])),
        "one name twice": (400, form([*right, right[0]])),
        "no name": (400, form([*right, (f"{ELSEWHERE}/", b"")])),
        "no ticket": (400, form([*right, ("said", b"")])),
        "no end": (400, form(right)[:-4]),
    }
    before = target.memory()
    for what, (status, body) in refused.items():
        answer = batch(target, body)
        assert status_of(answer) == status, (what, answer)
    assert status_of(batch(target, gzip.compress(form(right)), "Content-Encoding: gzip")) == 400
    assert drill.states().get("done", 0) == 0, "taken in part"
    taken = {
        "10,000 parts": (1, parts(MOST_PARTS)),
        "10,000 tickets": (MOST_PARTS, form([(f"{ELSEWHERE + i}/said", b"") for i in range(MOST_PARTS)])),
        "10,000 failures": (MOST_PARTS, form([(f"{ELSEWHERE + i}/reason", b"x") for i in range(MOST_PARTS)])),
        "a name of 1,000 characters": (1, form([(f"{ELSEWHERE}/" + "n" * 1000, b"")])),
        "a reason of 1 MB": (1, form([(f"{ELSEWHERE}/reason", b"why " * (1 << 18))])),
        "4 MB": (2, filled(LARGEST)),
    }
    for what, (lines, body) in taken.items():
        answer, others = answered_meanwhile(target, lambda body=body: batch(target, body))
        assert others > 3 or lines < MOST_PARTS, f"{what}: nobody else was answered"
        assert (status_of(answer), body_of(answer).count(b"\n")) == (200, lines), (what, answer[:300])
    assert b"%d accepted\n" % ticket in answer, "the last one had a result with it"
    growth = target.memory() - before
    assert growth < LARGEST_GROWTH
    print(f"batches: memory +{growth / 2**20:.0f} MB")
    ends_as_without(drill, target.session)


def endless(piece: bytes, total: int) -> list[bytes]:
    return [piece] * (total // len(piece))


def chunked(pieces: list[bytes]) -> list[bytes]:
    return [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]


def test_what_is_too_large_is_answered_or_cut_off_and_takes_little_memory(drill: Drill) -> None:
    target = Target(drill.sweep(10, "max_result: 1 MB\n").start())
    post = f"Content-Type: {MULTIPART}"
    part = f'--{B}\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'
    block = bytes(1 << 20)
    bomb = gzip.compress(form([("data", bytes(200 << 20))]))
    named = "/complete?ticket=10000000"

    def posted(path: str, *pieces: bytes, length: int | None = None, more: tuple[str, ...] = ()) -> list[bytes]:
        size = sum(map(len, pieces)) if length is None else length
        return [target.head("POST", path, post, f"Content-Length: {size}", *more), *pieces]

    def in_chunks(path: str, *pieces: bytes) -> list[bytes]:
        return [target.head("POST", path, post, "Transfer-Encoding: chunked"), *chunked(list(pieces))]

    cases: dict[str, list[bytes]] = {
        "a first line of 20 MB": [b"GET /ping?x=", *endless(b"a" * 65536, 20 << 20)],
        "a header of 20 MB": [target.head("GET", "/ping")[:-2] + b"X: ", *endless(b"a" * 65536, 20 << 20)],
        "100,000 headers": [target.head("GET", "/ping")[:-2], b"X: y\r\n" * 100_000, b"\r\n"],
        "5,000 tickets": [target.head("GET", "/ping?" + "ticket=1&" * 5000 + "x=1")],
        "a host of 1,000 characters": [target.head("GET", f"/config?host={'h' * 1000}")],
        "10^18 slots": [target.head("GET", f"/config?slots={10**18}")],
        "a count of 10^6": [target.head("GET", "/task?count=1000000&wait=0")],
        "a body of 10^15 bytes": posted(named, b"x", length=10**15),
        "20,000 parts": posted(named, b"".join((part % f"n{i}").encode() + b"\r\n" for i in range(20_000))),
        "a part's name of 5 MB": posted(named, (part % ("n" * (5 << 20))).encode() + b"x\r\n"),
        "a part with 50,000 headers": posted(named, f"--{B}\r\n".encode() + b"A: b\r\n" * 50_000 + b"\r\n"),
        "a part over max_result": posted(named, (part % "data").encode(), *endless(block, 8 << 20)),
        "stdout over all limits": in_chunks(named, (part % "stdout").encode(), *endless(block, 60 << 20)),
        "an unknown part over all limits": in_chunks(named, (part % "zz").encode(), *endless(block, 60 << 20)),
        "60 MB before the first part": in_chunks(named, *endless(b"x\r\n" * 300_000, 60 << 20)),
        "60 MB without a line end": in_chunks(named, *endless(block, 60 << 20)),
        "60 MB after the last part": in_chunks(named, form([("zz", b"")]), *endless(block, 60 << 20)),
        "a chunk's size of 1 MB": [in_chunks(named)[0], b"0" * (1 << 20) + b"\r\n\r\n"],
        "200 MB packed into a little": posted(named, bomb, more=("Content-Encoding: gzip",)),
        "a batch of 10^15 bytes": posted("/results", b"x", length=10**15),
        "a batch in chunks without end": in_chunks("/results", *endless(block, 60 << 20)),
        "a batch of 4 MB and 60 MB behind it": posted("/results", *endless(block, 64 << 20), length=LARGEST),
        "a part of a batch over max_result": posted("/results", form([("100000000/data", bytes(2 << 20))])),
        "a boundary of 5,000 characters": [target.head(
            "POST", named, f"Content-Type: multipart/form-data; boundary={'b' * 5000}", "Content-Length: 0")],
        "5,000 requests at once": [target.head("GET", "/bye").replace(b"Connection: close\r\n", b"") * 5000
                                   + target.head("GET", "/nothing")],
    }  # fmt: skip
    before = target.memory()
    slowest = (0.0, "")
    for what, pieces in cases.items():
        began = time.monotonic()
        answer = target.send(*pieces, patience=PATIENCE)
        took = time.monotonic() - began
        slowest = max(slowest, (took, what))
        last = answer[answer.rfind(b"HTTP/1.1 ") :]
        assert status_of(last) in (0, 400, 403, 404, 413), (what, answer[:300])
        assert took < PATIENCE, f"{what}: neither answered nor cut off"
        assert target.memory() - before < LARGEST_GROWTH, (what, target.memory() - before)
    growth = (target.memory() - before) / 2**20
    print(f"{len(cases)} kinds of too large: memory +{growth:.0f} MB, the slowest {slowest[0]:.1f} s ({slowest[1]})")
    assert not list((drill.runs / "incoming").glob("*"))
    ends_as_without(drill, target.session)
    report("oversize", drill)

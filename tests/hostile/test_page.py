"""Requests to the page that no browser of ours sends: whatever is asked, it is not a fault of the master."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from drills.by_hand_kit import Drill
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting import wait_until

from .kit import Target, ends_as_without, status_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
FINE = {200, 206, 304, 400, 403, 404, 405, 409, 413, 415, 416, 417}
TWO = "\u00b2"  # a digit to str.isdigit(), and none to int()
VIEWS = ["/", "/hosts", "/tasks", "/task/1", "/task/1/file/data", "/results", "/next", "/log", "/output", "/processes",
         "/page.css", "/nothing"]  # fmt: skip
LONG = "x=1," * 4000 + "x=1"
DEEP = b"[" * 100_000


class Page(Target):
    """The page's listener, for who may read and for who may act."""

    def __init__(self, drill: Drill) -> None:
        super().__init__(drill, page=True)
        secrets = json.loads((drill.runs / "session" / "secrets.json").read_text())
        self.tokens = {"read": secrets["read"], "act": secrets["act"]}

    def ask(self, method: str, path: str, *headers: str, body: bytes = b"", token: str = "read") -> bytes:
        sign = "&" if "?" in path else "?"
        own = self.head(method, f"{path}{sign}token={self.tokens[token]}", *headers, session=None)
        return self.send(own, body, patience=20)

    def post(self, path: str, body: bytes, *headers: str) -> bytes:
        return self.ask("POST", path, f"Content-Length: {len(body)}", *headers, body=body, token="act")


def percent(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"), safe=",")


@pytest.fixture
def page(drill: Drill) -> Page:
    """Of a sweep that has some results and goes on until its gate is open."""
    drill.sweep(40).start()
    drill.host("first", GATE=str(drill.gate))
    wait_until(lambda: drill.query("SELECT count(*) FROM tickets") != [(0,)], "it has work")
    return Page(drill)


def no_fault(page: Page, drill: Drill) -> None:
    log = (drill.runs / "master.log").read_text()
    for word in ("Traceback", "went wrong"):
        assert word not in log, log[-3000:]
    drill.gate.touch()
    ends_as_without(drill, *page.tokens.values())


NONSENSE = {
    "a digit that is none, for a task": f"/output?task={percent(TWO)}",
    "a digit that is none, for bytes": f"/output?task=1&before={percent(TWO)}",
    "4,000 conditions": f"/tasks?where={percent(LONG)}",
    "4,000 conditions for the plot": f"/results?where={percent(LONG)}",
    "a condition with half a character": f"/tasks?where={percent('host = ' + chr(0xD800))}",
    "a host with half a character": f"/tasks?host={percent(chr(0xD800))}",
    "the part of a page that has none": "/log?part=1",
    "a condition that is no number": f"/tasks?where={percent('attempts < ' + TWO)}",
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_told_as_what_it_is(drill: Drill, page: Page, what: str) -> None:
    answer = page.ask("GET", NONSENSE[what])
    assert status_of(answer) == (200 if "half" in what else 400), answer[:300]
    no_fault(page, drill)


def test_bodies_of_the_page_that_are_deep_or_strange_are_refused(drill: Drill, page: Page) -> None:
    half = json.dumps({"do": "bench", "host": "\ud800"}).encode()
    bodies: list[bytes] = [
        DEEP, b'{"do":' + DEEP, b'{"a":' * 100_000, b"\xff", b"", b"null", b"1e999", b"9" * 10_000, half,
        b'{"do": "\\ud800"}', b'{"do": "add", "line": "\\ud800"}', b'{"do": "add", "line": "h slots=\\u00b2"}',
        b'{"do": "cancel", "tasks": [' + b"9" * 100 + b"]}", b'{"do": "cancel", "tasks": [true, NaN]}',
        b'{"words": ["ls"], "task": 1, "limit": 1e999}', b'{"words": ["\\ud800"], "task": 99}',
        b'{"words": ["ls\\u0000"], "host": "\\ud800"}', b'{"words": ["ls"], "task": 1e999}',
    ]  # fmt: skip
    for body in bodies:
        for path in ("/act", "/ask"):
            answer = page.post(path, body)
            assert status_of(answer) in FINE, (path, body[:100], answer[:300])
    no_fault(page, drill)


ODD = st.one_of(
    st.text(max_size=20),
    st.sampled_from([
        "", "-1", "0", TWO, "٣", "1e9", "nan", "inf", "-0", "1" * 30, "\0", "%00", "a" * 300, "\r\nX: y", "x", "-x",
        "number", "-host", "seconds", "x < 5", 'x = "a', "x ~ a and", "x < inf", "x < nan", "x > 1e999", "x = 1D5",
        "said ~ %", "seconds < " + "9" * 400, "host ~ \ud800", "data", "said", "running", "done", "stderr",
    ]),
    st.lists(st.sampled_from(["x", "host", "said", "<", "=", "~", "5", '"', "and", ",", "(", "'", "1e999", TWO]),
             max_size=9).map(" ".join),
)  # fmt: skip
NAMES = st.sampled_from(["where", "host", "sort", "x", "y", "from", "state", "part", "task", "which", "before"])
HEADERS = st.lists(st.sampled_from([
    "Range: bytes=5-1", "Range: bytes=\xb2-", "Range: bytes=0-" + "9" * 400, "If-Range: x", "If-Modified-Since: never",
    "Last-Event-ID: \xb2", "Content-Encoding: gzip", "Content-Encoding: br", "Content-Type: \xe9; charset=nothing",
    "Accept-Encoding: identity;q=x", "Cookie: a=b; ;=", "Expect: 100-continue", "Expect: nothing",
    "Transfer-Encoding: chunked", "Content-Length: 3", "Upgrade: websocket", "If-None-Match: *",
]), max_size=2)  # fmt: skip
JSON: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
LINES = st.one_of(st.text(max_size=30), st.lists(st.sampled_from([
    "h", "u@h", "h:22", "h:²", "h[01-03]", "h[", "h[a-b]", "slots=0", "slots=²", "slots=" + "9" * 30, "workdir=x",
    "setup='a", "python=\0", "localhost", "#", "=", "x=y", "::1", "[::1]:22", "@", ":", "h:99999", "first",
]), max_size=4).map(" ".join))  # fmt: skip
ORDERS = st.fixed_dictionaries(
    {"do": st.sampled_from(["retry", "cancel", "bench", "use", "add", "pause_task", "resume_task", "no", ""])},
    optional={
        "host": st.one_of(JSON, st.text(max_size=5)), "line": LINES,
        "tasks": st.one_of(JSON, st.lists(st.integers(50, 99), max_size=3)),
    },
)  # fmt: skip
QUESTIONS = st.fixed_dictionaries(
    {"words": st.one_of(JSON, st.lists(st.text(max_size=5), max_size=3))},
    optional={"task": st.one_of(JSON, st.integers(50, 99)), "host": JSON, "limit": JSON},
)
FUZZ = settings(max_examples=300, deadline=None, derandomize=True, database=None,
                suppress_health_check=list(HealthCheck))  # fmt: skip


@st.composite
def looks(draw: st.DrawFn) -> tuple[str, str, list[str]]:
    """Method, path with query, headers."""
    path = draw(st.sampled_from(VIEWS))
    if path == "/task/1":
        path = f"/task/{percent(draw(ODD))}"
    pairs = draw(st.lists(st.tuples(NAMES, ODD), max_size=4))
    query = "&".join(f"{name}={percent(value)}" for name, value in pairs)
    return draw(st.sampled_from(["GET"] * 8 + ["HEAD", "POST", "PUT"])), f"{path}?{query}", draw(HEADERS)


def test_fuzzed_looks_at_the_page_are_never_a_fault_of_the_master(drill: Drill, page: Page) -> None:
    seen: dict[int, int] = {}

    @FUZZ
    @given(looks())
    def fuzz(one: tuple[str, str, list[str]]) -> None:
        method, path, headers = one
        answer = page.ask(method, path, *headers)
        seen[status_of(answer)] = seen.get(status_of(answer), 0) + 1
        assert status_of(answer) in FINE, (one, answer[:500])

    fuzz()
    print(f"{sum(seen.values())} fuzzed looks at the page, answers {seen}")
    no_fault(page, drill)


def test_fuzzed_orders_and_questions_are_never_a_fault_of_the_master(drill: Drill, page: Page) -> None:
    seen: dict[int, int] = {}

    @FUZZ
    @given(st.one_of(st.tuples(st.just("/act"), ORDERS | JSON), st.tuples(st.just("/ask"), QUESTIONS)), HEADERS)
    def fuzz(one: tuple[str, Any], headers: list[str]) -> None:
        path, asked = one
        headers = [one for one in headers if not one.startswith(("Transfer", "Content-Length"))]
        answer = page.post(path, json.dumps(asked).encode(), *headers)
        seen[status_of(answer)] = seen.get(status_of(answer), 0) + 1
        assert status_of(answer) in FINE, (one, answer[:500])

    fuzz()
    print(f"{sum(seen.values())} fuzzed orders, answers {seen}")
    no_fault(page, drill)


def test_no_answer_says_what_it_was_made_by(drill: Drill, page: Page) -> None:
    """Neither of both listeners, nor aiohttp's own pages about what it cannot read."""
    wire = Target(drill)
    answers = [
        page.ask("GET", "/"), page.ask("GET", "/page.css"), page.ask("GET", "/nothing"), page.ask("PUT", "/act"),
        page.send(page.head("GET", "/", session=None)), page.ask("POST", "/act", "Expect: nothing"),
        page.post("/act", bytes(2 << 20)), page.ask("GET", "/", "Content-Length: x"),
        page.ask("GET", "/task/1/file/data", "Range: bytes=9-1"),
        page.ask("GET", "/tasks?where=nonsense"), wire.send(wire.head("GET", "/config?slots=x")),
        wire.send(wire.head("GET", "/config?host=h")), wire.send(wire.head("GET", "/nothing", session=None)),
        wire.send(wire.head("GET", "/ping", "Expect: nothing")), wire.send(wire.head("PUT", "/config")),
        wire.send(wire.head("POST", "/results", "Content-Type: x", "Content-Length: 99999999999")),
        *(one.send(said) for one in (page, wire) for said in MALFORMED),
    ]  # fmt: skip
    assert [one for one in answers if status_of(one)], "some are answered"
    for answer in answers:
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert b"\r\nserver:" not in head, answer
        for word in (b"aiohttp", b"python/", b"traceback"):
            assert word not in answer.lower().replace(b"python3", b""), answer
    assert {status_of(answer) for answer in answers} >= {200, 403, 404, 400}
    drill.gate.touch()
    ends_as_without(drill)


MALFORMED = [
    b"\r\n\r\n", b"x\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", b"\x16\x03\x01", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n",
]  # fmt: skip

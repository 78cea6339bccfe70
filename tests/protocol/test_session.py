"""Without the session ID there is 403 and nothing else, whatever is asked and however."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from doors import clients_routes

from .kit import BOUNDARY, Master, form

KNOWN = clients_routes()  # all that there are, so that none can be forgotten
PATHS = (*KNOWN, "/", "/x/y", "//", "/%00")
METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "TRACE")
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.fixture
def wrong(long_sweep: Master) -> list[str]:
    """Query strings that hold no right session ID, or not only one."""
    right = long_sweep.session
    return [
        "",
        "sessionID=",
        "sessionID=wrong",
        f"sessionID={right[:-1]}",
        f"sessionID={right}x",
        f"sessionID={right.swapcase()}",
        f"sessionid={right}",
        f"session={right}",
        f"sessionID={right}&sessionID=wrong",
        f"sessionID=wrong&sessionID={right}",
        f"sessionID={right}&sessionID={right}",
        "sessionID=%ff%00%zz",
        "sessionID=%C3%BC",
        "sessionID=" + 5000 * "a",
        "ticket=1&ticket=x&count=-1&wait=soon",
    ]


def assert_forbidden(status: int, body: bytes, where: object) -> None:
    assert (status, body) == (403, b"wrong session ID\n"), where


@pytest.mark.parametrize("method", METHODS)
def test_every_path_is_forbidden_to_every_wrong_session_with_the_same_words(
    long_sweep: Master, wrong: list[str], method: str
) -> None:
    connection = long_sweep.connection()
    for path in PATHS:
        for query in wrong:
            connection.request(method, f"{path}?{query}")
            response = connection.getresponse()
            body = response.read()
            assert_forbidden(response.status, body if method != "HEAD" else b"wrong session ID\n", (path, query))
            assert method != "HEAD" or body == b""
    connection.close()


def test_a_malformed_body_is_not_looked_at_without_the_session(long_sweep: Master) -> None:
    for path in (*KNOWN, "/nothing"):
        for headers in (FORM, {"Content-Type": "multipart/form-data"}, {"Content-Type": "nonsense"}, {}):
            body = b"--x\r\nnonsense"
            reply = long_sweep.ask(path, {"ticket": 1}, method="POST", body=body, headers=headers, session="x")
            assert_forbidden(reply.status, reply.body, (path, headers))


def test_a_compressed_body_that_is_none_is_not_looked_at_without_the_session(long_sweep: Master) -> None:
    headers = {**FORM, "Content-Encoding": "gzip"}
    reply = long_sweep.ask("/complete", {"ticket": 1}, method="POST", body=b"nonsense", headers=headers, session="x")
    assert_forbidden(reply.status, reply.body, headers)


def status_and_body(answer: bytes) -> tuple[int, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize("expected", ["100-continue", "200-ok", ""])
def test_an_expect_header_changes_nothing_for_a_wrong_session(long_sweep: Master, expected: str) -> None:
    head = f"POST /complete?sessionID=x HTTP/1.1\r\nHost: m\r\nExpect: {expected}\r\nContent-Length: 0\r\n"
    answer = long_sweep.raw(f"{head}Connection: close\r\n\r\n".encode())
    assert_forbidden(*status_and_body(answer), expected)


@pytest.mark.parametrize(
    "request_",
    [
        b"BREW /config?sessionID=%s HTTP/1.1\r\nHost: m\r\n\r\n",
        b"GET /config?sessionID=%s HTTP/1.1\r\nHost: m\r\nContent-Length: nonsense\r\n\r\n",
        b"GET /config?sessionID=%s HTTP/9.9\r\nHost: m\r\n\r\n",
        b"GET /config?sessionID=%s HTTP/1.1\r\nno header at all\r\n\r\n",
        b"GET /" + 100_000 * b"a" + b"?sessionID=%s HTTP/1.1\r\nHost: m\r\n\r\n",
        b"\x16\x03\x01 %s\r\n\r\n",
    ],
    ids=["method", "length", "version", "header", "long", "TLS"],
)
def test_what_is_no_http_is_forbidden_and_neither_quoted_nor_logged(long_sweep: Master, request_: bytes) -> None:
    for session in (b"not-ours", long_sweep.session.encode()):
        first = b"GET /nothing?sessionID=x HTTP/1.1\r\nHost: m\r\n\r\n"  # aiohttp logs more from the second one on
        for before in (b"", first):
            answer = long_sweep.raw(before + request_ % session)
            assert_forbidden(*status_and_body(answer[answer.rindex(b"HTTP/1.") :]), request_[:60])
            assert session not in answer
    assert long_sweep.session not in long_sweep.log + long_sweep.err.read_text()
    assert "Traceback" not in long_sweep.log + long_sweep.err.read_text()


def test_a_large_body_of_a_stranger_is_refused_before_it_is_sent(long_sweep: Master) -> None:
    head = f"POST /complete?sessionID=x HTTP/1.1\r\nHost: m\r\nExpect: 100-continue\r\nContent-Length: {10**12}\r\n\r\n"
    with long_sweep.open() as sock:
        sock.sendall(head.encode())
        assert sock.recv(65536).startswith(b"HTTP/1.1 403 ")


def test_with_the_session_a_client_that_expects_100_continue_gets_it(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    body = form([("stdout", b"1\n"), ("data", b"x")])
    target = long_sweep.target("/complete", {"ticket": ticket})
    head = (
        f"POST {target} HTTP/1.1\r\nHost: m\r\nExpect: 100-continue\r\nConnection: close\r\n"
        f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with long_sweep.open() as sock:
        sock.sendall(head.encode())
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        with sock.makefile("rb") as answer:
            assert answer.read().endswith(b"accepted\n")


def test_with_the_session_unknown_paths_and_methods_are_told(long_sweep: Master) -> None:
    assert long_sweep.ask("/nothing").status == 404
    for path, methods in KNOWN.items():
        for method in {"GET", "POST", "HEAD", "PUT", "DELETE"} - set(methods):
            assert long_sweep.ask(path, method=method).status == 405, (path, method)


def test_the_session_id_is_unguessable_and_safe_in_a_url(long_sweep: Master) -> None:
    assert len(long_sweep.session) >= 22  # 128 bits at 6 a character
    assert long_sweep.session.isascii() and long_sweep.session.replace("-", "").replace("_", "").isalnum()


def test_the_session_id_is_on_no_command_line_and_in_no_open_file(long_sweep: Master) -> None:
    processes = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert long_sweep.session not in processes
    for path in long_sweep.runs.rglob("*"):
        if path.is_file() and long_sweep.session.encode() in path.read_bytes():
            assert path.stat().st_mode & 0o077 == 0, path
    assert (long_sweep.runs / "master.json").stat().st_mode & 0o777 == 0o600


def test_sessions_of_two_runs_differ(sweep: Callable[..., Master], long_sweep: Master, tmp_path: Path) -> None:
    assert sweep(1).session != long_sweep.session

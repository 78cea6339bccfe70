"""POST /complete and /failed: what is taken, what is not, and that every byte arrives."""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from waiting import wait_until

from .kit import BOUNDARY, Master, Reply, form

ALL_BYTES = bytes(range(256))
HARD = [
    ALL_BYTES,
    b"",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"a\r\nb\r\n",
    b"--" + BOUNDARY.encode(),
    b"--" + BOUNDARY.encode() + b"--\r\n",
    b"\r\n--" + BOUNDARY.encode()[:-1],
    b"\r\n--another-boundary--\r\n",
    b'Content-Disposition: form-data; name="data"\r\n\r\n',
    b"\xff\xfe" + "ü€".encode(),
    ALL_BYTES * 1000,
    b"\r" * 70000,
]


def results(data: bytes = b"data", **more: bytes) -> list[tuple[str, bytes]]:
    parts = {"stdout": b"1\n", "data": data, **{name.replace("_", "-"): value for name, value in more.items()}}
    return list(parts.items())


def number_of(master: Master, ticket: int) -> int:
    with sqlite3.connect(f"file:{master.runs}/sweep.db?mode=ro", uri=True) as database:
        return int(database.execute("SELECT task FROM tickets WHERE id = ?", [ticket]).fetchone()[0])


def stored(master: Master, ticket: int, query: str) -> tuple[object, ...]:
    with sqlite3.connect(f"file:{master.runs}/sweep.db?mode=ro", uri=True) as database:
        found = database.execute(query, [number_of(master, ticket)]).fetchone()
    return tuple(found)


def state(master: Master, ticket: int) -> tuple[object, ...]:
    return stored(master, ticket, "SELECT state, attempts FROM tasks WHERE number = ?")


@pytest.mark.parametrize("content", HARD, ids=lambda content: f"{content[:12]!r}-{len(content)}")
def test_the_bytes_of_a_result_arrive_as_they_are(long_sweep: Master, content: bytes) -> None:
    boundary = "-nowhere-else-"
    (ticket,) = long_sweep.take()
    reply = long_sweep.post("/complete", {"ticket": ticket}, [("stdout", content), ("data", content)], boundary)
    assert (reply.status, reply.text) == (200, "accepted\n")
    number = number_of(long_sweep, ticket)
    assert (long_sweep.runs / "files" / str(number) / "out.bin").read_bytes() == content
    query = "SELECT value, raw, file FROM outputs WHERE task = ? AND name = 'stdout'"
    value, raw, file = stored(long_sweep, ticket, query)
    kept = raw if raw is not None else str(value).encode() + b"\n"
    assert ((long_sweep.runs / str(file)).read_bytes() if file else kept) == content


def test_a_part_may_have_a_file_name_a_type_and_come_in_any_order(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    body = (
        b'--b\r\nContent-Type: text/csv\r\nContent-Disposition: form-data; name="data"; filename="../../x"\r\n\r\n'
        b"a\r\n--b\r\ncontent-disposition: form-data; name=stdout\r\n\r\nb\n\r\n--b--"
    )
    headers = {"Content-Type": 'multipart/form-data; boundary="b"'}
    reply = long_sweep.ask("/complete", {"ticket": ticket}, method="POST", body=body, headers=headers)
    assert reply.text == "accepted\n"
    assert stored(long_sweep, ticket, "SELECT value FROM outputs WHERE task = ? AND name = 'stdout'") == ("b",)


def test_results_may_have_names_of_any_script(sweep: Callable[..., Master]) -> None:
    started = sweep(3, "results: {größe: stdout, 'two words': out.txt}")
    parts = [("größe", b"1\n"), ("two words", b"2\n")]
    one, two, three = started.take(3)
    assert started.complete(one, *parts) == "accepted"
    as_rfc_5987 = form(parts).replace('name="größe"'.encode(), b"name*=utf-8''gr%C3%B6%C3%9Fe")
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    reply = started.ask("/complete", {"ticket": two}, method="POST", body=as_rfc_5987, headers=headers)
    assert reply.text == "accepted\n"
    assert started.complete(three, parts[1]) == "rejected: no part größe"
    assert b"\nName=gr\xc3\xb6\xc3\x9fe\n" in started.ask("/task", {"wait": 10}).body


def test_a_chunked_body_is_taken(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    body = form(results())
    connection = long_sweep.connection()
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Transfer-Encoding": "chunked"}
    pieces = (body[at : at + 7] for at in range(0, len(body), 7))
    connection.request("POST", long_sweep.target("/complete", {"ticket": ticket}), pieces, headers, encode_chunked=True)
    assert connection.getresponse().read() == b"accepted\n"
    connection.close()


def test_a_missing_part_is_rejected_by_name_and_uses_up_an_attempt(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    assert long_sweep.complete(ticket, ("stdout", b"1\n")) == "rejected: no part data"
    assert state(long_sweep, ticket) == ("waiting", 1)
    assert long_sweep.complete(ticket, ("data", b"1\n")) == "rejected: no part stdout"
    assert state(long_sweep, ticket) == ("waiting", 1), "one attempt is used up once"


def test_what_the_validation_refuses_is_told_in_one_line(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    assert long_sweep.complete(ticket, *results(b"BAD")) == "rejected: the data are bad"
    assert state(long_sweep, ticket) == ("waiting", 1)
    assert long_sweep.complete(ticket, *results(b"good")) == "accepted", "a better result of it is still wanted"


def test_an_exit_code_other_than_0_is_rejected(long_sweep: Master) -> None:
    for code in (b"1", b"-9", b"255\n"):
        (ticket,) = long_sweep.take()
        line = long_sweep.complete(ticket, *results(exit_code=code))
        assert line == f"rejected: exit code {int(code)}"
    for code in (b"%d" % 2**70, b"nonsense", b"0x0", b"0.0", "\u0663".encode(), b"9" * 2000, b"0 0", b"-" + b"9" * 30):
        (ticket,) = long_sweep.take()
        line = long_sweep.complete(ticket, *results(exit_code=code))
        assert line.startswith("rejected: exit code '") and line.endswith("' is none"), line
        assert state(long_sweep, ticket) == ("waiting", 1)
    for code in (b"0", b"0\n", b""):
        (ticket,) = long_sweep.take()
        assert long_sweep.complete(ticket, *results(exit_code=code)) == "accepted", code


NO_CODE = 'error\ndata: "its client told no exit code"\n'


def test_what_a_client_says_of_a_question_is_an_exit_code_or_a_reason(
    sweep: Callable[..., Master],
) -> None:
    """One of 256 would be 0 to a shell."""
    started = sweep(3)
    client = started.register(host="h", pings=1)
    for number, (told, event) in enumerate([
        ({"exit": 3}, "exit\ndata: 3\n"), ({"exit": 255}, "exit\ndata: 255\n"), ({"exit": 0}, "exit\ndata: 0\n"),
        ({"exit": 256}, NO_CODE), ({"exit": 10**17}, NO_CODE), ({}, NO_CODE), ({"reason": "no"}, 'error\ndata: "no"\n'),
    ], 1):  # fmt: skip
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(question, started)
            wait_until(lambda: started.ask("/orders", {"client": client}).body, "it is told")
            query = {"client": client, "order": number, "end": 1, **told}
            assert started.ask("/answer", query, method="POST", body=b"").status == 200
            assert f"event: {event}" in asked.result()


def question(master: Master) -> str:
    """What comes of `spe ask --host h -- ls`, as it comes."""
    act = json.loads((master.runs / "session" / "secrets.json").read_text())["act"]
    page = urlsplit(json.loads((master.runs / "master.json").read_text())["page"])
    connection = http.client.HTTPConnection(page.hostname or "", page.port, timeout=30)
    connection.request("POST", f"/ask?token={act}", json.dumps({"host": "h", "words": ["ls"]}))
    return connection.getresponse().read().decode()


def test_usage_and_stderr_are_welcome_and_believed_only_as_numbers(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    usage = {"wall": 1.5, "user": 1.25, "system": 0.25, "memory": 4096}
    parts = results(usage=json.dumps(usage).encode(), stderr=b"warning: \xff\n")
    assert long_sweep.complete(ticket, *parts) == "accepted"
    query = "SELECT seconds, user, system, memory FROM tickets WHERE task = ? AND state = 'accepted'"
    assert stored(long_sweep, ticket, query) == (1.5, 1.25, 0.25, 4096)
    for nonsense in (b"{", b"[]", b'{"wall": -1}', b'{"wall": "x"}', b'{"wall": 1e999}', b"\xff", b"{}" + b" " * 9000):
        (ticket,) = long_sweep.take()
        assert long_sweep.complete(ticket, *results(usage=nonsense)) == "accepted", nonsense


def test_parts_that_nobody_asked_for_are_dropped(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    assert long_sweep.complete(ticket, *results(), ("more", b"x" * 100_000), ("../x", b"")) == "accepted"


def test_tickets_that_are_none_are_unknown(long_sweep: Master) -> None:
    for ticket in ("987654321", "0", "x", "-1", "9" * 30):
        assert long_sweep.post("/complete", {"ticket": ticket}, results()).text == "unknown\n", ticket
    assert long_sweep.post("/complete", {}, results()).status == 400


def test_the_second_post_of_a_result_changes_nothing(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    assert long_sweep.complete(ticket, *results(b"first")) == "accepted"
    assert long_sweep.complete(ticket, *results(b"second")) == "expired"
    assert (long_sweep.runs / "files" / str(number_of(long_sweep, ticket)) / "out.bin").read_bytes() == b"first"
    assert state(long_sweep, ticket) == ("done", 1)


def at_once(count: int, ask: Callable[[int], Reply]) -> list[str]:
    start, found = threading.Barrier(count), dict[int, str]()

    def run(number: int) -> None:
        start.wait()
        found[number] = ask(number).text.strip()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return [found[number] for number in range(count)]


def test_a_result_posted_twice_at_once_is_taken_once(long_sweep: Master) -> None:
    for _ in range(5):
        (ticket,) = long_sweep.take()
        lines = at_once(4, lambda n, t=ticket: long_sweep.post("/complete", {"ticket": t}, results(b"%d" % n)))
        assert "accepted" in lines and set(lines) <= {"accepted", "expired"}
        assert state(long_sweep, ticket) == ("done", 1)


@pytest.mark.parametrize("verdict", ["accepted", "rejected: no good"])
def test_a_result_that_comes_again_while_it_is_looked_at_gets_the_same_answer(
    sweep: Callable[..., Master], verdict: str
) -> None:
    hook = (
        "import pathlib, time\ngo = pathlib.Path(__file__).with_name('go')\n"
        "def check(task, result):\n    while not go.exists():\n        time.sleep(0.01)\n"
        "    return go.read_text() or True\n"
    )
    yaml = "validate: hooks.py:check\nresults: {data: {from: out.bin, as: file}}"
    started = sweep(1, yaml, files={"hooks.py": hook})
    (ticket,) = started.take()
    answers: list[str] = []

    def post() -> None:
        answers.append(started.complete(ticket, ("data", b"x" * 5000)))

    threads = [threading.Thread(target=post) for _ in range(2)]
    for thread in threads:
        thread.start()
    incoming = started.runs / "incoming"
    wait_until(
        lambda: incoming.exists() and [p.stat().st_size for p in incoming.iterdir()] == [5000, 5000],
        "half of both results has come in",
    )
    assert started.ask("/ping", {"ticket": ticket}).status == 204, "it is being looked at, not expired"
    new = started.folder / "new"
    new.write_text("no good" if verdict != "accepted" else "")
    new.rename(started.folder / "go")
    for thread in threads:
        thread.join(60)
    assert answers == [verdict] * 2
    assert state(started, ticket) == (("done" if verdict == "accepted" else "waiting"), 1)


def test_of_two_clients_results_for_one_task_the_first_is_taken(sweep: Callable[..., Master]) -> None:
    started = sweep(1, "ping: 0.2")
    (one,) = started.take()
    started.ask("/ping", {"ticket": one})
    (two,) = started.take()  # once the lease of the first has run out
    lines = at_once(2, lambda n: started.post("/complete", {"ticket": (one, two)[n]}, [("stdout", b"%d\n" % n)]))
    assert sorted(lines) == ["accepted", "expired"]
    assert started.end() == 0
    assert [row["stdout"] for row in started.rows()] == [str(lines.index("accepted"))]


def test_what_is_not_multipart_is_400_and_changes_nothing(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    before = state(long_sweep, ticket)
    whole = form(results())
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    for content_type, body in (
        ("text/plain", whole),
        ("application/x-www-form-urlencoded", b"stdout=1&data=2"),
        ("multipart/mixed; boundary=" + BOUNDARY, whole),
        ("multipart/form-data", whole),
        (kind, b""),
        (kind, b"nonsense"),
        (kind, whole.replace(b"form-data; name", b"form-data; nome")),
        (kind, whole.rstrip(b"-\r\n")),
        (kind, whole[: whole.index(b"data\r\n--")]),
        (kind, form([*results(), ("data", b"again")])),
        ("multipart/form-data; boundary=other", whole),
    ):
        reply = long_sweep.ask(
            "/complete", {"ticket": ticket}, method="POST", body=body, headers={"Content-Type": content_type}
        )
        assert (reply.status, reply.text.count("\n")) == (400, 1), (content_type, body[:80], reply.body)
    assert long_sweep.ask("/complete", {"ticket": ticket}, method="POST").status == 400
    assert state(long_sweep, ticket) == before
    assert long_sweep.complete(ticket, *results()) == "accepted"


def test_a_body_that_breaks_off_changes_nothing_and_leaves_nothing(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    body = form(results(b"x" * 500_000))
    target = long_sweep.target("/complete", {"ticket": ticket})
    head = f"POST {target} HTTP/1.1\r\nHost: m\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
    for cut in (10, 200, 300_000, len(body) - 10):
        with long_sweep.open() as sock:
            sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:cut])
        with long_sweep.open() as sock:
            piece = body[:cut]
            sock.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n{len(piece):x}\r\n".encode() + piece)
    wait_until(lambda: not os.listdir(long_sweep.runs / "incoming"), "the spool is not cleared")
    assert state(long_sweep, ticket) == ("waiting", 0), "as the store says of what is out"
    assert long_sweep.complete(ticket, *results()) == "accepted"
    assert "Traceback" not in long_sweep.log + long_sweep.err.read_text()


def test_a_part_over_max_result_is_413_and_names_it(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    assert long_sweep.complete(ticket, *results(b"x" * 1_000_000)) == "accepted", "not over it"
    (ticket,) = long_sweep.take()
    for parts in (results(b"x" * 1_000_001), [("stdout", b"x" * 1_000_001), ("data", b"")]):
        reply = long_sweep.post("/complete", {"ticket": ticket}, parts)
        assert reply.status == 413 and "max_result, 1000000 bytes" in reply.text and reply.text.count("\n") == 1
    assert state(long_sweep, ticket)[0] == "waiting", "as the store says of what is out"
    assert not os.listdir(long_sweep.runs / "incoming")
    assert long_sweep.complete(ticket, *results()) == "accepted"


def test_a_result_may_be_called_stdout_only_if_it_comes_from_there(master: Master) -> None:
    for name in ("stdout", "stderr", "exit-code", "usage"):
        master.write(f"command: echo {{{{ x }}}}\nparameters: {{rows: [{{x: 1}}]}}\nresults: {{{name}: out.txt}}")
        words = [sys.executable, "-m", "spe", "run", "--hosts", "none"]
        said = subprocess.run(words, cwd=master.folder, capture_output=True, text=True, timeout=60, check=False)
        assert said.returncode == 2 and name in said.stderr, (name, said.stderr)
        assert "Traceback" not in said.stderr


# -- /failed


def failed_reason(master: Master, ticket: int) -> object:
    return stored(master, ticket, "SELECT reason FROM tickets WHERE task = ? AND state = 'failed'")[0]


def test_a_failure_needs_nothing_but_its_ticket(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    assert long_sweep.ask("/failed", {"ticket": ticket}).status == 200
    assert state(long_sweep, ticket) == ("waiting", 1)
    assert long_sweep.ask("/failed", {"ticket": ticket}).status == 200
    assert state(long_sweep, ticket) == ("waiting", 1), "told twice, it is one attempt"


def test_a_failure_carries_reason_output_and_exit_code(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    stderr = b"x" * 100_000 + "\nSchluß\n".encode()
    parts = [("stdout", b"so far\n" + ALL_BYTES), ("stderr", stderr), ("exit-code", b"3")]
    query = {"ticket": ticket, "reason": "ended\r\nbadly ü"}
    assert long_sweep.post("/failed", query, parts).status == 200
    assert failed_reason(long_sweep, ticket) == "ended badly ü: Schluß"
    query_ = "SELECT exit_code FROM tickets WHERE task = ? AND state = 'failed'"
    assert stored(long_sweep, ticket, query_) == (3,)
    with sqlite3.connect(f"file:{long_sweep.runs}/sweep.db?mode=ro", uri=True) as database:
        out, err = database.execute("SELECT stdout, stderr FROM logs WHERE ticket = ?", [ticket]).fetchone()
    assert out == b"so far\n" + ALL_BYTES
    assert len(err) == 64 * 1024 and err.endswith("\nSchluß\n".encode()), "the end is kept"


def test_a_failure_by_post_without_a_body_counts(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    assert long_sweep.ask("/failed", {"ticket": ticket, "reason": "r"}, method="POST").status == 200
    assert state(long_sweep, ticket) == ("waiting", 1)
    assert failed_reason(long_sweep, ticket) == "r"


def test_a_long_reason_in_any_script_is_taken(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    assert long_sweep.ask("/failed", {"ticket": ticket, "reason": "漢" * 5000}).status == 200
    assert set(str(failed_reason(long_sweep, ticket))) == {"漢"}


def test_attempts_are_used_up_by_failures_and_rejections_alike(sweep: Callable[..., Master]) -> None:
    started = sweep(2, "attempts: 2\nvalidate: non_empty")
    one, two = started.take(2)
    started.ask("/failed", {"ticket": one, "reason": "first"})
    assert started.complete(two, ("stdout", b"")) == "rejected: stdout: empty (non_empty)"
    again = started.take(2)
    for ticket in again:
        started.post("/failed", {"ticket": ticket, "reason": "second"}, [("stderr", b"why\n"), ("exit-code", b"7")])
    assert started.end() == 1
    assert [row["reason"] for row in started.failures()] == ["second: why", "second: why"]
    assert started.rows() == []


def test_a_failure_of_an_unknown_or_finished_ticket_is_answered_and_ignored(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    assert long_sweep.complete(ticket, *results()) == "accepted"
    for one in (ticket, 987654321, "x"):
        assert long_sweep.ask("/failed", {"ticket": one}).status == 200
    assert state(long_sweep, ticket) == ("done", 1)

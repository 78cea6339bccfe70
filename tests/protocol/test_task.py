"""GET /task: the records byte by byte, how words are quoted, how long an answer is held, and 503."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable

import pytest
from waiting import wait_until

from .kit import Master, Reply

BYTES = bytes(range(256)) + b"\r\n--end content--\n[Result]\n\n"
LARGE = bytes(range(256)) * 300  # over 64 kB


def only_record(master: Master, **query: object) -> bytes:
    reply = master.ask("/task", {"wait": 10, **query})
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain")
    return re.sub(rb"\ATicket=\d+\n", b"Ticket=#\n", reply.body)


def test_a_record_is_these_bytes(sweep: Callable[..., Master]) -> None:
    inputs = {"in.bin": BYTES, "empty": b"", "line": b"one\n", "large": LARGE}
    yaml = (
        "inputs:\n  run.ini: 'x = {{ x }}'\n  stdin: {file: in.bin}\n  sub/empty: {file: empty}\n"
        "  one.txt: {file: line}\n  big: {file: large}\n"
        "results: {energy: stdout, trace: out.csv}\ntimeout: 90s\n"
    )
    started = sweep(2, yaml, files=inputs)

    def block(name: str, content: bytes) -> bytes:
        head = f"[Input]\nFile={name}\nLength={len(content)}\n--begin content--\n".encode()
        return head + content + b"\n--end content--\n"

    head = b"Ticket=#\nTimeout=90\nCommandLine=echo 1\n"
    small = block("run.ini", b"x = 1") + block("stdin", BYTES) + block("sub/empty", b"") + block("one.txt", b"one\n")
    results = b"[Result]\nName=energy\nFile=stdout\n[Result]\nName=trace\nFile=out.csv\n"
    assert only_record(started) == head + small + block("big", LARGE) + results

    digest = hashlib.sha256(LARGE).hexdigest()
    by_digest = f"[Input]\nFile=big\nLength={len(LARGE)}\nSHA256={digest}\n".encode()
    expected = (head + small).replace(b"echo 1", b"echo 2").replace(b"x = 1", b"x = 2") + by_digest + results
    assert only_record(started, files="sha256") == expected
    for form in (digest, digest.upper()):
        reply = started.ask("/file", {"sha256": form})
        assert (reply.status, reply.body) == (200, LARGE)
    for unknown in ("", digest[:-1], hashlib.sha256(BYTES).hexdigest(), "../large"):
        assert started.ask("/file", {"sha256": unknown}).status == 404


def test_a_large_input_is_had_by_its_digest_after_a_restart_too(sweep: Callable[..., Master]) -> None:
    started = sweep(1, "inputs: {big: {file: large}}", files={"large": LARGE})
    assert b"SHA256=" in only_record(started, files="sha256")
    started.kill()
    started.start()
    assert started.ask("/file", {"sha256": hashlib.sha256(LARGE).hexdigest()}).body == LARGE


def test_a_large_input_file_is_not_read_for_each_task_and_never_into_memory(master: Master) -> None:
    """50 MB for 40 tasks. What lies beside it under the name of a compressed copy is none."""
    content = b"0123456789" * 5_000_000
    sweep = "command: 'true'\nparameters: {repeat: 40}\ninputs: {big: {file: large}}"
    master.write(f"listen: 127.0.0.1:0\n{sweep}", {"large": content, "large.gz": b"not this one"})
    (master.folder / "large").chmod(0o644)  # data: of a program there is a copy
    started = master.start()

    def of(name: str, key: str) -> int:
        with open(f"/proc/{started.process.pid}/{name}") as file:  # type: ignore[union-attr]
            return int(next(line for line in file if line.startswith(key)).split()[1])

    started.take(1, files="sha256")
    memory, read = of("status", "VmHWM"), of("io", "rchar")
    started.take(39, files="sha256")
    digest = hashlib.sha256(content).hexdigest()
    for method in ("GET", "HEAD"):
        reply = started.ask("/file", {"sha256": digest}, method=method, headers={"Accept-Encoding": "gzip"})
        assert reply.status == 200 and reply.headers["Content-Length"] == "50000000"
        assert reply.body == (content if method == "GET" else b"")
    assert of("io", "rchar") - read < 1.5 * len(content) and of("status", "VmHWM") - memory < 30_000
    (started.folder / "large").write_bytes(b"changed")
    assert started.ask("/file", {"sha256": digest}).status == 404


def test_inputs_of_many_tasks_are_not_all_kept_in_memory(sweep: Callable[..., Master]) -> None:
    """30 different inputs of 10 MB each go out by digest; all can be had, and the master is not 300 MB larger."""
    started = sweep(30, "inputs: {big: '{{ x }} {{ \"y\" * 10000000 }}'}")

    def memory() -> int:
        assert started.process
        with open(f"/proc/{started.process.pid}/status") as status:
            return int(next(line for line in status if line.startswith("VmRSS")).split()[1])

    before = memory()
    reply = [started.ask("/task", {"files": "sha256", "wait": 10}) for _ in range(30)]
    sums = [re.search(rb"^SHA256=(\w+)$", one.body, re.M) for one in reply]
    assert memory() - before < 200_000
    for one in (sums[0], sums[-1], sums[10]):
        assert one
        content = started.ask("/file", {"sha256": one[1].decode()}).body
        assert hashlib.sha256(content).hexdigest() == one[1].decode()


VALUES = ["a b", "", "~", '"', "two\nlines", "a;b|c&d>e", "$(x) `y` $z", "\\", "äöü €", "-n", "*", "#", "=", "\t"]
VALUES += ["it's", "'\n'", "\n", "end\n"]


def words_by_sh(command_line: str) -> list[str]:
    """As a real shell reads them: each word, ended by NUL."""
    script = f"for word in {command_line}; do printf '%s\\0' \"$word\"; done"
    out = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout
    return out.decode().split("\0")[:-1]


def test_words_are_quoted_as_a_posix_shell_reads_them(sweep: Callable[..., Master], master: Master) -> None:
    rows = ", ".join(f"{{v: {quoted(value)}}}" for value in VALUES)
    command = "command: prog '{{ v }}' '' -x={{ v }} \"fixed word\""
    master.write(f"listen: 127.0.0.1:0\n{command}\nparameters: {{rows: [{rows}]}}")
    master.start()
    bodies = [master.ask("/task", {"wait": 10}).text for _ in VALUES]
    lines = [body[body.index("CommandLine=") + 12 : body.index("\n[Result]")] for body in bodies]
    expected = [["prog", value, "", f"-x={value}", "fixed word"] for value in VALUES]
    assert [shlex.split(line) for line in lines] == expected
    assert [words_by_sh(line) for line in lines] == expected
    assert "CommandLine=prog 'two\nlines' '' '-x=two\nlines' 'fixed word'\n[Result]" in bodies[4]


def quoted(value: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(escapes.get(c, c) for c in value) + '"'


def test_a_long_timeout_is_written_in_plain_digits(long_sweep: Master) -> None:
    assert b"\nTimeout=1209600\n" in long_sweep.ask("/task", {"wait": 10}).body


def test_tickets_are_decimal_and_unique(long_sweep: Master) -> None:
    first, second = long_sweep.take(500), long_sweep.take(500)
    assert len({*first, *second}) == 1000 and min(first) > 0


def test_several_records_are_parted_by_an_empty_line(long_sweep: Master) -> None:
    reply = long_sweep.ask("/task", {"count": 3, "wait": 10})
    records = reply.body.split(b"\n\n")
    assert len(records) == len(reply.tickets) == 3
    assert all(record.startswith(b"Ticket=") for record in records)
    assert reply.body.endswith(b"File=out.bin\n")


def test_no_more_is_given_than_was_asked_for_and_is_there(sweep: Callable[..., Master]) -> None:
    started = sweep(3)
    assert len(started.ask("/task", {"wait": 10}).tickets) == 1
    assert len(started.ask("/task", {"count": 1000, "wait": 10}).tickets) == 2


def test_the_worker_of_the_sweep_may_be_named_and_no_other(long_sweep: Master, sweep: Callable[..., Master]) -> None:
    assert long_sweep.ask("/task", {"worker": "x"}).status == 403
    assert long_sweep.ask("/task", {"worker": ""}).status == 200
    command = "command: ./{{ worker }} {{ x }}\n"
    started = sweep(3, "worker: w/prog", command=command, files={"w/prog": "#!/bin/sh\necho $1\n"})
    reply = started.ask("/task", {"worker": "prog", "wait": 10})
    assert reply.status == 200 and b"\nCommandLine=./prog 1\n" in reply.body
    assert started.ask("/task", {"worker": "Prog"}).status == 403
    assert len(started.take(2)) == 2, "those refused took nothing"


def test_numbers_that_are_none_are_refused_and_take_nothing(sweep: Callable[..., Master]) -> None:
    started = sweep(1)
    for query in ({"count": "0"}, {"count": "-1"}, {"count": "x"}, {"count": "1001"}, {"wait": "-1"}, {"wait": "nan"}):
        assert started.ask("/task", query).status == 400, query
    assert started.take() == [1]


def test_with_extra_there_are_number_and_environment_and_without_it_env_sets_them(
    sweep: Callable[..., Master],
) -> None:
    started = sweep(2, "env: {SEED: '{{ x }} it''s', OTHER: ''}")
    body = only_record(started, extra=1)
    head = b"Ticket=#\nTimeout=0\nCommandLine=echo 1\nTask=1\n"
    assert body.startswith(head + b"Env=SEED='1 it'\"'\"'s'\nEnv=OTHER=''\n[Result]")
    (line,) = re.findall(r"^CommandLine=(.*)$", only_record(started).decode(), re.M)
    assert shlex.split(line) == ["env", "SEED=2 it's", "OTHER=", "echo", "2"]


# -- waiting


def in_thread(ask: Callable[[], Reply]) -> tuple[threading.Thread, list[tuple[float, Reply]]]:
    answers: list[tuple[float, Reply]] = []

    def run() -> None:
        reply = ask()
        answers.append((time.monotonic(), reply))

    thread = threading.Thread(target=run)
    thread.start()
    return thread, answers


def test_503_says_when_to_ask_again_while_tasks_run_and_nothing_when_all_is_over(sweep: Callable[..., Master]) -> None:
    started = sweep(1)
    (ticket,) = started.take()
    reply = started.ask("/task", {"wait": 0})
    assert reply.status == 503 and reply.headers["Retry-After"].isdigit()
    begun = time.monotonic()
    assert started.ask("/task", {"wait": 0.5}).headers["Retry-After"]
    assert 0.4 < time.monotonic() - begun < 5
    assert started.complete(ticket, ("stdout", b"1\n")) == "accepted"
    for query in ({}, {"wait": 30}, {"count": 5}):
        reply = started.ask("/task", query)
        assert reply.status == 503 and reply.headers["Retry-After"] is None


@pytest.mark.parametrize("query", [{"wait": 30}, {}, {"wait": 30, "count": 7}])
def test_a_task_that_comes_back_wakes_a_held_request_at_once(
    sweep: Callable[..., Master], query: dict[str, int]
) -> None:
    started = sweep(1)
    (ticket,) = started.take()
    thread, answers = in_thread(lambda: started.ask("/task", query))
    assert started.ask("/ping", {"ticket": ticket}).status == 204
    assert started.ask("/task", {"wait": 0.3}).status == 503 and not answers, "it is held, also without wait"
    said = time.monotonic()
    started.ask("/failed", {"ticket": ticket, "reason": "no"})
    thread.join(60)
    ((at, reply),) = answers
    assert reply.status == 200 and reply.ticket != ticket
    assert at - said < 10, "long before its time is over"


def test_of_many_held_requests_each_task_wakes_one_that_takes_it(sweep: Callable[..., Master]) -> None:
    started = sweep(3)
    clients = [started.register(host=f"h{n}") for n in range(6)]
    tickets = [started.take(client=client)[0] for client in clients[:3]]
    held = [in_thread(lambda c=client: started.ask("/task", {"wait": 20, "client": c})) for client in clients]
    assert started.ask("/task", {"wait": 0.5}).status == 503
    for ticket in tickets:
        started.ask("/failed", {"ticket": ticket, "reason": "no"})
    wait_until(lambda: sum(len(answers) for _, answers in held) == 3, "all three held requests are answered")
    new = [answers[0][1].ticket for _, answers in held if answers]
    assert len({*new, *tickets}) == 6
    for ticket in new:
        assert started.complete(ticket, ("stdout", b"1\n")) == "accepted"
    for thread, answers in held:
        thread.join(5)
        assert answers and (answers[0][1].status == 200 or answers[0][1].headers["Retry-After"] is None)


def test_who_hangs_up_while_held_takes_no_task_with_it(sweep: Callable[..., Master]) -> None:
    started = sweep(1, "ping: 0")
    (ticket,) = started.take()
    for _ in range(3):
        with started.open() as sock:
            sock.sendall(f"GET {started.target('/task', {'wait': 30})} HTTP/1.1\r\nHost: m\r\n\r\n".encode())
            assert started.ask("/task", {"wait": 0.2}).status == 503
    started.ask("/failed", {"ticket": ticket, "reason": "no"})
    assert started.ask("/task", {"wait": 10}).status == 200

"""GET /config, /worker, /client, /bye: how a client becomes one, and what it is given."""

from __future__ import annotations

import hashlib
import io
import platform
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import wait_until

from .kit import Master, Reply, environment

HERE = f"{platform.system()}-{platform.machine()}".lower()
WORKER = b"#!/bin/sh\necho any $1\n" + bytes(range(256)) * 8
OTHER = b"#!/bin/sh\necho other $1\n"
KEYS = {"DeleteWorker", "DeleteClient", "Ping", "Grace", "Client", "Cores", "Nice", "MaxResult", "Batch"}
KEYS |= {"Control", "Ask"}
PICKY = {"Files"}  # of a sweep that may reject results


@pytest.fixture(scope="module")
def with_worker(tmp_path_factory: pytest.TempPathFactory) -> Master:
    made = Master(tmp_path_factory.mktemp("worker"))
    made.write(
        "listen: 127.0.0.1:0\ncommand: ./{{ worker }} {{ x }}\nparameters: {grid: {x: {range: [1, 50]}}}\n"
        "worker: {name: prog, any: w/any, linux: w/linux, linux-x86_64: w/linux}\n"
        "delete_worker: false\nping: 0\ncores: 2\nsetup: 'export A=\"ü\"\n\n  echo'",
        {"w/any": WORKER, "w/linux": OTHER},
    ).start()
    yield made
    made.close()


def config(master: Master, **query: str) -> Reply:
    reply = master.ask("/config", query)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reply.text.endswith("\n")
    assert all("=" in line for line in reply.text.splitlines())
    return reply


def test_the_configuration_is_lines_of_key_and_value(long_sweep: Master) -> None:
    keys = config(long_sweep).keys
    assert set(keys) == KEYS | PICKY
    assert keys["Files"] == "Yes"
    assert keys["DeleteWorker"] == keys["DeleteClient"] == "Yes"
    assert (keys["Ping"], keys["Grace"], keys["MaxResult"]) == ("0.5", "1200", "1000000")


def test_the_parameters_of_a_request_may_stand_in_any_order(long_sweep: Master) -> None:
    right = f"sessionID={long_sweep.session}"
    for query in (f"host=h&slots=3&{right}&platform={HERE}", f"{right}&platform={HERE}&slots=3&host=h", f"x=y&{right}"):
        connection = long_sweep.connection()
        connection.request("GET", f"/config?{query}")
        response = connection.getresponse()
        assert response.status == 200 and b"Client=" in response.read()
        connection.close()


def test_every_client_that_registers_is_another_one(long_sweep: Master) -> None:
    names = [long_sweep.register(host="same", slots=2) for _ in range(5)]
    assert len(set(names)) == 5


def test_names_that_are_no_names_are_refused_and_register_nobody(long_sweep: Master) -> None:
    for query in ({"slots": "0"}, {"slots": "many"}, {"host": "a\nb"}, {"host": "h" * 300}, {"platform": "\x00"}):
        assert long_sweep.ask("/config", query).status == 400, query


def test_without_a_worker_there_is_neither_its_name_nor_a_checksum(long_sweep: Master) -> None:
    assert set(config(long_sweep, platform=HERE).keys) == KEYS | PICKY
    for name in ("", "sh", "None"):
        assert long_sweep.ask("/worker", {"name": name, "platform": HERE}).status == 403


def test_the_checksums_come_with_a_platform_only(with_worker: Master) -> None:
    keys = config(with_worker).keys
    assert keys["Worker"] == "prog" and "MD5" not in keys and "SHA256" not in keys
    keys = config(with_worker, platform=HERE, host="h").keys
    assert (keys["DeleteWorker"], keys["Ping"], keys["Cores"]) == ("No", "0", "2")
    assert keys["Setup"] == '"export A=\\"\\u00fc\\"\\n\\necho"' or keys["Setup"].startswith('"export A=')
    assert keys["MD5"] == hashlib.md5(expected(HERE)).hexdigest()
    assert keys["SHA256"] == hashlib.sha256(expected(HERE)).hexdigest()


def test_where_every_result_is_taken_no_list_of_files_is_asked_for(with_worker: Master) -> None:
    assert "Files" not in config(with_worker).keys


def expected(platform_: str) -> bytes:
    return OTHER if platform_ == "linux-x86_64" or platform_.split("-")[0] == "linux" else WORKER


@pytest.mark.parametrize("platform_", ["linux-x86_64", "linux-aarch64", "linux", "darwin-arm64", "plan9-mips"])
def test_a_worker_is_looked_up_by_platform_then_system_then_any(with_worker: Master, platform_: str) -> None:
    reply = with_worker.ask("/worker", {"name": "prog", "platform": platform_})
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/octet-stream")
    assert reply.body == expected(platform_)
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    assert config(with_worker, platform=platform_).keys["SHA256"] == hashlib.sha256(reply.body).hexdigest()


def test_a_worker_comes_in_ranges_and_not_twice(with_worker: Master) -> None:
    query = {"name": "prog", "platform": "any"}
    whole = with_worker.ask("/worker", query)
    tag = whole.headers["ETag"]
    assert tag
    part = with_worker.ask("/worker", query, headers={"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, WORKER[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(WORKER)}"
    assert part.headers["ETag"] == tag
    rest = with_worker.ask("/worker", query, headers={"Range": "bytes=2000-", "If-Range": tag})
    assert (rest.status, rest.body) == (206, WORKER[2000:])
    assert with_worker.ask("/worker", query, headers={"Range": "bytes=999999-"}).status == 416
    known = with_worker.ask("/worker", query, headers={"If-None-Match": tag})
    assert (known.status, known.body) == (304, b"")
    head = with_worker.ask("/worker", query, method="HEAD")
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", tag)


def test_a_wrong_name_is_forbidden(with_worker: Master) -> None:
    for name in ("", "other", "w/any", "../w/any", "PROG"):
        assert with_worker.ask("/worker", {"name": name, "platform": HERE}).status == 403, name
    assert with_worker.ask("/worker", {"platform": HERE}).status == 403


def test_a_platform_without_a_worker_is_told_which_there_are(sweep: Callable[..., Master]) -> None:
    started = sweep(
        1, "worker: {darwin-arm64: w/a, plan9: w/a}", command="command: ./{{ worker }} {{ x }}\n", files={"w/a": WORKER}
    )
    name = config(started).keys["Worker"]
    assert name == "t"
    reply = started.ask("/worker", {"name": name, "platform": "linux-x86_64"})
    assert reply.status == 415
    assert reply.text == "no worker for platform linux-x86_64; there are: darwin-arm64, plan9\n"
    assert started.ask("/worker", {"name": name}).status == 415
    assert "MD5" not in config(started, platform="linux-x86_64").keys
    assert started.ask("/worker", {"name": name, "platform": "plan9-mips"}).body == WORKER


@pytest.mark.parametrize(("key", "status"), [("any", 415), ("linux", 415), ("linux-aarch64", 200)])
def test_a_binary_for_another_platform_is_given_only_where_it_is_named_for_this_one(
    sweep: Callable[..., Master], key: str, status: int
) -> None:
    binary = b"\x7fELF\2\1\1" + bytes(9) + b"\2\0\x3e\0" + bytes(44)
    started = sweep(1, f"worker: {{{key}: w/a}}", command="command: ./{{ worker }} {{ x }}\n", files={"w/a": binary})
    query = {"name": config(started).keys["Worker"], "platform": "linux-aarch64"}
    reply = started.ask("/worker", query)
    assert reply.status == status
    if status == 415:
        assert reply.text.startswith("no worker for platform linux-aarch64: a is for linux-x86_64; ")
        assert "worker: {linux-aarch64: FILE}" in reply.text
    fitting = started.ask("/worker", {**query, "platform": "linux-x86_64"})
    assert fitting.status == (415 if key == "linux-aarch64" else 200)


def test_a_worker_that_changes_during_the_run_is_given_as_it_was(with_worker: Master) -> None:
    path = with_worker.folder / "w" / "any"
    path.write_bytes(b"#!/bin/sh\necho changed\n")
    assert with_worker.ask("/worker", {"name": "prog", "platform": "plan9"}).body == WORKER
    path.write_bytes(WORKER)


def test_the_client_program_is_one_file_that_runs_with_python_alone(long_sweep: Master, tmp_path: Path) -> None:
    reply = long_sweep.ask("/client")
    assert reply.status == 200
    assert reply.body.startswith(b"#!/usr/bin/env python3\n")
    assert zipfile.ZipFile(io.BytesIO(reply.body)).testzip() is None
    path = tmp_path / "spe-client.pyz"
    path.write_bytes(reply.body)
    words = [sys.executable, "-I", "-S", str(path)]
    said = subprocess.run([*words, "--version"], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert said.stdout.startswith("spe-client ")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_client_takes_its_session_from_the_environment_too(sweep: Callable[..., Master], tmp_path: Path) -> None:
    started = sweep(3)
    (tmp_path / "c").mkdir()
    path = tmp_path / "c" / "spe-client.pyz"
    path.write_bytes(started.ask("/client").body)
    words = [sys.executable, str(path), "--master", started.url, "--slots", "2"]
    surroundings = {**environment(tmp_path), "SPE_SESSION": started.session}
    subprocess.run(words, env=surroundings, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
    assert started.end() == 0
    assert [row["stdout"] for row in started.rows()] == ["1", "2", "3"]


def test_a_group_that_may_write_where_clients_work_is_one_warning_a_run(sweep: Callable[..., Master]) -> None:
    started = sweep(1)
    for host in ("h1", "h2", "h3"):
        started.register(host=host, others="the group staff", where="/scratch/\x1b[2Jlab")
    started.register(host="h4", others="the user anna", where="/home")
    warnings = [line for line in started.err.read_text().splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert "h1: the group staff may write into /scratch/·[2Jlab" in warnings[0]
    assert "trust_workdir=yes" in warnings[0]
    assert "h4: the user anna may write into /home" in warnings[1]


def test_neighbours_are_told_once_a_run_in_one_line_for_all_hosts(sweep: Callable[..., Master]) -> None:
    started = sweep(1)
    reported = [("neighbour", "8 alice"), ("neighbour", "1 LAB\\bob\x1b[2J")]
    for number in range(1, 13):
        started.ask("/config", [("host", f"h{number:02}"), *reported])
    client = started.register(host="h01", neighbour="8 alice")
    (ticket,) = started.take(client=client)
    assert started.complete(ticket, ("stdout", b"1")) == "accepted"
    assert started.end() == 0
    told = [line for line in started.err.read_text().splitlines() if "runs spe" in line]
    names = ", ".join(f"h{number:02}" for number in range(1, 11)) + " and 2 more"
    todo = "To share these hosts: set `max_load: 1` in spe.yaml, or fewer `slots=` in the hosts file"
    assert told == [
        f"alice runs spe, too, on {names} (8 slots each). {todo}",
        f"LAB\\bob·[2J runs spe, too, on {names} (1 slot each). {todo}",
    ]


@pytest.mark.parametrize(
    "text", ["", "8", "8 ", "0 a", "-1 a", "x a", "1e3 a", "100001 a", "٣ a", " 8 a", "9" * 5000 + " a", "8  \t "]
)
def test_a_neighbour_that_makes_no_sense_is_ignored_and_the_host_works(long_sweep: Master, text: str) -> None:
    before = long_sweep.log
    long_sweep.register(host="h", neighbour=text)
    assert "neighbours:" not in long_sweep.log.removeprefix(before)


def test_what_a_client_could_not_remove_is_told(sweep: Callable[..., Master]) -> None:
    started = sweep(1)
    client = started.register(host="h1")
    for _ in range(2):
        started.ask("/bye", {"client": client, "left": "could not remove /tmp/x: Operation not permitted" + 5000 * "!"})
    [warning] = [line for line in started.err.read_text().splitlines() if line.startswith("warning: ")]
    assert "h1: could not remove /tmp/x: Operation not permitted" in warning
    assert len(warning) < 1200


def test_goodbye_is_answered_to_anybody(long_sweep: Master) -> None:
    client = long_sweep.register(host="h")
    for query in ({"client": client}, {"client": client}, {"client": "nobody"}, {}):
        assert long_sweep.ask("/bye", query).status == 200


def test_what_a_client_held_goes_to_another_at_once_when_it_says_goodbye(sweep: Callable[..., Master]) -> None:
    started = sweep(1)
    one, two = started.register(host="a"), started.register(host="b")
    (first,) = started.take(client=one)
    started.ask("/bye", {"client": one})
    reply = wait_until(lambda: started.ask("/task", {"client": two, "wait": 5}), "the task is answered")
    assert reply.status == 200 and reply.ticket != first

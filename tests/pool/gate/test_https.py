"""The HTTPS gate: who is let in, what he may do, and how much of it."""

from __future__ import annotations

import gzip
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from spe.errors import StoreError
from spe.pool.gate.heart import Paused
from spe.pool.gate.keys import load_keys
from spe.pool.members import DAY, LIFETIME
from waiting import wait_until

from .kit import ADA, BEN, LivingGate

NOW = [1_800_000_000.0]
PATHS = [
    ("POST", "/jobs"), ("GET", "/jobs"), ("POST", "/jobs/1/cancel"), ("GET", "/grants"), ("POST", "/report"),
    ("GET", "/hosts"), ("POST", "/hosts"), ("GET", "/users"), ("POST", "/users"), ("GET", "/stream"),
    ("POST", "/leave"), ("GET", "/"), ("GET", "/nothing"), ("DELETE", "/jobs"), ("HEAD", "/stream"), ("GET", "/join"),
]  # fmt: skip


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[LivingGate]:
    gate = LivingGate(load_keys(tmp_path / "keys"), NOW)
    yield gate
    gate.stop()


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_every_path_needs_a_token_in_the_header(
    farm: LivingGate, caplog: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    assert farm.ask(method, path)[0] == 403
    assert farm.ask(method, f"{path}?token={farm.tokens[ADA]}&access_token={farm.tokens[ADA]}")[0] == 403
    assert farm.heart.asked == []
    assert len([one for one in caplog.messages if "without a valid token" in one]) == 2
    assert farm.tokens[ADA] not in caplog.text


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer x", "Basic {}", "Bearer  {}", "Bearer {}x", "bearer {}\t.", "{}", "Bearer \0{}",
     "Bearer {},{}", "Token {}"],
)  # fmt: skip
def test_a_wrong_header_is_403(farm: LivingGate, header: str) -> None:
    token = farm.tokens[ADA]
    with socket.create_connection(("127.0.0.1", farm.gate.port), 20) as plain:
        context = __import__("ssl")._create_unverified_context()
        with context.wrap_socket(plain) as wire:
            value = header.replace("{}", token)
            wire.sendall(f"GET /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: {value}\r\n\r\n".encode())
            assert b" 403 " in wire.recv(4096).splitlines()[0]
    assert farm.heart.asked == []


def test_two_tokens_are_none(farm: LivingGate) -> None:
    connection = farm.connect()
    connection.putrequest("GET", "/jobs")
    for name in (ADA, BEN):
        connection.putheader("Authorization", f"Bearer {farm.tokens[name]}")
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


def test_each_answer_names_the_farm_its_epoch_and_its_version(farm: LivingGate) -> None:
    status, _, headers = farm.ask_whole("GET", "/jobs", ADA)
    assert status == 200
    assert headers["Spe-Farm"] == "f00d 7"
    assert headers["Spe-Version"].startswith("spe/")
    assert "Server" not in headers
    assert "Spe-Farm" not in farm.ask_whole("GET", "/jobs")[2]


def test_requests_reach_the_heart_in_the_name_of_their_token(farm: LivingGate) -> None:
    job = {"name": "pi", "cores": 2, "hosts": ["lab03"], "priority": 80, "from_the_future": 1}
    assert farm.ask("POST", "/jobs", ADA, job)[0] == 200
    farm.ask("POST", "/jobs/1/pause", ADA)
    farm.ask("POST", "/jobs/1/priority", ADA, {"priority": 96})
    farm.ask("GET", "/grants?seen=4", ADA)
    farm.ask("POST", "/report", ADA, {"jobs": {"1": {"out": {}}}})
    del job["from_the_future"]
    assert farm.heart.asked == [
        ("submit", ADA, "lab07", job),
        ("act", ADA, 1, "pause", {}),
        ("act", ADA, 1, "priority", {"priority": 96}),
        ("grants", ADA, "lab07", 4, 0),
        ("report", ADA, "lab07", {"jobs": {"1": {"out": {}}}}),
    ]


@pytest.mark.parametrize("act", ["cancel", "pause", "resume", "priority", "nonsense"])
def test_another_users_job_is_403_and_a_line_in_the_log(
    farm: LivingGate, caplog: pytest.LogCaptureFixture, act: str
) -> None:
    status, answer = farm.ask("POST", f"/jobs/2/{act}", ADA, {"priority": 3})
    assert status == 403
    assert answer["error"] == f"{ADA} may not act what belongs to {BEN}"
    assert [one for one in caplog.messages if ADA in one and BEN in one]
    assert farm.ask("POST", "/report", ADA, {"jobs": {"1": {}, "2": {}}})[0] == 403
    assert farm.ask("POST", "/report", "root", {"jobs": {"2": {}}})[0] == 403
    assert farm.heart.asked == []


def test_an_administrator_acts_on_all_jobs_and_others_on_no_user_and_host(farm: LivingGate) -> None:
    assert farm.ask("POST", "/jobs/2/cancel", "root")[0] == 200
    change = {"do": "drain", "hosts": ["lab03"]}
    for path, body in (("/hosts", change), ("/users", {"do": "forget", "name": BEN})):
        assert farm.ask("POST", path, ADA, body)[0] == 403
        assert farm.ask("POST", path, "root", body)[0] == 200
    assert farm.ask("GET", "/users", ADA)[0] == 403
    assert farm.ask("GET", "/jobs", BEN)[0] == 403  # he is forgotten
    status, users = farm.ask("GET", "/users", "root")
    assert status == 200
    assert "sha256" not in json.dumps(users)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/jobs", {}),
        ("/jobs", {"name": "x" * 101}),
        ("/jobs", {"name": "x", "group": "g" * 101}),
        ("/jobs", {"name": "x", "info": "i" * 201}),
        ("/jobs", {"name": "x\x1b[2J"}),
        ("/jobs", {"name": "x", "info": "a\nb"}),
        ("/jobs", {"name": "x", "info": "\u202eabc"}),
        ("/jobs", {"name": "x", "info": "\udc80"}),
        ("/jobs", {"name": "x", "mail": "a@b\r\nBcc: all@b"}),
        ("/jobs", {"name": "x", "priority": 128}),
        ("/jobs", {"name": "x", "cores": True}),
        ("/jobs", {"name": "x", "cores": 0}),
        ("/jobs", {"name": "x", "hosts": ["-oProxyCommand=id"]}),
        ("/jobs", {"name": "x", "hosts": "lab03"}),
        ("/jobs", b'{"name": "x", "time": NaN}'),
        ("/jobs", b'{"name": "x", "time": 1e999}'),
        ("/jobs", b'{"name": "x", "time": ' + b"9" * 4000 + b"}"),
        ("/jobs", b"[" * 100_000),
        ("/jobs", b"\xff\0"),
        ("/jobs", b"[]"),
        ("/report", {"jobs": []}),
        ("/report", {"jobs": {"1 ": {}}}),
        ("/report", {"jobs": {"²": {}}}),
        ("/jobs/1/explode", {}),
        ("/jobs/1/priority", {"priority": "80"}),
        ("/jobs/x/cancel", {}),
    ],
)
def test_what_is_no_proper_request_is_400_with_one_sentence(farm: LivingGate, path: str, body: Any) -> None:
    status, answer = farm.ask("POST", path, ADA, body)
    assert status == 400, answer
    assert answer["error"] and "\n" not in answer["error"]
    assert farm.heart.asked == []


def test_a_job_that_is_not_there_is_404(farm: LivingGate) -> None:
    assert farm.ask("POST", "/jobs/99/cancel", ADA)[0] == 404


@pytest.mark.parametrize("query", ["seen=-1", "seen=x", "wait=61", "seen=" + "9" * 30, "wait=1.5"])
def test_a_wrong_query_is_400(farm: LivingGate, query: str) -> None:
    assert farm.ask("GET", f"/grants?{query}", ADA)[0] == 400


def test_a_body_above_one_megabyte_is_413(farm: LivingGate) -> None:
    body = b'{"name": "' + b"x" * 1_100_000 + b'"}'
    assert farm.ask("POST", "/jobs", ADA, body)[0] == 413


def test_a_compressed_body_is_refused_before_it_unpacks(farm: LivingGate) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert farm.ask("POST", "/jobs", ADA, bomb, {"Content-Encoding": "gzip"})[0] in (400, 413)
    assert farm.heart.asked == []


@pytest.mark.parametrize(
    ("agent", "status"),
    [
        ("spe/0.2.0", 200),
        ("spe/0.2.9", 200),
        ("spe/0.1.7", 200),
        ("spe/0.3.0", 426),
        ("spe/1.2.0", 426),
        ("curl/8", 426),
    ],
)
def test_the_last_two_versions_are_spoken_and_others_are_told(farm: LivingGate, agent: str, status: int) -> None:
    found, answer = farm.ask("GET", "/jobs", ADA, headers={"User-Agent": agent})
    assert found == status
    if status == 426:
        assert "this farm speaks spe 0.2 and the version before" in answer["error"]


def test_a_flood_is_429_with_a_pause_and_others_are_served(farm: LivingGate) -> None:
    connection = farm.connect()
    headers = {"Authorization": f"Bearer {farm.tokens[ADA]}", "User-Agent": "spe/0.2.0"}
    found = []
    for _ in range(200):
        connection.request("GET", "/jobs", headers=headers)
        answer = connection.getresponse()
        answer.read()
        found.append((answer.status, answer.headers["Retry-After"]))
    connection.close()
    assert found[:20] == [(200, None)] * 20
    assert (429, "1") in found
    assert farm.ask("GET", "/jobs", BEN)[0] == 200
    assert sum(farm.gate.limits.refused().values()) == [status for status, _ in found].count(429)


def test_a_ninth_request_at_a_time_is_429(farm: LivingGate) -> None:
    headers = {"Authorization": f"Bearer {farm.tokens[ADA]}", "User-Agent": "spe/0.2.0"}
    polls = [farm.connect() for _ in range(8)]
    for one in polls:
        one.request("GET", "/grants?wait=30", headers=headers)
    wait_until(lambda: len(farm.heart.asked) == 8, "eight requests are held")
    assert farm.ask("GET", "/jobs", ADA)[0] == 429
    farm.loop.call_soon_threadsafe(farm.heart.released.set)
    assert [one.getresponse().status for one in polls] == [200] * 8
    for one in polls:
        one.close()
    assert farm.ask("GET", "/jobs", ADA)[0] == 200


def test_a_farm_that_pauses_says_for_how_long(farm: LivingGate) -> None:
    farm.heart.paused = Paused("the farm has just started", 42.5)
    status, answer, headers = farm.ask_whole("GET", "/jobs", ADA)
    assert (status, headers["Retry-After"], answer["error"]) == (503, "43", "the farm has just started")


def test_the_stream_begins_with_the_list_and_no_text_ends_an_event(farm: LivingGate) -> None:
    connection = farm.connect()
    connection.request(
        "GET", "/stream", headers={"Authorization": f"Bearer {farm.tokens[ADA]}", "User-Agent": "spe/0.2.0"}
    )
    answer = connection.getresponse()
    lines = [answer.readline() for _ in range(3)]
    assert lines[0] == b"event: list\n"
    assert json.loads(lines[1].removeprefix(b"data: ")) == {"jobs": [1, 2], "name": "a\nevent: list"}
    assert lines[2] == b"\n"
    farm.loop.call_soon_threadsafe(farm.heart.news.put_nowait, ("change", {"job": 1}))
    assert [answer.readline() for _ in range(2)] == [b"event: change\n", b'data: {"job": 1}\n']
    # Who is forgotten hears nothing more.
    farm.members.forget(ADA)
    farm.loop.call_soon_threadsafe(farm.heart.news.put_nowait, ("change", {"job": 2}))
    assert b"job" not in answer.read()
    connection.close()


def test_leaving_ends_ones_own_token_and_commits_that(farm: LivingGate) -> None:
    assert farm.ask("POST", "/leave", ADA)[0] == 200
    assert farm.ask("GET", "/jobs", ADA)[0] == 403
    assert farm.ask("GET", "/jobs", BEN)[0] == 200
    assert [row.user for one in farm.heart.committed for row in one.remove] == [ADA]  # type: ignore[union-attr]


def test_a_code_is_taken_once_on_one_path(farm: LivingGate) -> None:
    code = farm.ask("POST", "/users", "root", {"do": "add", "name": "cyd", "code": True})[1]["code"]
    headers = {"Authorization": f"Bearer {code}"}
    assert farm.ask("GET", "/jobs", headers=headers)[0] == 403
    status, joined = farm.ask("POST", "/join", body={"host": "desk"}, headers=headers)
    assert (status, joined["user"], joined["farm"]) == (200, "cyd", "f00d")
    assert farm.ask("POST", "/join", body={"host": "desk"}, headers=headers)[0] == 403
    farm.tokens["cyd"] = joined["token"]
    assert farm.ask("GET", "/jobs", "cyd")[0] == 200


def test_guessing_codes_is_slowed_down(farm: LivingGate) -> None:
    found = {farm.ask("POST", "/join", body={}, headers={"Authorization": f"Bearer {'0' * 32}"})[0] for _ in range(60)}
    assert found <= {400, 403, 429}


def test_a_token_that_cannot_be_stored_is_not_sent_and_is_stored_later(farm: LivingGate) -> None:
    code = farm.ask("POST", "/users", "root", {"do": "add", "name": "cyd", "code": True})[1]["code"]
    farm.heart.paused = Paused("the disk is full", 30)
    headers = {"Authorization": f"Bearer {code}"}
    status, answer = farm.ask("POST", "/join", body={"host": "desk"}, headers=headers)
    assert status == 503
    assert "token" not in answer
    farm.heart.paused = None
    assert farm.ask("GET", "/jobs", ADA)[0] == 200
    assert [row.user for one in farm.heart.committed for row in one.save if hasattr(row, "host")][-1] == "cyd"


def test_a_token_is_renewed_by_use_and_the_renewal_committed(farm: LivingGate) -> None:
    farm.ask("GET", "/jobs", ADA)
    before = len(farm.heart.committed)
    NOW[0] += DAY
    try:
        farm.ask("GET", "/jobs", ADA)
        (row,) = farm.heart.committed[before].save
        assert getattr(row, "until", 0) == NOW[0] + LIFETIME
        farm.ask("GET", "/jobs", ADA)
        assert len(farm.heart.committed) == before + 1
    finally:
        NOW[0] -= DAY


def test_a_connection_that_says_nothing_keeps_nobody_out(farm: LivingGate) -> None:
    silent = [socket.create_connection(("127.0.0.1", farm.gate.port)) for _ in range(300)]
    slow = farm.connect()
    slow.connect()
    slow.send(b"GET /jobs HTTP/1.1\r\nX-A: ")
    assert farm.ask("GET", "/jobs", ADA)[0] == 200
    slow.close()
    for one in silent:
        one.close()


def test_a_header_of_one_user_ends_up_in_no_answer_and_no_line_of_the_log(
    farm: LivingGate, caplog: pytest.LogCaptureFixture
) -> None:
    _, _, headers = farm.ask_whole("POST", "/jobs/2/cancel%0d%0aSet-Cookie:%20x", ADA)
    assert "Set-Cookie" not in headers
    assert all("\n" not in one and "\r" not in one for one in caplog.messages)


def test_certificate_and_key_are_made_once_and_lie_where_nobody_reads(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    first, second = load_keys(folder), load_keys(folder)
    assert (first.fingerprint, first.pin) == (second.fingerprint, second.pin)
    assert {oct(one.stat().st_mode & 0o777) for one in folder.iterdir()} == {"0o600"}
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "key.pem").unlink()
    with pytest.raises(StoreError, match="cannot be used"):
        load_keys(folder)


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("spe").propagate = True
    caplog.set_level(logging.INFO, "spe.farm")

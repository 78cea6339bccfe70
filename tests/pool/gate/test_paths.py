"""Each path of the gate, for each kind of somebody who may not: a path without a rule here fails."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from spe.pool.gate.doorstep import Doorstep
from spe.pool.gate.keys import load_keys
from spe.pool.gate.public_folder import PublicFolder
from spe.pool.gate.routes import Routes
from spe.pool.gate.sign_up import SignUp
from spe.pool.members import LIFETIME, Members
from spe.version import __version__

from .kit import ADA, BEN, FakeHeart, LivingGate

NOW = [1_800_000_000.0]
ADMIN = "root"
ALL, DISABLED, ENABLED, OWNER, ADMINS = "all", "also a disabled user", "enabled users", "the owner", "administrators"


class Rule(NamedTuple):
    """Who may use a path, and a request to it that is in order; job 2 is ben's, job 1 ada's."""

    who: str
    path: str = ""  # where it differs from the route's own
    body: Any = None


#: Each route of the gate -> who may use it. `also a disabled user`: for what is that user's own.
RULES = {
    ("POST", "/jobs"): Rule(ENABLED, body={"name": "pi"}),
    ("GET", "/jobs"): Rule(ALL),
    ("POST", "/jobs/{job}/{act}"): Rule(OWNER, "/jobs/2/cancel", {}),
    ("GET", "/jobs/{job}/why"): Rule(OWNER, "/jobs/2/why"),
    ("GET", "/grants"): Rule(DISABLED),
    ("POST", "/report"): Rule(OWNER, body={"jobs": {"2": {}}}),
    ("GET", "/hosts"): Rule(ALL),
    ("POST", "/hosts"): Rule(ADMINS, body={"do": "drain", "hosts": ["h01"]}),
    ("GET", "/users"): Rule(ADMINS),
    ("POST", "/users"): Rule(ADMINS, body={"do": "forget", "name": BEN}),
    ("GET", "/farm"): Rule(ADMINS),
    ("POST", "/leave"): Rule(DISABLED),
    ("GET", "/stream"): Rule(ALL),
}


def routes() -> dict[tuple[str, str], Any]:
    """Method and path of each route that the gate's router knows."""
    app = web.Application()
    members = Members()
    Routes(members, FakeHeart(), SignUp(members)).add_to(app)
    found = {}
    for route in app.router.routes():
        assert route.resource
        if route.method != "HEAD":
            found[route.method, route.resource.canonical] = route
    return found


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[LivingGate]:
    gate = LivingGate(load_keys(tmp_path / "keys"), NOW)
    logging.getLogger("spe").propagate = True
    yield gate
    gate.stop()


def test_each_path_has_a_rule() -> None:
    assert set(routes()) == set(RULES), "a new path needs a line in RULES, and then these tests try it"


def asked(farm: LivingGate, route: tuple[str, str], who: str, headers: dict[str, str] | None = None) -> int:
    """Status of the answer; a stream is left once it has begun."""
    rule, method = RULES[route], route[0]
    path = rule.path or route[1]
    if route == ("GET", "/stream"):
        farm.call(_end_of(farm))
    return farm.ask(method, path, who, rule.body if method == "POST" else None, headers)[0]


async def _end_of(farm: LivingGate) -> None:
    farm.heart.news.put_nowait(None)


@pytest.mark.parametrize("route", RULES, ids=" ".join)
def test_without_a_token_that_holds_every_path_is_403_and_a_line_in_the_log(
    farm: LivingGate, caplog: pytest.LogCaptureFixture, route: tuple[str, str]
) -> None:
    unknown = {"Authorization": "Bearer " + "x" * 43}
    assert asked(farm, route, "") == 403
    assert asked(farm, route, "", unknown) == 403
    farm.members.forget(BEN)
    assert asked(farm, route, BEN) == 403, "a token that was ended"
    NOW[0] += LIFETIME + 1
    try:
        assert asked(farm, route, ADA) == 403, "a token that has expired"
    finally:
        NOW[0] -= LIFETIME + 1
    assert len([one for one in caplog.messages if "without a valid token" in one]) == 4
    assert farm.heart.asked == []
    assert not any(token in caplog.text for token in farm.tokens.values())


@pytest.mark.parametrize("route", RULES, ids=" ".join)
@pytest.mark.parametrize("who", [ADA, ADMIN])
@pytest.mark.parametrize("enabled", [True, False])
def test_who_may_not_is_told_403_and_the_log_names_who_wanted_what(
    farm: LivingGate, caplog: pytest.LogCaptureFixture, route: tuple[str, str], who: str, enabled: bool
) -> None:
    farm.members.enable(who, enabled)
    rule = RULES[route]
    may = {
        ALL: True,
        DISABLED: True,
        ENABLED: enabled,
        # Reports are the owner's alone: an administrator could make the farm believe in free slots.
        OWNER: who == ADMIN and enabled and route != ("POST", "/report"),
        ADMINS: who == ADMIN and enabled,
    }[rule.who]
    status = asked(farm, route, who)
    assert status == (200 if may else 403)
    lines = [one for one in caplog.messages if one.startswith(who)]
    if may:
        assert lines == [] or route[1] == "/leave"
    else:
        assert len(lines) == 1
        if rule.who == OWNER:
            assert BEN in lines[0], "the log names whose job it is"
        assert farm.heart.asked == []


@pytest.mark.parametrize("route", [one for one, rule in RULES.items() if rule.who in (ENABLED, ADMINS)], ids=" ".join)
def test_a_user_who_is_disabled_meanwhile_may_no_more_than_one_who_was(
    farm: LivingGate, route: tuple[str, str]
) -> None:
    assert asked(farm, route, ADMIN) == 200
    farm.members.enable(ADMIN, False)
    farm.heart.asked.clear()
    assert asked(farm, route, ADMIN) == 403
    assert farm.heart.asked == []


@pytest.mark.parametrize("number", ["2", "02", "002", "%32", "2/", "2%2F", "2;x", "2?job=1", "2#", "../jobs/2"])
@pytest.mark.parametrize("act", ["cancel", "priority"])
def test_another_spelling_of_anothers_job_is_no_way_to_it(farm: LivingGate, number: str, act: str) -> None:
    status, _ = farm.ask("POST", f"/jobs/{number}/{act}", ADA, {"priority": 1, "job": 1, "owner": ADA})
    assert status in (400, 403, 404, 405)
    assert farm.heart.asked == []


@pytest.mark.parametrize("number", ["2", "02", "0002"])
def test_a_report_of_anothers_job_among_ones_own_is_refused_as_a_whole(farm: LivingGate, number: str) -> None:
    assert farm.ask("POST", "/report", ADA, {"jobs": {"1": {}, number: {}}})[0] == 403
    assert farm.heart.asked == []


@pytest.mark.parametrize("do", ["join", "leave", "submit", "cancel", "report", "users", "POST /jobs/2/cancel"])
def test_the_socket_gives_tokens_alone_and_logs_whom_it_refuses(
    farm: LivingGate, caplog: pytest.LogCaptureFixture, tmp_path: Path, do: str
) -> None:
    folder = PublicFolder(tmp_path / "public")
    door = Doorstep(farm.members, farm.heart, dict)
    farm.call(door.start(folder))
    try:
        with socket.socket(socket.AF_UNIX) as own:
            own.settimeout(20)
            own.connect(folder.short_path("socket"))
            own.sendall(json.dumps({"do": do, "job": 2, "host": "lab07", "spe": __version__}).encode() + b"\n")
            answer = json.loads(own.makefile().readline())
    finally:
        farm.call(door.stop())
        folder.close()
    # The tests run as root or as somebody who is no user of this farm.
    assert set(answer) == {"error", "todo"}
    assert [one for one in caplog.messages if f"uid {os.getuid()} was refused at the socket" in one]
    assert farm.heart.asked == []

"""Who has the token for reading reads, and does nothing: every act of people asks for the acting one."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
from desk.test_desk import Office, office
from spe.desk.acts import Acts, Controls
from spe.model import Host
from spe.page import Page
from spe.session.session import Secrets, Session
from spe.sweep.hosts import parse_line

READ, ACT = "r" * 32, "a" * 32
#: Every verb, with what it wants to hear.
ORDERS: dict[str, dict[str, Any]] = {
    "allow": {"epoch": 1, "number": 1, "tasks": {}, "slots": {}},
    "pause": {}, "resume": {}, "cancel": {"tasks": [1]}, "retry": {"tasks": [1]}, "pause_task": {"tasks": [2]},
    "resume_task": {"tasks": [2]}, "bench": {"host": "h"}, "drain": {"host": "h"}, "use": {"host": "h"},
    "add": {"line": "new"}, "stop": {},
}  # fmt: skip


class RunHosts:
    """In place of the fleet."""

    def __init__(self) -> None:
        self.hosts, self.told = parse_line("h"), list[str]()

    def add(self, hosts: Sequence[Host]) -> None:
        self.told += [f"add {host.name}" for host in hosts]

    def use(self, name: str) -> bool:
        self.told.append(f"use {name}")
        return False


class Served:
    """A page with its listener, of a sweep with one running and one waiting set; and all that acts could change."""

    def __init__(self, at: Office, folder: Path) -> None:
        self.at, self.run_hosts = at, RunHosts()
        self.said, self.asked, self.stopped = list[str](), list[tuple[str, str]](), list[bool]()
        acts = Acts(at.desk, Controls(self.run_hosts, self.stopped.append, self.said.append))
        self.page = Page(acts, folder, Secrets("s" * 32, READ, ACT, 0), "served")

    def picture(self) -> tuple[Any, ...]:
        dispatch = self.at.dispatch
        stored = self.at.stored("SELECT number, state FROM tasks") + self.at.stored("SELECT key, value FROM meta")
        here = (
            dispatch.steering.paused,
            dict(dispatch.steering.aside),
            dispatch.board.draining,
            sorted(dispatch.board.in_state.items()),
            list(dispatch.board.waiting),
        )
        return (*here, stored, list(self.run_hosts.told), list(self.stopped), list(self.said))

    async def post(self, path: str, token: str | None, body: object) -> tuple[int, str]:
        query = {} if token is None else {"token": token}
        address = self.page.url.partition("?")[0] + path
        async with (
            aiohttp.ClientSession() as client,
            client.post(address, params=query, data=json.dumps(body)) as answer,
        ):
            return answer.status, await answer.text()


async def serve(folder: Path, session: Path, *values: str) -> None:
    """A run in which one set has failed, one runs and the others wait; all is tried with it."""
    async with office(folder, *values, attempts=1) as at:
        client = await at.client("h")
        (ticket,) = await at.take(client)
        await at.desk.failed(client, ticket, {}, "exit code 1")
        await at.take(client)
        here = Served(at, folder)
        await here.page.start(None, Session(session))
        try:
            await _try_all(here)
        finally:
            await here.page.stop()


async def _try_all(here: Served) -> None:
    status, answer = await here.post("act", ACT, {"do": "no such thing"})
    verbs = set(re.findall(r"\w+", answer.partition("There are ")[2].partition(".")[0]))
    assert status == 400 and verbs == set(ORDERS), "each verb is tried below"
    before = here.picture()
    for verb, more in ORDERS.items():
        for token in (None, "", "wrong", "s" * 32, READ, READ[:-1], ACT[:-1], ACT.upper()):
            status, answer = await here.post("act", token, {"do": verb, **more})
            assert status == 403, f"{verb} with {token}"
            assert ("acting token" in answer) == (token == READ), answer
            assert here.picture() == before, f"{verb} with {token} was obeyed"
    for asked in ({"task": 2, "words": ["ls"]}, {"host": "h", "words": ["ls"]}):
        for token in (None, "wrong", READ):
            assert (await here.post("ask", token, asked))[0] == 403
    assert not here.at.desk.orders.due("1") and here.picture() == before
    assert (await here.post("act", ACT, {"do": "pause"}))[0] == 200 and here.at.dispatch.steering.paused, (
        "with the right one it is"
    )


def test_the_token_for_reading_gives_no_right_to_any_act(tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    asyncio.run(serve(tmp_path / "sweep", tmp_path / "session", "a", "b", "c"))

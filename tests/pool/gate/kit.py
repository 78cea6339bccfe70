"""A farm without its heart, for tests of its doors: in this process, or in one of another account."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from needs import need_program
from spe.pool.gate.doorstep import Doorstep
from spe.pool.gate.heart import Json, Paused
from spe.pool.gate.https import Gate
from spe.pool.gate.keys import Keys, load_keys
from spe.pool.gate.peers import check_namespace
from spe.pool.gate.public_folder import PublicFolder
from spe.pool.members import Changes, Members
from spe.pool.rows import Role, UserRow
from spe.version import __version__

FARM_UID, ADA_UID, BEN_UID, MALLORY_UID = 13, 33, 34, 8  # proxy, www-data, backup, mail: on each Debian
FARM, ADA, BEN = "proxy", "www-data", "backup"
HOSTS = ["h01", "h02", "h03"]


class FakeHeart:
    """Notes what it is asked. Job 1 is ada's, job 2 ben's."""

    farm = "f00d"
    epoch = 7

    def __init__(self, hosts: list[str] | None = None) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.owners = {1: ADA, 2: BEN}
        self.committed: list[Changes] = []
        self.paused: Paused | None = None
        self.news: asyncio.Queue[tuple[str, Json] | None] = asyncio.Queue()
        self.released = asyncio.Event()
        self.host_list = hosts or HOSTS

    def owner_of(self, job: int) -> str | None:
        return self.owners.get(job)

    async def commit(self, changes: Changes) -> None:
        if self.paused:
            raise self.paused
        self.committed.append(changes)

    def _note(self, *words: Any) -> Json:
        if self.paused:
            raise self.paused
        self.asked.append(words)
        return {"asked": words[0]}

    async def submit(self, user: UserRow, place: str, job: Json) -> Json:
        return self._note("submit", user.name, place, job)

    async def jobs(self, user: UserRow) -> Json:
        return self._note("jobs", user.name)

    async def act(self, user: UserRow, job: int, act: str, about: Json) -> Json:
        return self._note("act", user.name, job, act, about)

    async def why(self, user: UserRow, job: int) -> Json:
        return self._note("why", user.name, job)

    async def grants(self, user: UserRow, place: str, seen: int, wait: float) -> Json:
        answer = self._note("grants", user.name, place, seen, wait)
        if wait:
            await asyncio.wait_for(self.released.wait(), wait)
        return answer

    async def report(self, user: UserRow, place: str, report: Json) -> Json:
        return self._note("report", user.name, place, report)

    async def hosts(self, user: UserRow) -> Json:
        self._note("hosts", user.name)
        return {"hosts": [{"name": one} for one in self.host_list]}

    async def change_hosts(self, user: UserRow, change: Json) -> Json:
        return self._note("change_hosts", user.name, change)

    async def status(self, user: UserRow) -> Json:
        return self._note("status", user.name)

    async def stream(self, user: UserRow) -> AsyncIterator[tuple[str, Json]]:
        yield "list", {"jobs": [1, 2], "name": "a\nevent: list"}
        while (event := await self.news.get()) is not None:
            yield event


class LivingGate:
    """A gate on a thread of its own, and its users' tokens."""

    def __init__(self, keys: Keys, now: list[float]) -> None:
        self.members = Members([UserRow(ADA), UserRow(BEN), UserRow("root", Role.ADMIN)])
        self.tokens = {name: self.members.issue(name, "lab07", now[0]) for name in (ADA, BEN, "root")}
        self.loop = asyncio.new_event_loop()
        self.keys = keys
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.heart, self.gate = self.call(self._start(now))

    async def _start(self, now: list[float]) -> tuple[FakeHeart, Gate]:
        heart = FakeHeart()
        gate = Gate(self.members, heart, lambda: now[0])
        await gate.start("127.0.0.1", 0, self.keys.context)
        return heart, gate

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def connect(self) -> http.client.HTTPSConnection:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.gate.port, timeout=20, context=context)

    def ask(
        self, method: str, path: str, who: str = "", body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Return status and JSON of one request."""
        status, answer, _ = self.ask_whole(method, path, who, body, headers)
        return status, answer

    def ask_whole(
        self, method: str, path: str, who: str = "", body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, Mapping[str, str]]:
        sent = {"User-Agent": f"spe/{__version__}"}
        if who:
            sent["Authorization"] = f"Bearer {self.tokens[who]}"
        connection = self.connect()
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        try:
            connection.request(method, path, raw, sent | dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read().decode()
            found = json.loads(text) if text.startswith(("{", "[")) else text
            return answer.status, found, dict(answer.headers)
        finally:
            connection.close()

    def stop(self) -> None:
        self.call(self.gate.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


def as_account(uid: int) -> list[str]:
    """Return the words that run a command as another account."""
    return [need_program("setpriv", "util-linux"), f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


@contextmanager
def farm_process(
    public: Path, home: Path, *words: str, uid: int = FARM_UID, before: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A farm in a process of an account, that has said its first line: "up", or why not."""
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    process = subprocess.Popen(
        [*before, *as_account(uid), sys.executable, __file__, str(public), str(home), *words],
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path},
        cwd="/",
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        if process.stdout:
            process.stdout.close()


async def _serve(public: Path, home: Path, options: Mapping[str, Any]) -> None:
    check_namespace()
    folder = PublicFolder(public)
    members = Members([UserRow(name) for name in options.get("users", [ADA])], anyone=options.get("anyone", False))
    for name in options.get("disabled", []):
        members.enable(name, False)
    for name in options.get("admins", []):
        members.take_over([*members.users(), UserRow(name, Role.ADMIN)])
    heart = FakeHeart(options.get("hosts"))
    keys = load_keys(home)
    gate = Gate(members, heart)
    await gate.start(options.get("listen"), options.get("port", 0), keys.context)
    url = f"https://{options.get('name', '127.0.0.1')}:{gate.port}"
    address = {
        "farm": heart.farm,
        "epoch": heart.epoch,
        "spe": options.get("spe", __version__),
        "urls": [url],
        "fingerprint": keys.fingerprint,
        "pin": keys.pin,
    }
    folder.write_address(address)
    await Doorstep(members, heart, lambda: address).start(folder)
    code = members.make_code(options["code"], __import__("time").time()) if "code" in options else ""
    print("up", gate.port, keys.fingerprint, code, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    os.umask(0o077)
    from spe.errors import SpeError

    try:
        asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2]), json.loads((*sys.argv, "{}")[3])))
    except SpeError as error:
        print(error.line, flush=True)

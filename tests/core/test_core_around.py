"""Around the heart: changed workers, gather hooks of earlier runs, where the master listens."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web
from spe.dispatch.changes import TaskMoved, TicketEnded, TicketIssued
from spe.errors import ConfigError
from spe.hooks.hooks import Hooks
from spe.model import Failure, Host, Output, ResultSpec, TaskState, TicketState, Usage, Worker, WorkerFile
from spe.runner.address import Address, is_loopback, listen_address, own_address
from spe.runner.gathering import PAGE, Gathering, view
from spe.store.reader import Reader
from spe.store.store import NewSet, Store
from spe.sweep.program_change import snapshot
from spe.wire.server import Server


def worker(folder: Path, **contents: str) -> Worker:
    files = {}
    for platform, content in contents.items():
        path = folder / f"source-{platform}"
        path.write_text(content)
        digests = [hashlib.new(kind, content.encode()).hexdigest() for kind in ("md5", "sha256")]
        files[platform] = WorkerFile(path, digests[0], digests[1], len(content))
    return Worker("pi", files)


# -- workers


def test_recompiling_during_the_sweep_changes_nothing(tmp_path: Path) -> None:
    source = worker(tmp_path, any="old", linux="other")
    (tmp_path / "session").mkdir()
    copies = snapshot(source, tmp_path / "session")
    assert copies
    (tmp_path / "source-any").write_text("new")
    assert copies.files["any"].path.read_text() == "old"
    assert snapshot(source, tmp_path / "session") == copies, "a master that comes back has the same"
    assert copies.files["any"].path.read_text() == "old"
    assert not list((tmp_path / "session").glob("*.part"))
    assert snapshot(None, tmp_path) is None


# -- gather

HOOK = """
def gather(task, result):
    with open({log!r}, "a") as file:
        file.write(f"{{task.number}}\\n")
    if task.number == 3:
        raise ValueError("three")
"""


def accept(number: int) -> list[object]:
    moved = TaskMoved(number, TaskState.DONE, 1, 0, "", number, {}, (Output("y", "1"),))
    return [TicketIssued(number, number, "1", "h"), TicketEnded(number, TicketState.ACCEPTED, Usage(1.0)), moved]


def gathered(folder: Path, work: Callable[[Store, Gathering], object]) -> tuple[list[int], Gathering]:
    """The numbers in the order in which the hook was called, and the gathering."""
    (folder / "hooks.py").write_text(HOOK.format(log=str(folder / "log")))

    async def run() -> Gathering:
        store = Store(folder / "sweep.db")
        hooks = Hooks(folder, (ResultSpec("y"),), (), ("hooks.py:gather",))
        try:
            gathering = Gathering(hooks, store, folder, ["hooks.py:gather"])
            await work(store, gathering)  # type: ignore[misc]
            return gathering
        finally:
            await hooks.close()
            await asyncio.to_thread(store.close)

    gathering = asyncio.run(run())
    log = folder / "log"
    return [int(line) for line in log.read_text().split()] if log.exists() else [], gathering


async def fill(store: Store, count: int) -> None:
    await store.begin_plan(["x"], ["y"])
    await store.add_sets([NewSet(n.to_bytes(16, "big"), n, {"x": str(n)}) for n in range(count)])


def test_what_an_earlier_run_left_is_called_once_and_what_it_called_is_not(tmp_path: Path) -> None:
    count = PAGE + 20

    async def work(store: Store, gathering: Gathering) -> None:
        await fill(store, count)
        await store.commit([c for n in range(1, count + 1) for c in accept(n)])  # type: ignore[misc]
        for number in range(5, PAGE):
            await store.mark_collected(number, well=True)
        await gathering.begin()
        gathering.add([1, 2])  # accepted by clients that came while this began
        await fill(store, count)  # and only now are today's parameters read
        await gathering.finish()
        assert await store.uncollected(False, 10, 0) == []

    numbers, gathering = gathered(tmp_path, work)
    assert numbers == [1, 2, 3, 4, *range(PAGE, count + 1)]
    assert gathering.calls == len(numbers)
    assert len(gathering.faults) == 1 and "task 3" in gathering.faults[0] and "three" in gathering.faults[0]


def test_collecting_again_calls_for_all_accepted_ones(tmp_path: Path) -> None:
    async def work(store: Store, gathering: Gathering) -> None:
        await fill(store, 4)
        await store.commit([c for n in (4, 2) for c in accept(n)])  # type: ignore[misc]
        await store.mark_collected(2, well=True)
        await gathering.begin(again=True)
        await gathering.finish()

    assert gathered(tmp_path, work)[0] == [2, 4]


def test_hooks_see_the_attempt_that_was_accepted_not_a_later_one_that_was_rejected(tmp_path: Path) -> None:
    async def work(store: Store, gathering: Gathering) -> None:
        await fill(store, 1)
        rejected = TicketEnded(2, TicketState.REJECTED, Usage(9.0), Failure("rejected", "no", 4))
        await store.commit([*accept(1), TicketIssued(2, 1, "1", "other"), rejected, accept(1)[2]])  # type: ignore[list-item]

    gathered(tmp_path, work)
    with Reader(tmp_path) as reader:
        seen = view(reader.task(1), tmp_path)
    assert (seen.host, seen.seconds, seen.exit_code) == ("h", 1.0, 0)


# -- where the master listens


def sweep(address: str | None = None, port: int = 0, tls: bool = True) -> SimpleNamespace:
    return SimpleNamespace(config=SimpleNamespace(listen=SimpleNamespace(address=address, port=port), tls=tls))


HERE, LAB = Host("localhost"), Host("lab01")


@pytest.mark.parametrize(
    ("hosts", "by_hand", "listen", "wanted"),
    [
        ((HERE,), False, sweep(), Address("127.0.0.1", 0, False, None)),
        ((HERE, LAB), False, sweep(), Address(None, 0, True, None)),
        ((), True, sweep(), Address(None, 0, True, None)),
        ((LAB,), False, sweep(tls=False), Address(None, 0, False, None)),
        ((LAB,), False, sweep("0.0.0.0", 99), Address(None, 99, True, None)),
        ((LAB,), False, sweep("10.1.2.3", 99), Address("10.1.2.3", 99, True, "10.1.2.3")),
        ((LAB,), False, sweep("127.0.0.1"), Address("127.0.0.1", 0, False, None)),
        ((HERE,), False, sweep("::1"), Address("::1", 0, False, None)),
        ((HERE,), False, sweep("10.1.2.3"), Address("10.1.2.3", 0, True, "10.1.2.3")),
    ],
)
def test_https_wherever_it_is_not_loopback(
    hosts: tuple[Host, ...], by_hand: bool, listen: SimpleNamespace, wanted: Address
) -> None:
    assert listen_address(listen, hosts, by_hand) == wanted  # type: ignore[arg-type]


def test_an_address_is_shown_as_a_url() -> None:
    assert Address("127.0.0.1", 0, False, None).url(80) == "http://127.0.0.1:80"
    assert Address("::1", 0, False, None).url(80) == "http://[::1]:80"
    assert Address("10.1.2.3", 0, True, "10.1.2.3").url(443) == "https://10.1.2.3:443"
    assert Address(None, 0, True, None).url(1) == f"https://{own_address()}:1"


@pytest.mark.parametrize(
    ("address", "yes"), [("127.0.0.1", 1), ("127.9.9.9", 1), ("::1", 1), ("localhost", 1), ("10.0.0.1", 0), ("lab", 0)]
)
def test_loopback_is_known(address: str, yes: int) -> None:
    assert is_loopback(address) == bool(yes)


async def here(_request: web.Request) -> web.Response:
    return web.Response(text="here")


def listens(address: Address, earlier: int) -> int:
    """The port that it got; the server answers there."""

    async def run() -> int:
        app = web.Application()
        app.router.add_get("/", here)
        server = Server(app)
        try:
            await address.listen(server, None, earlier)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            assert (await asyncio.wait_for(reader.read(), 20)).endswith(b"here")
            writer.close()
            return server.port
        finally:
            await server.stop()

    return asyncio.run(run())


LOCAL = Address("127.0.0.1", 0, False, None)


def test_a_master_that_comes_back_takes_its_port_again() -> None:
    port = listens(LOCAL, 0)
    assert listens(LOCAL, port) == port


def test_a_master_that_comes_back_and_finds_its_port_taken_takes_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        assert listens(LOCAL, taken) not in (0, taken)


def test_a_port_that_was_asked_for_and_is_in_use_is_an_error_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1, port {taken} is in use by another program") as caught:
            listens(Address("127.0.0.1", taken, False, None), 0)
    assert caught.value.where == "listen" and "listen: [ADDRESS:]PORT" in caught.value.todo


def test_an_address_that_is_not_ours_is_an_error_that_says_so() -> None:
    with pytest.raises(ConfigError, match="is not an address of this machine"):
        listens(Address("192.0.2.1", 0, False, None), 0)

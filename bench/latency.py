"""How soon: one task that is submitted to an idle sweep, and 200 tasks of 50 ms on two slots.

    python bench/latency.py [--quick]

The first in this process: a store, a desk and a server as `spe run` has them, with one real client that waits for work.
"Submitted" is when a set enters the store, "accepted" when its result is on disk. Beside it: the program by itself.
The second is a whole `spe run`, beside the least that its tasks can take and beside xargs.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from measure import measured, scratch
from spe.desk.desk import Brief, Desk
from spe.desk.judging import Judges
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.rules import Rules
from spe.hooks.hooks import Hooks
from spe.launch.bundle import client_pyz
from spe.model import ResultSpec, Setup, Work
from spe.software.software import Software, Sources
from spe.store.store import NewSet, Store
from spe.wire.routes import Door
from spe.wire.server import Server

SESSION = "a-session-of-the-benchmark"
RESULTS = (ResultSpec("stdout", "stdout"),)
LONG = 0.05  # seconds


def main() -> int:
    """Both, in a folder of their own."""
    quick = "--quick" in sys.argv[1:]
    with scratch() as folder:
        asyncio.run(one_by_one(folder, 50 if quick else 300))
        many(folder, 40 if quick else 200)
    return 0


async def one_by_one(folder: Path, count: int) -> None:
    """Each set is submitted when the one before was accepted and the client waits again."""
    alone = sorted(taken_alone() for _ in range(count))
    async with idle_sweep(folder) as desk:
        taken = sorted([await submitted(desk, number) for number in range(count)])
    middle, own = taken[count // 2], alone[count // 2]
    print(f"one /bin/true at a time, {count} times: median {1000 * middle:.1f} ms from submitted to accepted,")
    print(f"  nine of ten within {1000 * taken[count * 9 // 10]:.1f} ms; the program by itself: {1000 * own:.1f} ms")


def taken_alone() -> float:
    """Seconds that the program takes when this process starts it."""
    begun = time.perf_counter()
    os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], os.environ), 0)
    return time.perf_counter() - begun


@asynccontextmanager
async def idle_sweep(folder: Path) -> AsyncIterator[Desk]:
    """A sweep without sets, and a client that waits for the first."""
    store = Store(folder / "sweep.db")
    await store.begin_plan(["x"], ["stdout"])
    hooks = Hooks(folder, RESULTS, (), ())
    dispatch = Dispatch(Rules(), *await store.next_ids())
    setup = Setup(True, True, 30.0, 5.0, 1, 0, 0, None)
    work = Work(("/bin/true",))
    brief = Brief(setup, RESULTS, lambda _: work, _key, lambda *_: None, lambda _: None)
    desk = Desk(brief, dispatch, store, Judges(RESULTS, (), hooks), folder)
    software = Software(Sources(), folder, lambda platform: [])
    door = Door(desk, SESSION, None, client_pyz, folder / "incoming", software)
    server = Server(door.application())
    await server.start("127.0.0.1", 0, None)
    client = start_client(folder, server.port)
    try:
        yield desk
        await desk.drain()
        await asyncio.to_thread(client.wait)
    finally:
        await server.stop()
        await hooks.close()
        store.close()


def _key(values: Mapping[str, str]) -> bytes:
    return int(values["x"]).to_bytes(16, "big")


def start_client(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Ours, as it comes to a host."""
    program = folder / "client.pyz"
    program.write_bytes(client_pyz)
    words = [sys.executable, str(program), "--master", f"http://127.0.0.1:{port}", "--slots", "2"]
    environment = {**os.environ, "SPE_SESSION": SESSION, "TMPDIR": str(folder)}
    return subprocess.Popen([*words, "--workdir", str(folder / "work")], env=environment, stderr=subprocess.DEVNULL)


async def submitted(desk: Desk, number: int) -> float:
    """Seconds until this set was accepted."""
    while not desk.held_requests.idle:  # until the client waits
        await asyncio.sleep(0.001)
    begun = time.perf_counter()
    await desk.store.add_sets([NewSet(number.to_bytes(16, "big"), number, {"x": str(number)})])
    desk.dispatch.board.add(task for _, task in await desk.store.waiting(number - 1, 1))
    desk.wake_idle()
    while not desk.arrivals.take_accepted():
        desk.moved.clear()
        await desk.moved.wait()
    return time.perf_counter() - begun


def many(folder: Path, count: int) -> None:
    """Tasks of 50 ms in two slots, start and end of the sweep counted and not."""
    ideal = count * LONG / 2
    all_in_all = swept(folder, "all", count)
    without = all_in_all - swept(folder, "few", 2) + LONG
    peer = measured(["sh", "-c", f"seq {count} | xargs -P 2 -I_ sleep {LONG}"], folder).wall
    print(f"{count} tasks of {1000 * LONG:.0f} ms in two slots, ideally {ideal:.2f} s: spe run {all_in_all:.2f} s,")
    print(f"  without its start and end {without:.2f} s ({without / ideal:.3f} of the ideal); xargs {peer:.2f} s")


def swept(folder: Path, name: str, count: int) -> float:
    """Wall seconds of a whole `spe run`."""
    own = folder / name
    own.mkdir()
    parameters = f"parameters: {{repeat: {count}}}\n"
    (own / "spe.yaml").write_text(f"name: t\ncommand: sleep {LONG}\n{parameters}hosts: [localhost slots=2]\nnice: 0\n")
    return measured([sys.executable, "-m", "spe", "run", "-q"], own).wall


if __name__ == "__main__":
    sys.exit(main())

"""What a sweep of very many sets costs beside its tasks.

    python bench/million.py [COUNT]

COUNT is 1,000,000 unless given; 100,000 is quick. The sets go through a real `spe run` until the last one is stored and
the first ones have run; then the store is filled with results directly, as running a million programs takes an hour.
Every figure is a ratio, for a set, or the goal's own seconds; the memory is the largest that the process ever had.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from master_kit import master
from measure import cost_of, scratch
from one_client import Client, Cost, cost_of_tasks, sweep

SPE = [sys.executable, "-m", "spe"]
SMALL = 10_000  # the size that a large sweep is compared to
TASKS, ROUNDS = 800, 11  # tasks that are handed out and brought in one go, and how often
MEGABYTE = 1 << 20


def main(count: int = 1_000_000) -> None:
    print(f"{count} sets", flush=True)
    with scratch() as folder:
        small = Sweep(folder / "small", min(SMALL, count))
        large = Sweep(folder / "large", count)
        for one in (large, small):
            wall, cpu = one.begin()
            show("first task starts after", f"{wall:.2f} s", f"{cpu:.2f} s of the master's cpu; {one.count} sets")
        show("cpu of storing a set more", f"{more(large, small, large.stored - small.stored):.1f} us", "")
        show("memory of the master meanwhile", f"{large.memory / MEGABYTE:.0f} MB", f"{small.memory / MEGABYTE:.0f} MB")
        for one in (small, large):
            asyncio.run(fill(one.runs))
        after(large, small)
    tasks(count)


def tasks(count: int) -> None:
    """What a task costs the master, handed out and brought by a pretend client: a small and a large sweep in turns."""
    costs: dict[int, list[Cost]] = {min(SMALL, count): [], count: []}
    with scratch() as folder, ExitStack() as masters:
        servers = {}
        for sets in costs:
            (folder / str(sets)).mkdir()
            servers[sets] = masters.enter_context(master(folder / str(sets), sweep(sets)))
        for server in servers.values():
            until(partial(stored, server.runs), 0.5)
        clients = [(sets, server, Client(server)) for sets, server in servers.items()]
        for _, _, client in clients:
            client.work(TASKS)  # what is done once is done
        for _ in range(ROUNDS):  # side by side: what others do on this machine meets both
            for sets, server, client in clients:
                costs[sets].append(cost_of_tasks(server, client, TASKS))
        for sets, server, _ in clients:
            half = sorted(costs[sets], key=lambda cost: cost.all)[len(costs[sets]) // 2]
            each = f"event loop {half.loop:.1f}, others {half.others:.1f}; {server.memory():.0f} MB"
            show(f"cpu of a task among {sets} sets", f"{half.all:.1f} us", each)


def stored(runs: Path) -> bool:
    """Whether all sets are in the store."""
    return ask(runs, "SELECT count(*) FROM meta WHERE key = 'read' AND value <> ''") == 1


def after(large: Sweep, small: Sweep) -> None:
    """What is measured once all is done."""
    for words, what in ((["run", "-q"], "run: the tables"), (["run", "-q"], "run again"), (["status"], "status")):
        (wall, cpu, memory), (_, little, _) = large.spe(*words), small.spe(*words)
        each = more(large, small, cpu - little)
        show(f"spe {what}", f"{wall:.2f} s, {memory / MEGABYTE:.0f} MB", f"{each:.2f} us of cpu a set more")
    show("the page's numbers", f"{1000 * page(large.runs):.1f} ms", f"{1000 * page(small.runs):.1f} ms")
    show("results.csv, a set", f"{table(large):.2f} us", f"{table(small):.2f} us")
    size = os.path.getsize(large.runs / "sweep.db")
    show("database, a set with its result", f"{size / large.count:.0f} bytes", "")


def more(large: Sweep, small: Sweep, seconds: float) -> float:
    """Microseconds for each set that the large sweep has more."""
    return 1e6 * seconds / max(1, large.count - small.count)


def show(what: str, figure: str, beside: str) -> None:
    print(f"{what:34} {figure:>18}   {beside}", flush=True)


class Sweep:
    """A folder with a sweep of so many sets."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count, self.runs = folder, count, folder / "runs/t"
        self.stored = 0.0  # seconds of the master's processor time until all sets were stored
        self.memory = 0
        folder.mkdir()
        started = folder / "started"
        text = f"name: t\ncommand: touch {started}/{{{{ x }}}} {started}/{{{{ mesh }}}}\nparameters: params.csv\n"
        (folder / "spe.yaml").write_text(text + "hosts: [localhost slots=1]\n", encoding="utf-8")
        started.mkdir()
        with (folder / "params.csv").open("w", encoding="utf-8") as file:
            file.write("x,mesh\n")
            file.writelines(f"{x},mesh_{x % 1000}\n" for x in range(count))

    def begin(self) -> tuple[float, float]:
        """Run until all sets are stored, then interrupt it; wall and processor time until the first task."""
        begun = time.monotonic()
        quiet = subprocess.DEVNULL
        master = subprocess.Popen([*SPE, "run", "-q"], cwd=self.folder, stdout=quiet, stderr=quiet)
        try:
            until(lambda: any(os.scandir(self.folder / "started")))
            first = (time.monotonic() - begun, processor_time(master.pid))
            until(lambda: stored(self.runs), 0.5)
            self.memory, self.stored = peak(master.pid), processor_time(master.pid)
        finally:
            master.send_signal(signal.SIGINT)
            master.wait()
        return first

    def spe(self, *words: str) -> tuple[float, float, int]:
        """Wall and processor time of a command, and the largest memory it had."""
        memory = 0

        def work() -> None:
            nonlocal memory
            process = subprocess.Popen([*SPE, *words], cwd=self.folder, stdout=subprocess.DEVNULL)
            while process.poll() is None:
                memory = max(memory, peak(process.pid))
                time.sleep(0.01)

        cost = cost_of(work)
        return cost.wall, cost.cpu, memory


def ask(runs: Path, sql: str) -> int:
    """What the database says; 0 as long as there is none."""
    try:
        connection = sqlite3.connect(f"{(runs / 'sweep.db').absolute().as_uri()}?mode=ro", uri=True, timeout=10)
    except sqlite3.OperationalError:
        return 0
    try:
        return int(connection.execute(sql).fetchone()[0])
    except sqlite3.OperationalError:  # not yet made
        return 0
    finally:
        connection.close()


def until(condition: Callable[[], bool], pause: float = 0.01) -> None:
    while not condition():
        time.sleep(pause)


def peak(pid: int) -> int:
    """The largest memory that a process ever had, in bytes."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0


def processor_time(pid: int) -> float:
    """Of this process alone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


async def fill(runs: Path) -> None:
    """A result for every set that waits, as `/bin/echo` would bring it."""
    from spe.dispatch.changes import TaskMoved, TicketEnded, TicketIssued
    from spe.model import Output, TaskState, TicketState, Usage
    from spe.store.store import Store

    store = Store(runs / "sweep.db")
    store.plan = int(await store.meta("plan"))
    store.begun = True  # all sets were read before the run was interrupted
    ticket, after_place = (await store.next_ids())[0], -1
    while rows := await store.waiting(after_place, 1000):
        after_place = rows[-1][0]
        pairs = [(ticket + at, task) for at, (_, task) in enumerate(rows)]
        ticket += len(rows)
        await store.commit([TicketIssued(one, task.number, "1", "localhost") for one, task in pairs])
        usage = Usage(0.00123, 0.0005, 0.0004, 1_500_000)
        await store.commit([TicketEnded(one, TicketState.ACCEPTED, usage) for one, _ in pairs])
        await store.commit([
            TaskMoved(t.number, TaskState.DONE, 1, 0, "", one, {}, (Output("stdout", t.values["x"], None, None, 8),))
            for one, t in pairs
        ])  # fmt: skip
    await asyncio.to_thread(store.close)


def page(runs: Path) -> float:
    """Seconds for the numbers of the page, the least of ten looks."""
    from spe.store.reader import Reader

    def look() -> None:
        with Reader(runs) as reader:
            reader.statistics()
            next(iter(reader.failed()), None)

    return min(timed(look) for _ in range(10))


def table(sweep: Sweep) -> float:
    """Microseconds of processor time for a line of results.csv."""
    from spe.results.table_files import write_results_csv
    from spe.store.reader import Reader

    begun = time.process_time()
    with Reader(sweep.runs) as reader:
        write_results_csv(sweep.folder / "x.csv", reader.parameters, reader.results, reader.rows())
    return 1e6 * (time.process_time() - begun) / sweep.count


def timed(work: Callable[[], None]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))

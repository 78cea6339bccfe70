"""Large files: a result of 1 GB to the master, and a worker of 100 MB to thirty clients, each against bare aiohttp.

    python bench/large.py [MEGABYTES] [CLIENTS] [ROUNDS]

Both servers run on one core, the clients on another, and both are sent the same body by the same client of ours. A
result counts when the master has said `accepted`: it is on disk, synced and checked. The files lie in $TMPDIR.
"""

from __future__ import annotations

import http.client
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from master_kit import Server, bare, master, on_core
from spe.client.wire.connection import MasterAddress
from spe.client.wire.master import Master, MasterConnection
from spe.client.wire.multipart import Body, FilePart

MB = 1 << 20
Sent = tuple[float, float, float]  # seconds of wall time and of the server's processor, MB of memory it grew by


def send(host: str, port: str, session: str, path: str, query: str, file: str) -> None:
    """A client of its own process: seconds that it took, and the most memory it had."""
    on_core(1)
    connection = MasterConnection(Master(MasterAddress("http", host, int(port), "", "", ""), session, lambda: None))
    connection.ask("/nothing", [])  # it is connected
    body = Body([("data", FilePart(file, os.path.getsize(file)))])
    begun = time.monotonic()
    reply = connection.ask(path, [("ticket", query)], body, timeout=600)
    print(time.monotonic() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    assert reply.text == "accepted", (reply.status, reply.text)


def measured(server: Server, path: str, ticket: str, file: Path) -> tuple[Sent, float]:
    """What the server needed, and the sender's memory."""
    cpu, memory = server.processor(), server.memory("VmRSS")
    words = [sys.executable, __file__, "--send", server.host, str(server.port), server.session or "s", path, ticket]
    said = subprocess.run([*words, str(file)], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return (float(said[0]), server.processor() - cpu, server.memory() - memory), float(said[1])


def ticket_of(server: Server) -> str:
    connection = http.client.HTTPConnection(server.host, server.port)
    connection.request("GET", f"/task?sessionID={server.session}&wait=10")
    return re.findall(r"Ticket=(\d+)", connection.getresponse().read().decode())[0]


def upload(folder: Path, megabytes: int, rounds: int) -> None:
    file = folder / "data.bin"
    block = os.urandom(MB)
    with file.open("wb") as opened:
        for _ in range(megabytes):
            opened.write(block)
        os.fsync(opened.fileno())
    sweep = "command: /bin/true {{ x }}\nparameters: {grid: {x: {range: [1, 100]}}}\nresults: {data: data.bin}\n"
    found: dict[str, list[Sent]] = {"bare": [], "spe": []}
    for _ in range(rounds):
        for label, start in (("bare", bare(folder)), ("spe", master(folder, sweep))):
            with start as server:
                ticket = ticket_of(server) if label == "spe" else "0"
                path = "/complete" if label == "spe" else "/upload"
                sent, sender = measured(server, path, ticket, file)
                found[label].append(sent)
            (folder / "upload").unlink(missing_ok=True)
            subprocess.run(["rm", "-rf", str(folder / "runs")], check=True)
    print(f"a result of {megabytes} MB, the best of {rounds}; the sender had {sender:.0f} MB of memory")
    show(found, megabytes)


def show(found: dict[str, list[Sent]], megabytes: int) -> None:
    best = {label: min(each) for label, each in found.items()}
    for label, (wall, cpu, memory) in best.items():
        print(f"{label:5} {megabytes / wall:6.0f} MB/s  {cpu:5.2f} s of processor time  memory +{memory:.0f} MB")
    pairs = [one[0] / other[0] for one, other in zip(found["bare"], found["spe"], strict=True)]
    print(f"speed of spe to bare {best['bare'][0] / best['spe'][0]:.2f} (median of rounds {median(pairs):.2f})")


def fetch_all(server: Server, target: str, clients: int) -> None:
    def fetch() -> None:
        connection = http.client.HTTPConnection(server.host, server.port)
        connection.request("GET", target)
        response = connection.getresponse()
        assert response.status == 200
        while response.read(MB):
            pass

    threads = [threading.Thread(target=fetch) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def forget(file: Path) -> None:
    """Out of the page cache with it."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def worker(folder: Path, megabytes: int, clients: int, rounds: int) -> None:
    file = folder / "work.bin"
    file.write_bytes(b"#!/bin/sh\nexit 0\n" + os.urandom(megabytes * MB))
    file.chmod(0o755)
    sweep = "command: ./{{ worker }} {{ x }}\nworker: work.bin\nparameters: {grid: {x: {range: [1, 9]}}}\n"
    on_core(1)
    found: dict[str, list[Sent]] = {"bare": [], "spe": []}
    reads: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for label, start in (("bare", bare(folder)), ("spe", master(folder, sweep))):
            with start as server:
                query = f"sessionID={server.session}&name=work.bin&platform=any"
                target = f"/worker?{query}" if label == "spe" else f"/file?path={file}"
                copies = (folder / "runs").rglob("*") if label == "spe" else iter([file])
                forget(next(p for p in copies if p.is_file() and p.stat().st_size > megabytes * MB))
                found[label].append(_fetched(server, lambda s=server, t=target: fetch_all(s, t, clients), reads, label))
            subprocess.run(["rm", "-rf", str(folder / "runs")], check=True)
    print(f"a worker of {megabytes} MB to {clients} clients at once, the best of {rounds}")
    show(found, megabytes * clients)
    for label, read in reads.items():
        print(f"{label:5} {read['read_bytes']:6.0f} MB read from the disk, {read['rchar']:.0f} MB from the page cache")


def _fetched(server: Server, fetch: Callable[[], None], reads: dict[str, dict[str, float]], label: str) -> Sent:
    cpu, memory, before, begun = server.processor(), server.memory("VmRSS"), server.io(), time.monotonic()
    fetch()
    wall, after = time.monotonic() - begun, server.io()
    reads[label] = {key: (after[key] - before[key]) / MB for key in after}
    return wall, server.processor() - cpu, server.memory() - memory


def main(megabytes: int = 1024, clients: int = 30, rounds: int = 3) -> None:
    with tempfile.TemporaryDirectory(prefix="spe-bench-") as name:
        upload(Path(name), megabytes, rounds)
        worker(Path(name), 100, clients, rounds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--send"]:
        send(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:4]))

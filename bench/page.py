"""What an open page costs a sweep: the same sweep with and without one who listens and looks, in turns.

    python bench/page.py [TASKS] [ROUNDS]

The one who looks does what the page of the hosts does in a browser: it takes the stream as fast as it comes, and
asks for the timeline again every three seconds. It prints how much longer the sweep takes with it,
and how much more processor time, which tells more where the machine has other work as well.
"""

from __future__ import annotations

import http.client
import json
import resource
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from measure import Cost, scratch

REFRESH = 3.0  # seconds, as in page.js
SLOTS = 4


def main() -> int:
    """Alternating, so that what else this machine does meets both."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with scratch() as folder:
        swept(folder / "warm", 500, False)
        pairs = [pair(folder, number, count) for number in range(rounds)]
    for alone, seen, events in pairs:
        print(f"  alone {alone.wall:.2f} s ({alone.cpu:.2f} s of processor), with a page ({events} events)", end=" ")
        print(f"{seen.wall:.2f} s ({seen.cpu:.2f}): {seen.wall / alone.wall:.3f} ({seen.cpu / alone.cpu:.3f})")
    wall = statistics.median(seen.wall / alone.wall for alone, seen, _ in pairs)
    cpu = statistics.median(seen.cpu / alone.cpu for alone, seen, _ in pairs)
    print(
        f"an open page, {rounds} pairs of {count} tasks: {wall:.3f} times the time, {cpu:.3f} times the processor time"
    )
    return 0


def pair(folder: Path, number: int, count: int) -> tuple[Cost, Cost, int]:
    """Without and with; every other time the other way round, as a machine gets slower or faster meanwhile."""
    order = (number % 2 == 0, number % 2 == 1)
    took = {seen: swept(folder / f"{number}-{seen}", count, seen) for seen in order}
    return took[False][0], *took[True]


def swept(folder: Path, count: int, looked_at: bool) -> tuple[Cost, int]:
    """What a whole `spe run` took, master, client and programs, and how many events were heard."""
    folder.mkdir()
    (folder / "spe.yaml").write_text(
        f"name: t\ncommand: /bin/true\nparameters: {{repeat: {count}}}\nhosts: [localhost slots={SLOTS}]\nnice: 0\n"
    )
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        [sys.executable, "-m", "spe", "run", "-q"], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    heard = [0]
    looks = []
    if looked_at:
        page = _page(folder / "runs" / "t" / "master.json", process)
        looks = [threading.Thread(target=_listen, args=(page, heard)), threading.Thread(target=_look, args=(page,))]
        for one in looks:
            one.start()
    code = process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    took = Cost(time.perf_counter() - begun, used)
    for one in looks:
        one.join()
    if code:
        raise SystemExit(f"the run ended with {code}")
    return took, heard[0]


def _page(facts: Path, process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Address and token."""
    while not facts.exists():
        if process.poll() is not None:
            raise SystemExit("the run did not begin")
        time.sleep(0.005)
    parts = urlsplit(json.loads(facts.read_text())["page"])
    return parts.netloc, parts.query


def _listen(page: tuple[str, str], heard: list[int]) -> None:
    connection = http.client.HTTPConnection(page[0])
    try:
        connection.request("GET", f"/stream?{page[1]}")
        for line in connection.getresponse():
            heard[0] += line.startswith(b"event:")
    except (OSError, http.client.HTTPException):
        pass  # the run has ended


def _look(page: tuple[str, str]) -> None:
    try:
        while True:
            connection = http.client.HTTPConnection(page[0])
            connection.request("GET", f"/hosts?part=1&{page[1]}")
            connection.getresponse().read()
            connection.close()
            time.sleep(REFRESH)
    except (OSError, http.client.HTTPException):
        pass


if __name__ == "__main__":
    sys.exit(main())

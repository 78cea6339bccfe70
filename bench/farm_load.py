"""The load of a farm: processor time and memory of a real farm process while many jobs report each second over HTTPS.

    python bench/farm_load.py [JOBS] [SECONDS]

It runs as root: the farm and its two users are accounts of their own, as in tests/pool/service. Each job has 100,000
sets, and half of the jobs want all slots, so that grants change. Printed are the farm's share of one core and its
memory (RSS), both from /proc.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from pool.service.people import ADA, BEN, Town, town
from spe.pool.joining.answering import ask_gate
from spe.pool.joining.cards import find_card

SETS = 100_000
TICKS = os.sysconf("SC_CLK_TCK")


def main(jobs: int = 20, seconds: int = 60) -> None:
    with town() as place:
        farm = place.farm(64)
        users = {who: [submit(place, who, number) for number in range(jobs // 2)] for who in (ADA, BEN)}
        cards = {who: card(place, who) for who in users}
        serial, begun = 0, 0.0
        end = time.monotonic() + seconds + 5
        while time.monotonic() < end:
            turn = time.monotonic()
            serial += 1
            if serial == 5:  # what a start takes is over
                begun, used = time.monotonic(), processor(farm.pid)
            for who, numbers in users.items():
                turn_of(cards[who], numbers, serial)
            time.sleep(max(0.0, turn + 1.0 - time.monotonic()))
        took = time.monotonic() - begun
        share = (processor(farm.pid) - used) / took
        print(f"{jobs} jobs, {serial} reports of each: {100 * share:.1f} % of a core, {memory(farm.pid):.0f} MB")


def submit(place: Town, who: str, number: int) -> int:
    place_of = place.sweep(who, f"{who}{number}", "true", 1)
    return place.submit(who, place_of)


def card(place: Town, who: str) -> object:
    """The card of a user, with the token of the farm."""
    os.environ |= {"HOME": str(place.root / f"home-{who}")}
    return find_card("localhost")


def turn_of(card: object, numbers: list[int], serial: int) -> None:
    """Do what a delegate does once a second, for jobs that apply each grant at once."""

    def ask(method: str, path: str, body: object = None) -> dict[str, dict[str, dict[str, object]]]:
        return ask_gate(card.urls, card.fingerprint, card.token, method, path, body)  # type: ignore[attr-defined,no-any-return]

    reports = {}
    for number, grant in ask("GET", "/grants")["jobs"].items():
        tasks = grant["tasks"]
        about = {"epoch": grant["epoch"], "number": grant["number"], "allowed": tasks, "out": tasks, "running": tasks}
        wants = 64 if int(number) % 2 else 1 + serial % 3
        counts = {"sets": SETS, "done": serial * 10, "failed": 0, "wants": wants, "up": ["localhost"]}
        reports[number] = {"serial": [1, serial], **about, **counts}
    if reports:
        ask("POST", "/report", json.loads(json.dumps({"jobs": reports})))


def processor(process: int) -> float:
    """Return the seconds of processor time that a process has used."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def memory(process: int) -> float:
    """Return the MB that a process has in memory."""
    line = next(one for one in Path(f"/proc/{process}/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))

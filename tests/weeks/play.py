"""Weeks by hand: `python tests/weeks/play.py SEED [COUNT]`, `--shrink` to find the acts that matter.

python tests/weeks/play.py 17 --shrink
python tests/weeks/play.py 17 --acts 'run:plainly:5 data:3 run:plainly:7'
python tests/weeks/play.py 1 20 --without rename_folder,results
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from weeks.model import Broken
from weeks.week import ALL, Act, Week, week


def played(seed: int, acts: Sequence[Act], without: frozenset[str]) -> str:
    """What was broken; "": nothing."""
    root = Path(tempfile.mkdtemp(prefix="week", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    made = Week(root, seed, without)
    try:
        made.play(acts)
    except Broken as fault:
        return str(fault)
    finally:
        made.project.close()
        shutil.rmtree(root, ignore_errors=True)
    return ""


def shrunk(seed: int, acts: list[Act], without: frozenset[str], limit: float) -> tuple[list[Act], str]:
    """Without what does not matter: as few acts as still break something."""
    fault = played(seed, acts, without)
    end, at = time.monotonic() + limit, len(acts) - 1
    while at >= 0 and time.monotonic() < end:
        fewer = acts[:at] + acts[at + 1 :]
        if found := played(seed, fewer, without):
            acts, fault = fewer, found
        at = min(at, len(acts)) - 1
    return acts, fault


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int, nargs="?", default=1)
    parser.add_argument("--without", default="", help=f"acts that are not done: {', '.join(ALL)}")
    parser.add_argument("--acts", default="", help="these, as the story of a week names them")
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--limit", type=float, default=120, help="seconds of shrinking")
    given = parser.parse_args()
    without = frozenset(filter(None, given.without.split(",")))
    broken = 0
    for seed in range(given.seed, given.seed + given.count):
        acts = [Act.read(one) for one in given.acts.split()] or week(seed, without)
        begun = time.monotonic()
        fault = played(seed, acts, without)
        print(f"{seed}: {time.monotonic() - begun:.1f} s, {'BROKEN' if fault else 'well'}", flush=True)
        if fault and given.shrink:
            acts, fault = shrunk(seed, acts, without, given.limit)
        if fault:
            broken += 1
            print(f"{fault}\n--acts '{' '.join(map(str, acts))}'\n", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

"""What it costs to ask ssh what the configuration means: forty hosts at once, with an ssh program and without one.

    python bench/ssh_config.py [HOSTS] [ROUNDS]

Each host and a jump host that all share are looked up in threads, as a run does. The configuration has a block for each
host, a Match line that runs no command, and one for all. Nothing is connected to.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def look_up(path: Path, count: int) -> tuple[float, float]:
    """Seconds of wall and of processor time, this process and its children."""
    from spe.launch.ssh.config.lookup import SshConfig
    from spe.model import Host

    config = SshConfig(path)

    def one(number: int) -> None:
        target = config.target(Host(f"lab{number:02d}"))
        assert target.port == 2000 + number
        config.jumps(target)

    used, begun = processor_time(), time.monotonic()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(one, range(count)))
    return time.monotonic() - begun, processor_time() - used


def processor_time() -> float:
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def main(count: int = 40, rounds: int = 7) -> None:
    blocks = "".join(f"Host lab{n:02d}\n  HostName 192.0.2.{n}\n  Port {2000 + n}\n" for n in range(count))
    text = f"{blocks}Match final originalhost lab*\n  User me\nHost lab*\n  ProxyJump gate\n"
    path, found = os.environ["PATH"], dict[str, list[tuple[float, float]]]()
    with tempfile.TemporaryDirectory(prefix="spe-bench-") as name:
        config = Path(name) / "config"
        config.write_text(text, encoding="utf-8")
        for _ in range(rounds):
            for label, programs in (("asked of ssh", path), ("read here", name)):
                os.environ["PATH"] = programs
                found.setdefault(label, []).append(look_up(config, count))
    print(f"{count} hosts and their jump host, seconds (median of {rounds})")
    for label, each in found.items():
        wall, used = (statistics.median(times) for times in zip(*each, strict=True))
        print(f"{label:13} wall {wall:5.2f}, processor {used:5.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))

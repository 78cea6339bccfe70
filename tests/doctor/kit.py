"""Hosts with a fault planted in each, and `spe doctor` as a user starts it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import USER, LabHost

HOME = f"/home/{USER}"


@dataclass(frozen=True)
class Outcome:
    """What one `spe doctor` printed."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def record(self) -> dict[str, Any]:
        return dict(json.loads(self.out))

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        return {str(host["host"]): host for host in self.record["hosts"]}


def spe(*words: str, cwd: Path, limit: float = 180) -> Outcome:
    """A command of spe, from start to end."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "spe", *words]
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, timeout=limit, env=os.environ.copy())
    return Outcome(done.returncode, done.stdout, done.stderr, time.monotonic() - begun)


def free_port() -> int:
    with socket.create_server(("", 0)) as sock:
        return int(sock.getsockname()[1])


def write_sweep(folder: Path, port: int = 0, hosts: str = "") -> None:
    """A sweep with a worker for x86_64 alone."""
    (folder / "work").write_text("#!/bin/sh\necho 1\n")
    (folder / "work").chmod(0o755)
    (folder / "hosts.txt").write_text(hosts)
    text = f"command: ./{{{{ worker }}}}\nname: d\nlisten: {port}\nworker: {{name: work, linux-x86_64: work}}\n"
    text += "parameters: {repeat: 10}\n" + ("hosts: hosts.txt\n" if hosts else "")
    (folder / "spe.yaml").write_text(text)


def calm(host: LabHost, load: str = "0.00") -> None:
    """The load that this host has by its own account: it would show that of all tests here otherwise."""
    host._dirty = True
    host.root("sh", "-c", f"echo '{load} 0.00 0.00 1/1 1' >/tmp/.load; mount --bind /tmp/.load /proc/loadavg")


def program(host: LabHost, name: str, text: str) -> None:
    """A program of that name, first in the PATH of a host booted with Boot(path=PATH)."""
    host.shell(f"mkdir -p bin; printf '%s\\n' '#!/bin/sh' '{text}' >bin/{name}; chmod 755 bin/{name}")


PATH = f"{HOME}/bin:/usr/local/bin:/usr/bin:/bin"


def mounted(host: LabHost, place: str, options: str) -> None:
    """A file system of its own at this place; it goes with the next boot."""
    host._dirty = True
    host.root("sh", "-c", f"mkdir -p {place}; mount -t tmpfs -o {options} none {place}")

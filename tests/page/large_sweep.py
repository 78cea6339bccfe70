"""A sweep of 100,000 sets on eight hosts, of which as many end as the gate lets through; and a wire that can be cut."""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

THERE = "/mnt/gate"  # where hosts of the lab see the folder with the gate
SETS = 100_000
WORKER = """#!/bin/sh
while read -r limit < "$GATE"; [ "$1" -gt "$limit" ]; do sleep 0.2; done
sleep 0.0$(($1 % 9))
[ $(($1 % 20)) != 7 ] || { echo "no <b>licence</b> for set $1" >&2; exit 3; }
echo "energy = $((($1 % 1000 - 500) * ($1 % 1000 - 500) / 2500 + $1 * 7919 % 17)).5"
"""


def energy(x: int) -> float:
    """What the worker computes."""
    return (x % 1000 - 500) ** 2 // 2500 + x * 7919 % 17 + 0.5


@dataclass
class LargeSweep:
    """The sweep that runs."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def facts(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "runs" / "sweep" / "master.json").read_text(encoding="utf-8")))

    @property
    def acting(self) -> str:
        """The token for acting."""
        path = self.folder / "runs" / "sweep" / "session" / "secrets.json"
        return str(json.loads(path.read_text(encoding="utf-8"))["act"])

    def url(self, path: str = "", acting: bool = False, **query: str) -> str:
        """The address of a page."""
        base, _, token = str(self.facts["page"]).partition("/?token=")
        words = "".join(f"&{name}={value}" for name, value in query.items())
        return f"{base}/{path}?token={self.acting if acting else token}{words}"

    def open_gate(self, limit: int) -> None:
        """Sets up to this one may end."""
        new = self.folder / "gate" / "new"
        new.write_text(f"{limit}\n", encoding="utf-8")
        new.chmod(0o644)
        new.replace(self.folder / "gate" / "limit")


class Wire:
    """A connection to the master's page that can be cut and mended."""

    def __init__(self, page: str) -> None:
        parts = urlsplit(page)
        self._to = (str(parts.hostname), int(parts.port or 80))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.whole = True
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/?{parts.query}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """All connections break, and no new one comes about."""
        self.whole = False
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def mend(self) -> None:
        self.whole = True

    def close(self) -> None:
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if not self.whole:
                    near.close()
                    continue
                far = socket.create_connection(self._to)
                self._ends += [near, far]
                threading.Thread(target=_carry, args=(near, far), daemon=True).start()


def _carry(near: socket.socket, far: socket.socket) -> None:
    with selectors.DefaultSelector() as ready, near, far, contextlib.suppress(OSError):
        ready.register(near, selectors.EVENT_READ, far)
        ready.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in ready.select():
                data = near.recv(65536) if key.fileobj is near else far.recv(65536)
                if not data:
                    return
                key.data.sendall(data)

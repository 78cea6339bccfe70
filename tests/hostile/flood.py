"""Asks a master for tasks with wrong session IDs, so many times a second, until it is killed; prints how many it sent.

python flood.py HOST PORT RATE
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from doors import clients_routes

CONNECTIONS, A_CONNECTION = 20, 10  # side by side; batches before one is made anew
PATHS = (*clients_routes(), "/nothing")
UNDER_WAY = CONNECTIONS * len(PATHS)  # requests that are not answered when the master ends in the midst of it


def wrong(path: str) -> str:
    """A request with a session ID that looks like one."""
    return f"GET {path}?sessionID={secrets.token_urlsafe(24)} HTTP/1.1\r\nHost: m\r\n\r\n"


class Flood:
    """Keeps to its rate: what it could not send in time it sends later."""

    def __init__(self, host: str, port: int, rate: float) -> None:
        self.host, self.port, self.rate = host, port, rate
        self.begun, self.sent, self.refused = time.monotonic(), 0, 0

    async def run(self) -> None:
        await asyncio.gather(*(self._again_and_again() for _ in range(CONNECTIONS)))

    async def _again_and_again(self) -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._connection()

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            for _ in range(A_CONNECTION):
                while self.sent >= self.rate * (time.monotonic() - self.begun):
                    await asyncio.sleep(0.005)
                self.sent += len(PATHS)
                writer.write("".join(map(wrong, PATHS)).encode())
                for _ in PATHS:
                    answer = await reader.readuntil(b"wrong session ID\n")
                    self.refused += answer.startswith(b"HTTP/1.1 403 ")
        finally:
            writer.close()


async def main() -> None:
    flood = Flood(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    running = asyncio.ensure_future(flood.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running
    seconds = time.monotonic() - flood.begun
    print(flood.sent, flood.refused, f"{flood.sent / seconds:.0f}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())

"""A door that is open for a moment, where the master would listen: who connects is told a nonce, nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket


class Door:
    """`bind` None: all addresses. A port that is taken (a sweep runs) is replaced by a free one; `port` says which."""

    def __init__(self, bind: str | None, port: int) -> None:
        self.nonce, self.port, self.taken = secrets.token_hex(8), port, False
        self._bind = bind
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Door:
        try:
            sock = _listening(self._bind, self.port)
        except OSError:
            self.taken = self.port != 0
            sock = _listening(self._bind, 0)
        self.port = int(sock.getsockname()[1])
        self._server = await asyncio.start_server(self._answer, sock=sock)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(f"{self.nonce}\n".encode())
            await writer.drain()
        writer.close()


def _listening(bind: str | None, port: int) -> socket.socket:
    if bind is not None:
        family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        return socket.create_server((bind, port), family=family, backlog=512)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
    return socket.create_server(("", port), backlog=512)

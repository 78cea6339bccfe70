"""A server for the moment of the look, at the port where the master would listen.

It answers each connection with a nonce and nothing else: so a host that reads the nonce has reached
this machine, and not a proxy or somebody else's program.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket

BACKLOG = 512  # all hosts may connect in the same second


class NonceServer:
    """A listening server that lives as long as its `async with`.

    `bind` None listens on all addresses. A port that is in use (a sweep runs) is replaced by a free
    one: `port` says which, and `taken` is True then.
    """

    def __init__(self, bind: str | None, port: int) -> None:
        self.nonce = secrets.token_hex(8)
        self.port = port
        self.taken = False
        self._bind = bind
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> NonceServer:
        try:
            sock = _listening_socket(self._bind, self.port)
        except OSError:
            # Another port instead of an error: all the other findings are still worth having.
            self.taken = self.port != 0
            sock = _listening_socket(self._bind, 0)
        self.port = int(sock.getsockname()[1])
        self._server = await asyncio.start_server(self._answer, sock=sock)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # the host went away: it reports that itself
            writer.write(f"{self.nonce}\n".encode())
            await writer.drain()
        writer.close()


def _listening_socket(bind: str | None, port: int) -> socket.socket:
    if bind is not None:
        family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        return socket.create_server((bind, port), family=family, backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG
        )
    return socket.create_server(("", port), backlog=BACKLOG)

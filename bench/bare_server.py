"""A bare aiohttp server to measure against: what answering costs when nothing is decided, kept or looked up.

    python bench/bare_server.py FOLDER

Prints its port. POST /upload goes to a file in FOLDER as it comes and is synced; GET /file?path=P is that file; every
other request is read and answered with one line.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from aiohttp import web


class Bare:
    """The handlers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def upload(self, request: web.Request) -> web.Response:
        """To disk, without looking at it."""
        with (self.folder / "upload").open("wb", buffering=0) as file:
            async for chunk in request.content.iter_any():
                file.write(chunk)
            os.fsync(file.fileno())
        return web.Response(text="accepted\n")

    async def file(self, request: web.Request) -> web.FileResponse:
        """As aiohttp sends files."""
        return web.FileResponse(request.query["path"], chunk_size=1024 * 1024)

    async def any(self, request: web.Request) -> web.Response:
        """The body, if there is one, and a line."""
        await request.read()
        return web.Response(text="accepted\n")


def main(folder: str) -> None:
    bare = Bare(Path(folder))
    app = web.Application(client_max_size=2**62)
    app.router.add_post("/upload", bare.upload)
    app.router.add_get("/file", bare.file)
    app.router.add_route("*", "/{rest:.*}", bare.any)
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    print(sock.getsockname()[1], flush=True)
    web.run_app(app, sock=sock, print=None, access_log=None)


if __name__ == "__main__":
    main(sys.argv[1])

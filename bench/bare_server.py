"""A bare aiohttp server to measure against: what answering costs when nothing is decided, kept or looked up.

    python bench/bare_server.py FOLDER [batch] [idle]

Prints its port. POST /upload goes to a file in FOLDER as it comes and is synced; GET /file?path=P is that file; every
other request is read and answered with one line. For the simulator of clients it has canned answers to what they ask:
with `batch` it offers POST /results, with `idle` it has no task.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

from aiohttp import web


class Bare:
    """The handlers."""

    def __init__(self, folder: Path, words: list[str]) -> None:
        self.folder, self.batch, self.idle = folder, "batch" in words, "idle" in words

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

    async def config(self, request: web.Request) -> web.Response:
        """A client's configuration, as far as the simulator reads it."""
        return web.Response(text="Ping=30\nClient=c\n" + "Batch=1\n" * self.batch)

    async def task(self, request: web.Request) -> web.Response:
        """As many records as are asked for, all alike."""
        if self.idle:
            await asyncio.sleep(float(request.query["wait"]))
            return web.Response(status=503, text="no task now\n")
        record = "Ticket=1\nTimeout=0\nCommandLine=/bin/true 1\nTask=1\n[Result]\nName=stdout\nFile=stdout\n"
        return web.Response(text="\n".join([record] * int(request.query["count"])))

    async def ping(self, request: web.Request) -> web.Response:
        """Held."""
        await asyncio.sleep(float(request.query.get("wait", "0")))
        return web.Response(status=204)

    async def results(self, request: web.Request) -> web.Response:
        """A line each."""
        await request.read()
        return web.Response(text="1 accepted\n" * int(request.query["n"]))

    async def any(self, request: web.Request) -> web.Response:
        """The body, if there is one, and a line."""
        await request.read()
        return web.Response(text="accepted\n")


def main(folder: str, *words: str) -> None:
    bare = Bare(Path(folder), list(words))
    app = web.Application(client_max_size=2**62)
    app.router.add_post("/upload", bare.upload)
    app.router.add_get("/file", bare.file)
    for path, handler in (("/config", bare.config), ("/task", bare.task), ("/ping", bare.ping)):
        app.router.add_get(path, handler)
    app.router.add_post("/results", bare.results)
    app.router.add_route("*", "/{rest:.*}", bare.any)
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    print(sock.getsockname()[1], flush=True)
    web.run_app(app, sock=sock, print=None, access_log=None, backlog=1024)


if __name__ == "__main__":
    main(*sys.argv[1:])

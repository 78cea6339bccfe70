"""Serves files to clients: the worker, the client itself, large inputs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from ..errors import SpeError
from ..model import Archive, Worker
from ..software.software import Software
from ..sweep.checks.platforms import foreign
from . import query
from .large_inputs import LargeInputs
from .server import short_answer

CHUNK = 1 << 20  # bytes of a large file that are read at once


class Files:
    """The files that the clients of one session may fetch."""

    def __init__(
        self,
        worker: Worker | None,
        pack_client: Callable[[], bytes],
        inputs: LargeInputs,
        software: Software,
    ) -> None:
        self._worker = worker
        self._pack_client = pack_client
        self._inputs = inputs
        self._software = software

    def has_worker(self, name: str) -> bool:
        """Tell whether this is the name of the sweep's worker."""
        return self._worker is not None and name == self._worker.name

    async def worker(self, request: web.Request) -> web.StreamResponse:
        """Answer the worker for a platform."""
        platform = query.short_text(request, "platform")
        if self._worker is None or not self.has_worker(request.query.get("name", "")):
            return short_answer(403, "wrong worker name")
        file = self._worker.for_platform(platform)
        if file is None:
            there = ", ".join(sorted(self._worker.files))
            asked = platform or "(none given)"
            return short_answer(415, f"no worker for platform {asked}; there are: {there}")
        if other := foreign(self._worker, platform):
            hint = f"; `worker: {{{platform}: FILE}}` names one for it"
            return short_answer(
                415, f"no worker for platform {platform}: {self._worker.name} is for {other}{hint}"
            )
        headers = {"Content-Type": "application/octet-stream", "ETag": f'"{file.sha256}"'}
        # Without TLS the kernel sends it by itself (sendfile).
        return web.FileResponse(file.path, headers=headers, chunk_size=1024 * 1024)

    async def client(self, request: web.Request) -> web.Response:
        """Answer the client program."""
        return web.Response(body=self._pack_client(), content_type="application/octet-stream")

    async def input(self, request: web.Request) -> web.StreamResponse:
        """Answer the input file with this SHA-256, or the file of a build."""
        sha256 = query.short_text(request, "sha256").lower()
        path = self._software.file(sha256)
        if path:
            return await _streamed(request, path)
        item = await self._inputs.find(sha256)
        if item is None:
            return short_answer(404, "no input file with this SHA-256")
        if item.archive:
            return await self._archive(request, item.archive)
        if item.file:
            return await _streamed(request, item.file)
        return web.Response(body=item.content)

    async def _archive(self, request: web.Request, archive: Archive) -> web.StreamResponse:
        """Answer an archive, which is written for the first client that asks."""
        try:
            # Gigabytes may go to the disk.
            path = await asyncio.to_thread(archive.written)
        except SpeError as error:
            return short_answer(404, error.line)
        return await _streamed(request, path)


async def _streamed(request: web.Request, path: Path) -> web.StreamResponse:
    """Send a file as it is.

    Not a FileResponse: that sends `NAME.gz`, a file of the user's beside it, as the same content.
    """
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    try:
        file = path.open("rb")
    except OSError as error:
        return short_answer(404, f"the input file can't be read: {error.strerror}")
    with file:
        response.content_length = os.fstat(file.fileno()).st_size
        await response.prepare(request)
        while request.method != "HEAD" and (chunk := await asyncio.to_thread(file.read, CHUNK)):
            await response.write(chunk)
    await response.write_eof()
    return response

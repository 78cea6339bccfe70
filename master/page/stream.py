"""The stream: how a sweep stands, first all of it, then what changes, as Server-Sent Events; for the page and programs.

The document is drawn only while somebody listens, once for all of them, at most four times a second, and less often
when drawing takes long: looking must not slow the sweep. docs/page.md describes what is sent.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from ..desk.events import Events
from ..state.patch import diff

PAUSE = 0.25  # seconds between two changes
SHARE = 50  # the pause is at least so many times what drawing took
BACKLOG = 64  # frames that a slow listener may lack; then it gets all anew
ALIVE = 15.0  # seconds after which a comment is sent, so that a connection that is gone is noticed
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def frame(event: str, data: Any, serial: int = 0) -> bytes:
    """One event as it goes over the wire."""
    head = f"id: {serial}\n" if serial else ""
    return f"{head}event: {event}\ndata: {_encoded(data)}\n\n".encode()


class Listener:
    """One connection, and what is still to be sent over it."""

    def __init__(self, noted: int) -> None:
        self.noted = noted  # the last note that was sent
        self.behind = True  # it is to get the whole document first, as that is when it can take it
        self.frames: list[bytes] = []
        self.ended = False
        self.woken = asyncio.Event()

    def add(self, frames: bytes) -> None:
        """Something for it; when it has taken nothing for long, that is forgotten, and it begins anew."""
        if len(self.frames) >= BACKLOG:
            self.frames.clear()
            self.behind = True
        if not self.behind:
            self.frames.append(frames)
        self.woken.set()


class Stream:
    """All who listen to one sweep."""

    def __init__(self, draw: Callable[[], dict[str, Any]], events: Events) -> None:
        self._draw, self._events = draw, events
        self._document: dict[str, Any] = {}
        self._told = 0  # the last note that went to all
        self._listeners: set[Listener] = set()
        self._drawing: asyncio.Task[None] | None = None

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """GET /stream."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        listener = self._join(_last(request))
        try:
            while not (listener.ended and not listener.frames and not listener.behind):
                await response.write(await self._next(listener))
        except ConnectionError:
            pass  # it is gone
        finally:
            self._leave(listener)
        return response

    def _join(self, last: int) -> Listener:
        if not self._drawing:
            self._document, self._told = self._draw(), self._events.last
            self._drawing = asyncio.create_task(self._go_on())
        listener = Listener(last if last <= self._events.last else 0)
        self._listeners.add(listener)
        return listener

    def _leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        if not self._listeners and self._drawing:
            self._drawing.cancel()
            self._drawing = None

    async def _next(self, listener: Listener) -> bytes:
        """All that is there for it, or a sign of life."""
        if not listener.behind and not listener.frames:
            listener.woken.clear()
            try:
                await asyncio.wait_for(listener.woken.wait(), ALIVE)
            except TimeoutError:
                return b": still here\n\n"
        if listener.behind:
            listener.behind = False
            notes = [one for one in self._events.since(listener.noted) if one[0] <= self._told]
            listener.frames = [frame("state", self._document), *(frame("note", n, serial) for serial, n in notes)]
        listener.noted = self._told
        sent, listener.frames = listener.frames, []
        return b"".join(sent)

    async def _go_on(self) -> None:
        pause = PAUSE
        while True:
            await asyncio.sleep(pause)
            begun = time.perf_counter()
            self._tell()
            pause = max(PAUSE, SHARE * (time.perf_counter() - begun))

    def _tell(self) -> None:
        """What has changed, to all."""
        new = self._draw()
        patch = diff(self._document, new)
        self._document = new
        frames = [frame("change", patch)] if patch else []
        frames += [frame("note", note, serial) for serial, note in self._events.since(self._told)]
        self._told = self._events.last
        if frames:
            for listener in self._listeners:
                listener.add(b"".join(frames))

    def close(self) -> None:
        """The run ends: a last word to all, and their connections end."""
        if self._listeners:
            self._tell()
        for listener in self._listeners:
            listener.ended = True
            listener.woken.set()


def _last(request: web.Request) -> int:
    """The last note that a listener who comes back has: browsers say it by themselves."""
    given = request.headers.get("Last-Event-ID", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else 0

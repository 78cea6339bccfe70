"""Streams the state of a sweep as Server-Sent Events: first the whole document, then what changes.

The page and programs read it; docs/page.md describes what is sent. The document is drawn only while
somebody listens, once for all listeners, at most four times a second, and less often when drawing
takes long: looking must not slow the sweep.
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
SHARE = 50  # the pause is at least this many times the time that drawing took: 2 % of a core
MOST_PAUSE = 5.0  # seconds between two changes at most: who looks acts on what is shown
BACKLOG = 64  # frames that may wait for a slow listener; then it gets the whole document again
ALIVE = 15.0  # seconds after which a comment is sent, which finds connections that are gone
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def frame(event: str, data: Any, serial: int = 0) -> bytes:
    """Return one event as it is sent."""
    text = f"event: {event}\ndata: {_encoded(data)}\n\n"
    if serial:
        text = f"id: {serial}\n{text}"
    return text.encode()


class Listener:
    """A connection of somebody who listens, and the frames that wait for it."""

    def __init__(self, noted: int) -> None:
        self.noted = noted  # the last note that was sent
        self.behind = True  # the follower gets the whole document next
        self.frames: list[bytes] = []
        self.ended = False
        self.woken = asyncio.Event()

    def has_all(self) -> bool:
        """Tell whether the stream has ended and nothing is left to be sent."""
        return self.ended and not self.frames and not self.behind

    def add(self, frames: bytes) -> None:
        """Append frames. A listener that took none for long loses them, and gets the whole document
        again.
        """
        # A listener that reads nothing must not fill the memory.
        if len(self.frames) >= BACKLOG:
            self.frames.clear()
            self.behind = True
        if not self.behind:
            self.frames.append(frames)
        self.woken.set()


class Stream:
    """The stream of one sweep, with all who listen."""

    def __init__(self, draw: Callable[[], dict[str, Any]], events: Events) -> None:
        self._draw = draw
        self._events = events
        self._document: dict[str, Any] = {}
        self._told = 0  # the last note that went to all
        self._listeners: set[Listener] = set()
        self._drawing: asyncio.Task[None] | None = None

    @property
    def listeners(self) -> int:
        """Return how many listen."""
        return len(self._listeners)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve `GET /stream` until the run ends or the listener leaves."""
        headers = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        listener = self._join(_last(request))
        try:
            while not listener.has_all():
                await response.write(await self._next(listener))
        except ConnectionError:
            pass  # the listener has left
        finally:
            self._leave(listener)
        return response

    def _join(self, last: int) -> Listener:
        """Add a listener that has the notes up to `last`; begin to draw for the first one."""
        if not self._drawing:
            self._document = self._draw()
            self._told = self._events.last
            self._drawing = asyncio.create_task(self._go_on())
        if last > self._events.last:
            last = 0  # the number is of an earlier run, whose notes were counted apart
        listener = Listener(last)
        self._listeners.add(listener)
        return listener

    def _leave(self, listener: Listener) -> None:
        """Remove a listener; stop drawing after the last one."""
        self._listeners.discard(listener)
        if not self._listeners and self._drawing:
            self._drawing.cancel()
            self._drawing = None

    async def _next(self, listener: Listener) -> bytes:
        """Return all frames that wait for a listener, or a sign of life when there is none for
        long.
        """
        if not listener.behind and not listener.frames:
            listener.woken.clear()
            try:
                await asyncio.wait_for(listener.woken.wait(), ALIVE)
            except TimeoutError:
                return b": still here\n\n"
        if listener.behind:
            listener.behind = False
            notes = [one for one in self._events.since(listener.noted) if one[0] <= self._told]
            listener.frames = [frame("state", self._document)]
            listener.frames += [frame("note", note, serial) for serial, note in notes]
        listener.noted = self._told
        sent = b"".join(listener.frames)
        listener.frames = []
        return sent

    async def _go_on(self) -> None:
        """Tell the changes again and again, with a pause that leaves the processor to the sweep."""
        pause = PAUSE
        while True:
            await asyncio.sleep(pause)
            # What this thread computed, not how long it took: on a machine that does much else, a
            # drawing of a second of waiting would be followed by a minute without any change.
            begun = time.thread_time()
            self._tell()
            pause = pause_after(time.thread_time() - begun)

    def _tell(self) -> None:
        """Send what has changed to all listeners."""
        new = self._draw()
        patch = diff(self._document, new)
        self._document = new
        frames: list[bytes] = []
        if patch:
            frames.append(frame("change", patch))
        frames += [frame("note", note, serial) for serial, note in self._events.since(self._told)]
        self._told = self._events.last
        if frames:
            for listener in self._listeners:
                listener.add(b"".join(frames))

    def close(self) -> None:
        """Send the last changes, and end all connections: the run ends."""
        if self._listeners:
            self._tell()
        for listener in self._listeners:
            listener.ended = True
            listener.woken.set()


def pause_after(took: float) -> float:
    """Return the seconds until the next drawing, after one that took so many seconds of processor
    time: a large sweep is drawn less often.
    """
    return min(MOST_PAUSE, max(PAUSE, SHARE * took))


def _last(request: web.Request) -> int:
    """Return the number of the last note that a returning listener has.

    Browsers send it by themselves.
    """
    given = request.headers.get("Last-Event-ID", "")
    if given.isascii() and given.isdigit() and len(given) < 16:
        return int(given)
    return 0

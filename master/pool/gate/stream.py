"""The stream of changes, as server-sent events: the whole list, then what changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from ...wire.server import watched
from .heart import Json

ALIVE = 15.0  # seconds between two signs of life, by which each end learns that the other is gone
SLOW = 30.0  # seconds for which a reader may leave what is sent unread
EVENTS = ("list", "change")


async def send_stream(
    request: web.Request, events: AsyncIterator[tuple[str, Json]], is_welcome: Callable[[], bool]
) -> web.StreamResponse:
    """Answer with these events until they end, or the reader leaves or stops reading.

    is_welcome: false once the reader's token has been ended.
    """
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    following = asyncio.ensure_future(anext(events, None))
    gone = asyncio.Event()
    leaving = asyncio.ensure_future(gone.wait())
    try:
        with watched(request, gone.set):
            while True:
                await asyncio.wait(
                    {following, leaving}, timeout=ALIVE, return_when=asyncio.FIRST_COMPLETED
                )
                if gone.is_set() or not is_welcome():
                    break
                frame = b": alive\n\n"
                if following.done():
                    event = following.result()
                    if event is None:
                        break
                    frame = _frame(*event)
                    following = asyncio.ensure_future(anext(events, None))
                async with asyncio.timeout(SLOW):
                    await response.write(frame)
    except (ConnectionError, TimeoutError):
        request.protocol.force_close()
    finally:
        following.cancel()
        leaving.cancel()
        await asyncio.gather(following, leaving, return_exceptions=True)
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
    return response


def _frame(event: str, data: Json) -> bytes:
    assert event in EVENTS
    # json.dumps writes no newline, so that no text of a user can end the event.
    return f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()

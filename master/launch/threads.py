"""Blocking work beside the event loop, a thread for each piece.

Not asyncio's own pool: that one has few threads, which hung hosts would fill, and waits for them at the end.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
log = logging.getLogger("spe.launch")


async def in_thread(function: Callable[[], T], name: str) -> T:
    """The function's result. Cancelling leaves the thread alone: whoever cancels also closes what it waits for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if future.done():
            log.debug("%s ended after it was given up: %s", name, error)
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

    def body() -> None:
        result, fault = None, None
        try:
            result = function()
        except BaseException as error:
            fault = error
        try:
            loop.call_soon_threadsafe(tell, result, fault)
        except RuntimeError:
            log.debug("%s ended after the event loop: %s", name, fault)

    threading.Thread(target=body, name=name, daemon=True).start()
    return await future

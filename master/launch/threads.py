"""Blocking work beside the event loop, a thread for each piece.

Why not asyncio's own pool: it has few threads, which hung hosts would fill, and it waits for all of
them at the end.
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
    """Return the function's result, or raise its error.

    Cancelling does not end the thread: the canceller also closes the connection that it waits for.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    # A daemon: a thread that hangs in the system must not keep the process from ending.
    threading.Thread(
        target=_run, args=(function, name, loop, future), name=name, daemon=True
    ).start()
    return await future


def _run(
    function: Callable[[], T],
    name: str,
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[T],
) -> None:
    result, fault = None, None
    try:
        result = function()
    except BaseException as error:  # also SystemExit: whoever awaits must not wait for ever
        fault = error
    try:
        loop.call_soon_threadsafe(_finish, future, name, result, fault)
    except RuntimeError:  # the loop is closed
        log.debug("%s ended after the event loop: %s", name, fault)


def _finish(
    future: asyncio.Future[T],
    name: str,
    result: T | None,
    fault: BaseException | None,
) -> None:
    if future.done():
        log.debug("%s ended after it was cancelled: %s", name, fault)
    elif fault is not None:
        future.set_exception(fault)
    else:
        future.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

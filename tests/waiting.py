"""Waiting for a condition: the one way for all tests and their kits.

The limits only end tests that hang. They are long, because the machine may be busy with other tests: a limit is no
statement about how fast spe is.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
LIMIT = 60.0  # seconds
BACK = 3 * LIMIT  # seconds in which a host that was lost is surely back: pauses between its starts grow to a minute
LOOK = 0.02  # seconds between two looks


def wait_until(
    condition: Callable[[], T], what: str, seconds: float = LIMIT, story: Callable[[], object] | None = None
) -> T:
    """Return the first true value of `condition`.

    Fails after so many seconds, and says what was waited for, the last value seen, and the story.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, _in_vain(what, seconds, found, story)
        time.sleep(LOOK)
    return found


async def wait_in_loop(condition: Callable[[], T], what: str, seconds: float = LIMIT) -> T:
    """Return the first true value of `condition`, while the event loop works on. Fails as `wait_until` does."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, _in_vain(what, seconds, found, None)
        await asyncio.sleep(LOOK / 4)
    return found


def in_loop(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """Run an asynchronous test in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **named: Any) -> None:
        asyncio.run(test(*args, **named))

    return run


def wait_out(seconds: float, since: float | None = None) -> None:
    """Wait until so many seconds have passed, since now or since a monotonic time.

    Only for a test in which time itself is what happens: a lease runs out, somebody is silent.
    """
    began = time.monotonic() if since is None else since
    time.sleep(max(0.0, began + seconds - time.monotonic()))


def _in_vain(what: str, seconds: float, found: object, story: Callable[[], object] | None) -> str:
    told = f"\n{story()}" if story else ""
    return f"waited {seconds:g} s in vain: {what}; the last value seen is {found!r}{told}"

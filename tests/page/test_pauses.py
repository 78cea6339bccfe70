"""How often the document is drawn for those who look: a busy machine makes no page stand still."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from spe.desk.events import Events
from spe.page import stream
from spe.page.stream import MOST_PAUSE, PAUSE, SHARE, Stream, pause_after


def test_what_is_drawn_slowly_is_drawn_less_often_but_never_more_than_some_seconds_apart() -> None:
    assert pause_after(0.0) == PAUSE
    assert pause_after(0.02) == 0.02 * SHARE > PAUSE
    assert pause_after(60.0) == MOST_PAUSE


def test_a_drawing_that_only_had_to_wait_for_the_processor_is_followed_by_no_long_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    def draw() -> dict[str, Any]:
        end = time.monotonic() + 0.05  # 0.05 s in which this thread computes nothing
        while time.monotonic() < end:
            time.sleep(0.01)
        return {}

    monkeypatch.setattr(stream.asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Stream(draw, Events())._go_on())
    assert pauses == [PAUSE] * 3

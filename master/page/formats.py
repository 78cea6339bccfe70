"""Formats numbers, times and states for the page."""

from __future__ import annotations

import time

from ..text import said, seconds, volume

SIGNS = {
    # of tasks
    "waiting": "…",
    "running": "▶",
    "done": "✓",
    "failed": "✕",
    "cancelled": "–",
    # of tickets
    "issued": "▶",
    "checking": "▶",
    "accepted": "✓",
    "rejected": "✕",
    "lost": "?",
    "expired": "–",
}


def sign(state: str) -> str:
    """Return the mark of a state: colour must never be the only sign."""
    return SIGNS.get(state, "·")


def clock(moment: float | None) -> str:
    """Return a local time of day, with the date when it is another day's."""
    if not moment:
        return ""
    then = time.localtime(moment)
    layout = "%H:%M:%S"
    if then[:3] != time.localtime()[:3]:
        layout = "%Y-%m-%d %H:%M:%S"
    return time.strftime(layout, then)


def decoded(data: bytes) -> str:
    """Return what a program wrote, as text."""
    return data.decode("utf-8", "replace")


FILTERS = {
    "sign": sign,
    "clock": clock,
    "seconds": seconds,
    "volume": volume,
    "said": said,
    "decoded": decoded,
}

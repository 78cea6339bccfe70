"""How numbers and times look on the page."""

from __future__ import annotations

import time

from ..text import said, seconds, volume

SIGNS = {
    "waiting": "…", "running": "▶", "done": "✓", "failed": "✕", "cancelled": "–",
    "issued": "▶", "checking": "▶", "accepted": "✓", "rejected": "✕", "lost": "?", "expired": "–",
}  # fmt: skip


def sign(state: str) -> str:
    """A state's mark: colour is never the only sign."""
    return SIGNS.get(state, "·")


def clock(moment: float | None) -> str:
    """A local time of day, with the date when it is another day's."""
    if not moment:
        return ""
    then = time.localtime(moment)
    today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", then)


def decoded(data: bytes) -> str:
    """What a program wrote, as text."""
    return data.decode("utf-8", "replace")


FILTERS = {"sign": sign, "clock": clock, "seconds": seconds, "volume": volume, "said": said, "decoded": decoded}

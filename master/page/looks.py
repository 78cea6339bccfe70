"""How numbers and times look on the page."""

from __future__ import annotations

import time
from collections.abc import Mapping

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


def seconds(value: float | None) -> str:
    """As people say it: 0.25 s, 12 s, 3 min 5 s, 2 h 10 min."""
    if value is None:
        return ""
    if value < 10:
        return f"{value:.3g} s"
    whole = round(value)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def volume(size: float | None) -> str:
    """Bytes in powers of 1000."""
    if size is None:
        return ""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}" if unit != "bytes" else f"{int(size)} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def said(values: Mapping[str, str]) -> str:
    """A parameter set in one line."""
    return ", ".join(f"{name}={value}" for name, value in values.items())


def decoded(data: bytes) -> str:
    """What a program wrote, as text."""
    return data.decode("utf-8", "replace")


FILTERS = {"sign": sign, "clock": clock, "seconds": seconds, "volume": volume, "said": said, "decoded": decoded}

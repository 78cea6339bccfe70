"""Two figures beside each other: the same axes and colours, so that they can be compared at a glance."""

from __future__ import annotations

from dataclasses import replace

from .figure import Axis, Figure


def on_same_axes(one: Figure, other: Figure) -> tuple[Figure, Figure]:
    """Return both with axes that have room for both; axes of different texts stay as they are."""
    x, y = _joined(one.x, other.x), _joined(one.y, other.y)
    scale = None
    if one.shades and other.shades:
        scale = (min(one.shades[0], other.shades[0]), max(one.shades[1], other.shades[1]))
    made = [replace(this, x=x or this.x, y=y or this.y, scale=scale) for this in (one, other)]
    return made[0], made[1]


def _joined(one: Axis, other: Axis) -> Axis | None:
    if one.categories or other.categories:
        return None
    return replace(one, low=min(one.low, other.low), high=max(one.high, other.high))

"""`spe resume`."""

from __future__ import annotations

from .pause import made

command = made(
    "resume",
    """Go on with a paused sweep. With numbers: let the programs of these sets go on.

    \b
    Example: spe resume
    Example: spe resume 17 20-29
    """,
)

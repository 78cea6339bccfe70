"""A figure as PNG or PDF, by CairoSVG (the extra `image`), made of the SVG of svg.py.

So one drawing serves the page, the terminal's files and reports. matplotlib was the alternative: a second
drawing of each form, which would have to be kept equal to the first.
"""

from __future__ import annotations

from typing import Any

from ..errors import UsageError
from ..table.extras import library
from .figure import Figure
from .svg import svg

FINENESS = (
    2.0  # pixels of a PNG for each unit of the drawing: as fine as the PNG that the page saves
)
KINDS = ("png", "pdf")


def image(figure: Figure, kind: str) -> bytes:
    """Return a figure as the bytes of a file. `kind`: one of KINDS.

    Raises UsageError without CairoSVG, or without the system's cairo.
    """
    cairosvg = cairo_svg(kind)
    drawn = svg(figure, saved=True).encode()
    if kind == "png":
        return bytes(cairosvg.svg2png(bytestring=drawn, scale=FINENESS))
    return bytes(cairosvg.svg2pdf(bytestring=drawn))


def cairo_svg(kind: str) -> Any:
    """Return the library. Raises UsageError where it cannot be used."""
    wanted = f"a plot as .{kind}"
    try:
        return library("cairosvg", wanted)
    except OSError as error:
        # The package looks for the shared library when it is imported; pip does not install that one.
        todo = "Install libcairo2 (Debian, Ubuntu) or cairo (Fedora, Homebrew), or write .svg, which needs neither."
        raise UsageError(
            f"{wanted} needs the system's cairo library, which is not installed", todo=todo
        ) from error

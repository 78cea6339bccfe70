"""The plot of another run of the same folder, beside that of this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import SpeError
from ..plot.beside import on_same_axes
from ..plot.figure import Figure
from ..plot.svg import svg
from ..store.listing import Listing
from ..store.reader import Reader
from .table_query import Wish


def drawn_beside(folder: Path, wish: Wish, figure: Figure | None) -> dict[str, Any]:
    """Return the plots for the template: `svg`, `others` (names of runs), and of the one that is
    wanted `other`, `other_svg` and `other_fault`.
    """
    others = _others(folder)
    made: dict[str, Any] = {"others": others, "other": None, "other_svg": "", "other_fault": ""}
    # By its place in the list: no name that a browser sends is ever a path here.
    if figure and wish.beside in others:
        try:
            other = _figure(folder.parent / wish.beside, wish)
        except SpeError as error:
            made["other_fault"] = error.line
        else:
            if other is None:
                made["other_fault"] = "no set has a row yet"
            else:
                figure, other = on_same_axes(figure, other)
                made |= {"other": other, "other_svg": svg(other)}
    return {**made, "svg": svg(figure) if figure else ""}


def _others(folder: Path) -> list[str]:
    found = folder.resolve().parent.glob("*/sweep.db")
    return sorted(path.parent.name for path in found if path.parent.name != folder.name)


def _figure(folder: Path, wish: Wish) -> Figure | None:
    """Return what is drawn of the other run. Raises SpeError where it lacks a column, or cannot be read."""
    with Reader(folder) as reader:
        return wish.figure(Listing(reader))

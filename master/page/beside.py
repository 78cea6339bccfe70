"""The plot of another run beside that of this one: a run of the same runs/, or one that `--beside` names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import SpeError
from ..plot.beside import on_same_axes
from ..plot.figure import Figure
from ..plot.svg import svg
from ..store.listing import Listing
from ..store.reader import Reader
from .table_query import Wish


def drawn_beside(
    folder: Path, wish: Wish, figure: Figure | None, named: Mapping[str, Path]
) -> dict[str, Any]:
    """`named`: folders of runs elsewhere, by what the page calls them.

    Return the plots for the template: `svg`, `others` (names of runs), and of the one that is
    wanted `other`, `other_svg` and `other_fault`.
    """
    others = {**_others(folder), **named}
    made: dict[str, Any] = {"others": list(others), "other": None, "other_svg": "", "other_fault": ""}
    # What a browser sends is only looked up: it is never a path here.
    if figure and wish.beside in others:
        try:
            other = _figure(others[wish.beside], wish)
        except SpeError as error:
            made["other_fault"] = error.line
        else:
            if other is None:
                made["other_fault"] = "no set has a row yet"
            else:
                figure, other = on_same_axes(figure, other)
                made |= {"other": other, "other_svg": svg(other)}
    return {**made, "svg": svg(figure) if figure else ""}


def _others(folder: Path) -> dict[str, Path]:
    """Return the other runs below the same runs/, by their names."""
    here = folder.resolve()
    found = sorted(path.parent for path in here.parent.glob("*/sweep.db"))
    return {path.name: path for path in found if path.name != here.name}


def _figure(folder: Path, wish: Wish) -> Figure | None:
    """Return what is drawn of the other run. Raises SpeError where it lacks a column, or cannot be read."""
    with Reader(folder) as reader:
        return wish.figure(Listing(reader))

"""The plot of another run beside that of this one: a run of the same runs/, or one that `--beside` names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import SpeError, UsageError
from ..plot.beside import on_same_axes
from ..plot.figure import Figure
from ..plot.svg import svg
from ..store.listing import Listing
from ..store.reader import Reader
from .table_query import Wish


def drawn_beside(
    folder: Path, wish: Wish, figure: Figure | None, named: Mapping[str, Path], width: int = 0
) -> dict[str, Any]:
    """`named`: folders of runs elsewhere, by what the page calls them. `width` of each, in pixels.

    Return the plots for the template: `svg`, `others` (names of runs), and of the one that is
    wanted `other`, `other_svg` and `other_fault`.
    """
    others = {**_others(folder), **named}
    figure, other, fault = pair(others, wish, figure)
    return {
        "others": list(others),
        "other": other,
        "other_svg": svg(other, width=width) if other else "",
        "other_fault": fault,
        "svg": svg(figure, width=width) if figure else "",
    }


def one_of_pair(
    folder: Path, wish: Wish, figure: Figure | None, named: Mapping[str, Path], is_other: bool
) -> Figure | None:
    """Return one of the two figures as the page shows it, on the axes of both. Raises UsageError."""
    figure, other, fault = pair({**_others(folder), **named}, wish, figure)
    if is_other and fault:
        raise UsageError(f"{wish.beside}: {fault}")
    return other if is_other else figure


def pair(
    others: Mapping[str, Path], wish: Wish, figure: Figure | None
) -> tuple[Figure | None, Figure | None, str]:
    """Return the figure, the one beside it, and why there is none where one is wanted."""
    # What a browser sends is only looked up: it is never a path here.
    if figure is None or wish.beside not in others:
        return figure, None, ""
    try:
        other = _figure(others[wish.beside], wish)
    except SpeError as error:
        return figure, None, error.line
    if other is None:
        return figure, None, "no set has a row yet"
    return *on_same_axes(figure, other), ""


def _others(folder: Path) -> dict[str, Path]:
    """Return the other runs below the same runs/, by their names."""
    here = folder.resolve()
    found = sorted(path.parent for path in here.parent.glob("*/sweep.db"))
    return {path.name: path for path in found if path.name != here.name}


def _figure(folder: Path, wish: Wish) -> Figure | None:
    """Return what is drawn of the other run. Raises SpeError where it lacks a column, or cannot be read."""
    with Reader(folder) as reader:
        return wish.figure(Listing(reader))

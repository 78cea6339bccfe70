"""Many columns at once, for plotly: a scatter matrix, and parallel coordinates.

What is made here is the JSON that plotly's JavaScript draws. That is served from the installed package
(the extra `plot`): nothing comes from the internet.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..store.listing import Listing, TaskFilter
from ..store.schema import is_number
from ..table.extras import library
from .cells import Cells
from .svg import SHADES

SETS = 2000  # sets that are drawn
COLUMNS = 6  # columns that are drawn where none are named
MOST = 12  # more columns than that are too small to be read


class ManyForm(StrEnum):
    """The forms that draw many columns."""

    MATRIX = "matrix"
    PARALLEL = "parallel"


#: What each form shows, for people.
MANY_FORMS = {ManyForm.MATRIX: "scatter matrix", ManyForm.PARALLEL: "parallel coordinates"}


def script() -> Path:
    """Return the file of plotly's JavaScript. Raises UsageError without plotly."""
    found = library("plotly", "a plot of many columns")
    return Path(found.__file__).parent / "package_data" / "plotly.min.js"


def has_plotly() -> bool:
    """Tell whether plotly is installed."""
    try:
        return script().exists()
    except UsageError:
        return False


def offered(listing: Listing) -> list[str]:
    """Return the columns that may be drawn: numbers first, then texts."""
    kinds, numeric = listing.reader.kinds, set(listing.reader.numeric)
    files = [name for name in listing.results if kinds.get(name) in ("file", "files", "folder")]
    known = [*listing.parameters, *(name for name in listing.results if name not in files), "seconds"]
    numbers = [one for one in known if one in numeric or is_number(kinds.get(one)) or one == "seconds"]
    return list(dict.fromkeys([*numbers, *known]))


def drawn(
    listing: Listing, form: ManyForm, names: Sequence[str], by: str, wanted: TaskFilter
) -> tuple[dict[str, Any], int]:
    """Return plotly's figure, and the number of its sets. `by`: the column of the colour, or "".

    Raises UsageError for unknown columns, for too many, and where no set has a row.
    """
    known = listing.names()
    for name in (*names, *([by] if by else [])):
        if name not in known:
            raise UsageError(f"there is no column {name}", todo=f"There are: {', '.join(known)}.")
    if not 2 <= len(names) <= MOST:
        raise UsageError(f"{len(names)} columns are chosen", todo=f"Choose 2 to {MOST}.")
    read = list(dict.fromkeys([*names, *([by] if by else [])]))
    sample = listing.sample(read, wanted, SETS)
    rows = sample.thinned(SETS).rows
    if not rows:
        raise UsageError("no set has a row like that yet", todo="Take another condition.")
    numbers, *columns = zip(*rows, strict=True)
    cells = {name: Cells(name, raw) for name, raw in zip(read, columns, strict=True)}
    colour = _colour(cells[by]) if by else {}
    if form is ManyForm.MATRIX:
        trace = _matrix([cells[name] for name in names], colour, numbers)
    else:
        trace = _parallel([cells[name] for name in names], colour)
    return {"data": [trace], "layout": {"dragmode": "select"}}, len(rows)


def _colour(cells: Cells) -> dict[str, Any]:
    steps = len(SHADES) - 1
    scale = [[place / steps, shade] for place, shade in enumerate(SHADES)]
    bar = {"title": {"text": cells.name}}
    return {"color": _values(cells), "colorscale": scale, "showscale": True, "colorbar": bar}


def _values(cells: Cells) -> list[float | None]:
    """Return a column as numbers; of texts their places."""
    if not cells.first_text:
        return cells.numbers
    place_of = {text: float(n) for n, text in enumerate(cells.distinct())}
    return [place_of[cells.text(n)] for n in range(len(cells.raw))]


def _matrix(columns: Sequence[Cells], colour: dict[str, Any], numbers: Sequence[int]) -> dict[str, Any]:
    dimensions = []
    for one in columns:
        texts = [one.text(n) for n in range(len(one.raw))] if one.first_text else one.numbers
        dimensions.append({"label": one.name, "values": texts})
    words = [f"task {number}" for number in numbers]
    marker = {"size": 4, **colour}
    return {
        "type": "splom", "dimensions": dimensions, "marker": marker, "text": words,
        "diagonal": {"visible": False}, "showupperhalf": False,
    }  # fmt: skip


def _parallel(columns: Sequence[Cells], colour: dict[str, Any]) -> dict[str, Any]:
    dimensions = []
    for one in columns:
        dimension: dict[str, Any] = {"label": one.name, "values": _values(one)}
        if one.first_text:
            texts = one.distinct()
            dimension |= {"tickvals": list(range(len(texts))), "ticktext": texts}
        dimensions.append(dimension)
    return {"type": "parcoords", "dimensions": dimensions, "line": colour}

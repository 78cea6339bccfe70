"""The table as a sheet of Excel or LibreOffice (.xlsx)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .columns import Column
from .extras import library

if TYPE_CHECKING:
    from .selection import Selection

# What a sheet of Excel can hold.
MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS = 1_048_576, 16_384, 32_767
MOST_DIGITS = 10**15  # Excel keeps fifteen digits; a larger whole number is written as a text


def write_sheet(file: Path, path: Path, selection: Selection, columns: Sequence[Column]) -> int:
    """Write a sheet to `file`, return its number of rows.

    Raises UsageError, in which the file is `path`, for what no sheet can hold.
    """
    xlsx = library("xlsxwriter", "a sheet of Excel")
    if len(columns) > MOST_COLUMNS:
        raise _too_much(path, f"{len(columns)} columns", f"{MOST_COLUMNS}")
    # Row by row to the disk. Texts are texts, whatever they begin with: no formulas, no links.
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsx.Workbook(file, options)
    sheet = book.add_worksheet("results")
    sheet.freeze_panes(1, 1)
    sheet.write_row(0, 0, [one.name for one in columns], book.add_format({"bold": True}))
    count = 0
    try:
        for count, cells in enumerate(selection.all_cells(), 1):
            if count >= MOST_ROWS:
                raise _too_much(path, "more rows", f"{MOST_ROWS - 1:,} below their head")
            _write_row(path, sheet, count, columns, cells)
    finally:
        book.close()
    return count


def _write_row(
    path: Path, sheet: object, row: int, columns: Sequence[Column], cells: Sequence[str]
) -> None:
    for at, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        value = column.value(cell)
        if isinstance(value, str) or value is None or not _is_in_sheets(value):
            # Not str(value): that fails for an int of more than 4300 digits.
            text = cell if isinstance(value, int) else "" if value is None else str(value)
            if len(text) > MOST_CHARACTERS:
                raise _too_much(path, f"a text of {len(text)} characters", f"{MOST_CHARACTERS}")
            if text:
                sheet.write_string(row, at, text)  # type: ignore[attr-defined]
        else:
            sheet.write_number(row, at, value)  # type: ignore[attr-defined]


def _is_in_sheets(value: float) -> bool:
    """Tell whether a sheet has this number as it is: no NaN, nothing infinite, not too many digits."""
    if isinstance(value, int):
        return abs(value) < MOST_DIGITS
    return math.isfinite(value)


def _too_much(path: Path, what: str, most: str) -> UsageError:
    todo = "Write a .csv or .parquet, or fewer of them: --where, --columns."
    return UsageError(f"{what}: a sheet holds {most}", where=str(path), todo=todo)

"""The table as a data frame of pandas or polars, made from the one of pyarrow."""

from __future__ import annotations

from typing import Any

from .extras import library


def pandas_frame(table: Any) -> Any:
    """Return a pandas.DataFrame. Whole numbers with empty cells stay whole: Int64, with <NA>."""
    pandas = library("pandas", "a DataFrame of pandas")
    pyarrow = library("pyarrow", "a DataFrame of pandas")
    holes = {
        one for one, cells in zip(table.column_names, table.columns, strict=True)
        if cells.null_count and pyarrow.types.is_integer(cells.type)
    }  # fmt: skip
    frame = table.drop_columns(sorted(holes)).to_pandas()
    for name in holes:
        # By way of floats, as pandas does by itself, 2**53 + 1 would be another number.
        frame[name] = table[name].to_pandas(types_mapper={pyarrow.int64(): pandas.Int64Dtype()}.get)
    return frame[table.column_names]


def polars_frame(table: Any) -> Any:
    """Return a polars.DataFrame."""
    return library("polars", "a DataFrame of polars").from_arrow(table)

"""results.csv, where it is what the database would make: reading it is many times faster."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..results.table_files import csv_line, result_head
from ..session.stamps import stamp
from ..store.tables.made_tables import TABLES, rows_key

if TYPE_CHECKING:
    from ..store.reader import Reader


def current_csv(reader: Reader) -> Path | None:
    """Return results.csv if it has today's rows and nothing has changed since; else None."""
    made = json.loads(reader.meta(TABLES) or "[]")
    if len(made) != 3 or made[0] != rows_key(reader):
        return None
    path = reader.folder / "results.csv"
    if [path.name, list(stamp(path) or ())] not in made[2]:
        return None
    # The columns, too: they change with spe.yaml before any row does.
    head = csv_line(result_head(reader.parameters, reader.results))
    try:
        with path.open("rb") as file:
            return path if file.read(len(head)) == head else None
    except OSError:  # it is only the faster way
        return None


class CsvRows:
    """The rows of a results.csv, any number of times: also when another one takes its place."""

    def __init__(self, path: Path) -> None:
        """Raise OSError when it cannot be opened."""
        self._file = path.open(encoding="utf-8", newline="")

    def rows(self) -> Iterator[list[str]]:
        """Yield the cells of each row from the first one on; ends those of an earlier call."""
        # A cell of JSON may have a million characters, where Python expects 131,072 at most.
        csv.field_size_limit(sys.maxsize)
        self._file.seek(0)
        rows = csv.reader(self._file)
        next(rows)
        return rows

"""A run that is over or goes on, as a Python program reads it: `spe.open`."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SpeError, UsageError
from ..record import record
from ..results.failed_files import files_left
from ..results.trees import files_of
from ..store.reader import Reader
from ..table.columns import Cell, columns_of
from ..table.selection import Selection, Wanted
from .shown import Row, counts_text, table_html, table_text

if TYPE_CHECKING:
    from .watch import Watch


MOST_BITS = 63  # of a number in the database
PATIENCE = 10.0  # seconds for a run that has only just begun to read its parameters
FAILED = "(failed)"  # in place of a result's name, as `spe files` has it


@record
class Printed:
    """What the last attempt of a set printed, and why it failed ("" where it did not)."""

    stdout: str
    stderr: str
    reason: str


class KeptFile(type(Path())):  # type: ignore[misc]  # the class of paths on this system
    """The path of a file; `result` is the name of its result, or `(failed)`."""

    result: str = ""


class Results:
    """Rows of a sweep's table, as they are when they are asked for. Nothing is read before.

    Iterate over it for one dict a row. A cell is an int, a float or a str, as `as:` of its result
    says; a parameter is a number if it is one in all sets. None: an empty cell of a number.
    """

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self._folder, self._wanted = folder, wanted

    def __iter__(self) -> Iterator[dict[str, Cell]]:
        """Yield the rows. Raises UsageError for a condition that cannot be told."""
        with Reader(self._folder) as reader:
            selection = Selection(reader, self._wanted)
            columns = columns_of(reader, selection.head)
            for cells in selection.all_cells():
                yield {one.name: one.value(cell) for one, cell in zip(columns, cells, strict=True)}

    def __len__(self) -> int:
        """Return the number of rows."""
        with Reader(self._folder) as reader:
            return sum(1 for _ in Selection(reader, self._wanted).rows())

    def __repr__(self) -> str:
        """Return the size, the columns and the first rows."""
        return self._shown(table_text)

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        return self._shown(table_html)

    def _shown(self, form: Callable[[Sequence[str], Iterable[Row], int], str]) -> str:
        try:
            return form(list(self.columns), iter(self), len(self))
        except SpeError as error:  # a prompt shows objects where nobody waits for an error
            return f"results of {self._folder}: {error.line}"

    @property
    def columns(self) -> dict[str, str]:
        """Return the columns: name -> what its cells are, such as `whole numbers`."""
        with Reader(self._folder) as reader:
            head = Selection(reader, self._wanted).head
            return {one.name: str(one.type) for one in columns_of(reader, head)}

    def arrow(self) -> Any:
        """Return a pyarrow.Table; int64, float64 and string columns, null for an empty number."""
        from ..table.arrow import arrow_table

        with Reader(self._folder) as reader:
            return arrow_table(reader, Selection(reader, self._wanted))

    def pandas(self) -> Any:
        """Return a pandas.DataFrame; a column of whole numbers with empty cells is of type Int64."""
        from ..table.extras import check_extra
        from ..table.frames import pandas_frame

        check_extra("pandas", "a DataFrame of pandas")
        return pandas_frame(self.arrow())

    def polars(self) -> Any:
        """Return a polars.DataFrame."""
        from ..table.extras import check_extra
        from ..table.frames import polars_frame

        check_extra("polars", "a DataFrame of polars")
        return polars_frame(self.arrow())

    def csv(self, path: str | Path) -> None:
        """Write a CSV file, as `spe results -o`."""
        self._write(Path(path))

    def parquet(self, path: str | Path) -> None:
        """Write a Parquet file with typed columns."""
        self._write(Path(path), ".parquet")

    def _write(self, path: Path, kind: str = ".csv") -> None:
        from ..table.files import write_table

        with Reader(self._folder) as reader:
            selection = Selection(reader, self._wanted)
            write_table(path, reader, selection, kind, todo="Give another path.")


def _check_texts(where: object, columns: object, sort: object) -> None:
    """Raise UsageError where a word of `results` is none."""
    if isinstance(columns, str):
        raise UsageError("columns is one text", todo=f"Write columns=[{columns!r}].")
    if where is not None and not isinstance(where, str):
        todo = 'Write a condition in quotes: results("energy < -3 and mesh == 128").'
        raise UsageError("where is no text", todo=todo)
    names = columns if isinstance(columns, Sequence) else ()
    if columns is not None and not (names and all(isinstance(one, str) for one in names)):
        raise UsageError("columns is no list of names", todo='Write columns=["x", "energy"].')
    if sort is not None and not isinstance(sort, str):
        raise UsageError("sort is no name", todo='Write sort="energy", or sort="-energy" downwards.')


def _number(number: object) -> int:
    """Return the number of a set, which may be one of NumPy. Raises UsageError for what is none."""
    todo = "Give one of the column `number`, such as 17."
    try:
        found = operator.index(number)  # type: ignore[arg-type]
    except TypeError as error:
        what = f"the number of a set is a whole number, not of type {type(number).__name__}"
        raise UsageError(what, todo=todo) from error
    if found.bit_length() > MOST_BITS:
        raise UsageError("there is no set with so large a number", todo=todo)
    return int(found)


def _wait_for_columns(folder: Path) -> None:
    """Return when a run knows its parameters, or after PATIENCE: Selection says so then."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with Reader(folder) as reader:
            if reader.knows_columns:
                return
        time.sleep(0.05)


class Run:
    """A sweep's run below runs/, finished or running. Nothing of it is changed."""

    def __init__(self, folder: Path) -> None:
        """Raise UsageError where nothing ran, StoreError for a database of a newer spe."""
        self.folder = folder
        with Reader(folder):  # here and not at the first question: a mistyped name is told at once
            pass

    def __repr__(self) -> str:
        """Return the name and how many sets are in which state."""
        try:
            return f"run {self.folder.name}: {counts_text(self.counts())}, in {self.folder}"
        except SpeError as error:
            return f"run {self.folder.name}: {error.line}"

    def results(
        self,
        where: str | None = None,
        columns: Sequence[str] | None = None,
        sort: str | None = None,
    ) -> Results:
        """Return the finished sets.

        `where`: a condition as in spe.yaml, such as `energy < -3 and mesh == 128`. `columns`: only
        these, in this order. `sort`: by this column; `-energy` downwards. Raises UsageError for an
        unknown column and for what is no condition. Of a run that has only just begun, it waits
        until the parameters are read, a moment mostly.
        """
        _check_texts(where, columns, sort)
        _wait_for_columns(self.folder)
        wanted = Wanted(where, columns, sort, option="{}")
        with Reader(self.folder) as reader:
            Selection(reader, wanted)
        return Results(self.folder, wanted)

    def counts(self) -> dict[str, int]:
        """Return how many of today's sets are in which state: waiting, running, done, failed, cancelled."""
        with Reader(self.folder) as reader:
            return {str(state): sets for state, sets in reader.counts().items()}

    def failed(self) -> list[dict[str, Any]]:
        """Return the failed and cancelled sets: number, parameters as in the results, and reason."""
        with Reader(self.folder) as reader:
            columns = {one.name: one for one in columns_of(reader, reader.parameters)}
            return [
                {
                    "number": one.number,
                    "parameters": {name: columns[name].value(v) for name, v in one.values.items()},
                    "reason": one.reason,
                }
                for one in reader.failed()
            ]

    def log(self, number: int) -> Printed:
        """Return what the last attempt of a set printed, of long texts the end.

        Raises UsageError for an unknown number.
        """
        with Reader(self.folder) as reader:
            found = reader.task(_number(number))
        last = found.last_run
        stdout, stderr = (found.stdout_of(last), last.stderr) if last else (b"", b"")
        return Printed(
            stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"), found.reason or ""
        )

    def files(self, number: int) -> list[KeptFile]:
        """Return the files that are kept of a set, as absolute paths that know their result.

        They are those of its results, and of a set that has failed what its last attempt left
        (`keep_failed`). Raises UsageError for an unknown number.
        """
        number = _number(number)
        with Reader(self.folder) as reader:
            outputs = reader.task(number).outputs
        folder = self.folder.absolute()
        named = [(path, one.name) for one in outputs for path, _ in files_of(one)]
        named += [(path, FAILED) for path, _, _ in files_left(folder, number)]
        found = []
        for path, result in named:
            found.append(KeptFile(folder / path))
            found[-1].result = result
        return found

    def watch(self) -> Watch:
        """Return a copy of the running sweep's state that stays up to date, as spe.watch."""
        from .watch import Watch

        return Watch(self.folder)

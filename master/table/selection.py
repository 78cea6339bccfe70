"""The rows and columns of the table that somebody asks for: by a condition, names, and an order."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from ..errors import ConfigError, UsageError
from ..record import record
from ..results.table_files import result_cells, result_head
from .current_file import CsvRows, current_csv
from .pages import Page, value

if TYPE_CHECKING:
    from pathlib import Path

    from ..results.table_files import ResultRow
    from ..store.reader import Reader
    from ..sweep.where.condition import Condition, Seen

PAGE = 500  # sets that are read at once, where they are read in another order than their own


@record
class Wanted:
    """What somebody asks for. `sort`: a column, with a `-` before it downwards.

    `option`: how messages name the three, such as `--{}` for options of a command line.
    """

    where: str | None = None
    columns: Sequence[str] | None = None
    sort: str | None = None
    option: str = "--{}"


class Selection:
    """The rows and columns that are wanted.

    It reads the rows twice where they are selected or sorted: so a mistake shows before anything is
    printed, and only numbers of sets are in memory.
    """

    def __init__(self, reader: Reader, wanted: Wanted) -> None:
        """Raise UsageError for an unknown column and for what is no condition, and for a run that
        does not know its columns yet: a table without them would look like one of no parameters.
        """
        if not reader.knows_columns:
            what = "this run has only just begun: its parameters are not read yet"
            todo = "Ask again in a moment, or start it once more if it was killed."
            raise UsageError(what, where=str(reader.folder), todo=todo)
        self._reader, self._wanted = reader, wanted
        self._all = result_head(reader.parameters, reader.results)
        self.head = self._all
        if wanted.columns is not None:
            self.head = self._columns(wanted.columns)
        self._places = [self._all.index(name) for name in self.head]
        sort, where = wanted.sort, wanted.where
        self._sort = None if sort is None else self._known(sort.removeprefix("-"), "sort")
        self._downwards = sort is not None and sort.startswith("-")
        self._where = None if where is None else self._condition(where)

    def _columns(self, names: Sequence[str]) -> list[str]:
        """Return the columns that are wanted. Raises UsageError for none, and for one named twice.

        Rows are dicts and tables of Arrow: in these a column has one name and one place.
        """
        found = [self._known(name.strip(), "columns") for name in names]
        where, todo = self._named("columns"), f"There are: {', '.join(self._all)}."
        if not found:
            raise UsageError("no column is named", where=where, todo=todo)
        twice = next((name for name in found if found.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"{twice} is named twice", where=where, todo="Name each column once.")
        return found

    def _known(self, name: str, option: str) -> str:
        if name in self._all:
            return name
        todo = f"There are: {', '.join(self._all)}."
        raise UsageError(f"there is no column {name!r}", where=self._named(option), todo=todo)

    def _named(self, option: str) -> str:
        return self._wanted.option.format(option)

    def _condition(self, text: str) -> Condition:
        from ..sweep.where.condition import Condition  # late: most tables are wanted whole

        try:
            condition = Condition(text)
        except ConfigError as error:
            raise UsageError(error.what, where=self._named("where"), todo=error.todo) from error
        for name in sorted(condition.names):
            self._known(name, "where")
        return condition

    @property
    def is_whole(self) -> bool:
        """Tell whether all rows are wanted, in their own order."""
        return self._where is None and self._sort is None

    @property
    def deciding(self) -> list[str]:
        """Return the columns by which rows are chosen and sorted."""
        names = {self._sort} if self._sort is not None else set[str]()
        return sorted(names | (self._where.names if self._where else set()))

    def all_cells(self) -> Iterator[list[str]]:
        """Yield the cells of all rows that are wanted.

        They come from results.csv where that is up to date: twice as fast as from the database. A
        mistake in the condition is raised before the first one.
        """
        if self._sort is None and (path := current_csv(self._reader)):
            return self._from_file(path)
        return map(self.cells, self.rows())

    def _from_file(self, path: Path) -> Iterator[list[str]]:
        file = CsvRows(path)
        if self._where is None:
            return map(self._picked, file.rows())
        places = [(name, self._all.index(name)) for name in self.deciding]
        pages = (_page(page, places) for page in _in_pages(file.rows()))
        return map(self._picked, _at(self.places(pages), file.rows()))

    def cells(self, row: ResultRow) -> list[str]:
        """Return the cells of a row, in the order of `head`."""
        return self._picked(self._cells(row))

    def _picked(self, cells: Sequence[str]) -> list[str]:
        return [cells[place] for place in self._places]

    def _cells(self, row: ResultRow) -> list[str]:
        return result_cells(row, self._reader.parameters, self._reader.results)

    def rows(self) -> Iterator[ResultRow]:
        """Yield the rows that are wanted, in their order. Raises UsageError before the first one."""
        if self.is_whole:
            return self._reader.rows()
        return self._of(self.numbers())

    def numbers(self) -> Sequence[int]:
        """Return the sets that are wanted, in their order."""
        numbers = array("q")
        places = [(name, self._all.index(name)) for name in self.deciding]

        def pages() -> Iterator[Page]:
            for rows in _in_pages(map(self._cells, self._reader.rows())):
                page = _page(rows, places)
                numbers.extend(page.numbers)
                yield page

        return [numbers[place] for place in self.places(pages())]

    def places(self, pages: Iterable[Page]) -> Sequence[int]:
        """Return the places of the wanted rows among all rows, in the order in which they are wanted.

        `pages`: all rows, with the `deciding` columns. Raises UsageError for a condition that
        cannot be told.
        """
        places = array("q")
        kept: list[tuple[Page, Sequence[int]]] = []
        before = 0
        for page in pages:
            found = self._wanted_of(page)
            places.extend([before + place for place in found])
            before += len(page.numbers)
            if self._sort is not None:
                kept.append((page, found))
        if self._sort is None:
            return places
        return [places[place] for place in _sorted(self._sort, kept, self._downwards)]

    def _of(self, numbers: Sequence[int]) -> Iterator[ResultRow]:
        for at in range(0, len(numbers), PAGE):
            page = numbers[at : at + PAGE]
            found = {row.number: row for row in self._reader.rows(page)}
            # A set may have lost its row meanwhile: a run goes on beside.
            yield from (found[number] for number in page if number in found)

    def _wanted_of(self, page: Page) -> Sequence[int]:
        """Return the places of the rows of a page that meet the condition. Raises UsageError."""
        where = self._where
        if where is None:
            return range(len(page.numbers))
        columns = {
            name: page.values(name, where.sight(name), name in where.compared)
            for name in where.names
        }
        found = where.places(columns)
        if found is not None:
            return found
        return [place for place in range(len(page.numbers)) if self._is_wanted(where, page, place)]

    def _is_wanted(self, where: Condition, page: Page, place: int) -> bool:
        """Tell whether a row meets the condition. Raises UsageError where that can't be told."""
        texts = {name: page.cells(name)[place] for name in where.names}
        try:
            return meets(where, texts)
        except ConfigError as error:
            place_of_it = f"{self._named('where')}, set {page.numbers[place]}"
            raise UsageError(error.what, where=place_of_it, todo=error.todo) from error


def _in_pages(rows: Iterable[list[str]]) -> Iterator[list[list[str]]]:
    them = iter(rows)
    while some := list(islice(them, PAGE)):
        yield some


def _page(rows: Sequence[Sequence[str]], places: Iterable[tuple[str, int]]) -> Page:
    """Return rows of the table as a page with these columns."""
    return Page([int(row[0]) for row in rows], {name: [row[at] for row in rows] for name, at in places})


def meets(condition: Condition, texts: Mapping[str, str]) -> bool:
    """Tell whether the cells that a condition names meet it. Raises ConfigError where that can't be told."""
    try:
        return condition.is_true(
            {name: value(text, condition.sight(name)) for name, text in texts.items()}
        )
    except ConfigError:
        # Nothing can be computed with an empty cell, so a condition about it is not met.
        if "" in texts.values():
            return False
        raise


def _at(places: Iterable[int], rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the rows at these places, which ascend."""
    last = -1
    for place in places:
        yield next(islice(rows, place - last - 1, None))
        last = place


def _sorted(name: str, pages: Iterable[tuple[Page, Sequence[int]]], downwards: bool) -> list[int]:
    """Return the places of cells in their order: by number if all are numbers, else as texts.

    `pages`: with the places in them of the cells that are meant. What is empty, or not a number
    (`nan`), comes last, also downwards.
    """
    from ..sweep.where.numbers import number

    values: list[Seen] = []
    for page, wanted in pages:
        of_page = page.values(name, number, True)
        values += of_page if len(wanted) == len(of_page) else [of_page[place] for place in wanted]
    if any(isinstance(one, str) and one for one in values):
        values = [page.cells(name)[place] for page, wanted in pages for place in wanted]
    # What is no number is not even equal to itself.
    numbered = [place for place, one in enumerate(values) if one != "" and one == one]
    last = [place for place, one in enumerate(values) if one == "" or one != one]
    # Stable in both directions: equal cells stay in the order of the sets.
    numbered.sort(key=values.__getitem__, reverse=downwards)
    return numbered + last

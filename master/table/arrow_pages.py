"""Pages of a pyarrow table of texts: whole columns become values at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .extras import library
from .pages import Page, value

if TYPE_CHECKING:
    from ..sweep.where.condition import Seen

# As numbers.number has them, but for what pyarrow reads otherwise or not at all: such columns are
# read cell by cell. A whole number of 15 digits is the same number as a float.
_WHOLE = r"^-?[0-9]{1,18}$"
_POINT = r"(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
_REAL = f"^-?(?:{_POINT})$"
_EITHER = f"^-?(?:[0-9]{{1,15}}|{_POINT})$"
_CODES: dict[str, Any] = {"int64": "q", "double": "d", "int32": "i"}


class ArrowPage(Page):
    """A page of a pyarrow.RecordBatch; `number` in it is the numbers of the sets."""

    def __init__(self, batch: Any) -> None:
        super().__init__(as_list(batch["number"]), {})
        self._batch = batch
        self._texts: dict[str, Sequence[str]] = {}

    def cells(self, name: str) -> Sequence[str]:
        """Return the cells of a column."""
        if name not in self._texts:
            self._texts[name] = self._batch[_text(name)].to_pylist()
        return self._texts[name]

    def values(self, name: str, see: Callable[[str], Seen], compared: bool) -> Sequence[Seen]:
        """Return them as `see` does. `compared`: with numbers alone, so that 5.0 is as good as 5."""
        from ..sweep.where.numbers import number

        texts = self._batch[_text(name)]
        if see is number or compared:
            found = _numbers(texts, compared)
            if found is not None:
                return as_list(found)
        # Each spelling once: a column has as many hosts as there are hosts.
        encoded = texts.dictionary_encode()
        seen = [value(one, see) for one in encoded.dictionary.to_pylist()]
        return [seen[at] for at in as_list(encoded.indices)]


def _text(name: str) -> str:
    """Return the name of a column of texts, beside the numbers of the sets."""
    return f"text {name}"


def pages(table: Any, size: int) -> Iterator[Page]:
    """Yield the pages of a table that `text_table` made."""
    for batch in table.to_batches(size):
        yield ArrowPage(batch)


def text_table(numbers: Any, columns: dict[str, Any]) -> Any:
    """Return a table of these numbers of sets and columns of texts, for `pages`."""
    named = {"number": numbers} | {_text(name): one for name, one in columns.items()}
    return library("pyarrow", "a table of Arrow").table(named)


def as_list(numbers: Any) -> list[Any]:
    """Return an array without nulls as a list: pyarrow's own way makes an object of each first."""
    code = _CODES[str(numbers.type)]
    _, data = numbers.buffers()
    if data is None or not len(numbers):
        return []
    whole: Any = memoryview(data).cast("B").cast(code)
    found: list[Any] = whole[numbers.offset : numbers.offset + len(numbers)].tolist()
    return found


def _numbers(texts: Any, compared: bool) -> Any:
    """Return texts as numbers that equal those of Python; None where some are none."""
    pyarrow = library("pyarrow", "a table of Arrow")
    compute = library("pyarrow.compute", "a table of Arrow")
    real = pyarrow.float64()
    kinds = {_EITHER: real} if compared else {_WHOLE: pyarrow.int64(), _REAL: real}
    for pattern, kind in kinds.items():
        if compute.all(compute.match_substring_regex(texts, pattern), min_count=0).as_py():
            try:
                return texts.cast(kind)
            except pyarrow.ArrowInvalid:  # such as 1e999
                return None
    return None

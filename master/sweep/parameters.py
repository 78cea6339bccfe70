"""The parameter sets of a sweep: blocks (rows, grid, zip, repeat) combined as a product, filtered
by `where`.

Only the values of the small blocks are held in memory. A file is read once by `check`, which raises
what is wrong with it and finds equal sets, and is then streamed by whoever iterates. Order: the
rows vary slowest, then the grid (its first name slowest), then the zip, then the repetitions.

An inspector, given by recipe.py, knows what the values of a set are used for.
"""

from __future__ import annotations

import hashlib
import itertools
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import ConfigError
from ..model import ParameterSet
from ..record import record
from ..results.columns import NumericColumns
from .sources.blocks import Block, product
from .sources.parameter_file import Cells
from .where.condition import Condition

_NAMED = 5  # pairs of equal lines that a warning names; more are counted
_BUCKETS = 256
_CHUNK = 1000  # sets looked at in one go
_MORE = "`repeat` runs a set more often"


@record
class Census:
    """Findings of the first pass: the number of different sets, the first and the last one, and
    more.
    """

    count: int
    first: ParameterSet
    last: ParameterSet
    warnings: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()  # parameters that are numbers in all sets
    # Mistakes that make every set fail, as errors with their place: nothing runs, unless `--anyway`.
    mistakes: tuple[ConfigError, ...] = ()
    reminders: tuple[str, ...] = ()  # of the warnings, those that may tell why tasks have failed


class Words(Protocol):
    """Looks at the words of the command in all sets: checks/files_here.py, checks/shell_values.py."""

    def begin(self, values: Mapping[str, str]) -> None: ...
    def look(self, names: Sequence[str], rows: Sequence[tuple[Cells, int]]) -> None: ...
    def end(self, values: Mapping[str, str]) -> None: ...
    def mistakes(self) -> Iterable[ConfigError]: ...
    def warnings(self) -> Iterable[str]: ...


Inspect = Callable[[Mapping[str, str]], None]


@record
class Inspector:
    """The checks of a sweep's sets. Both raise ConfigError without `where`.

    `whole` is for sets with a NUL or with more than `characters` in their cells, `quick` for all
    others, if there is one: most patterns cannot fail for short values. `words` make what looks at
    the words of the command.
    """

    whole: Inspect = lambda values: None
    quick: Inspect | None = None
    characters: int = 1 << 62
    words: tuple[Callable[[], Words], ...] = ()


@dataclass
class Parameters:
    """A stream of different parameter sets.

    It may be iterated several times; `check` comes first by itself.
    """

    blocks: Sequence[Block]
    where: Condition | None = None
    source: str = "spe.yaml"  # the parameter file, or spe.yaml: for messages
    inspector: Inspector = field(default_factory=Inspector)
    names: Cells = ()
    _census: Census | None = field(default=None, init=False, repr=False)
    _repeated: frozenset[int] = field(default=frozenset(), init=False, repr=False)

    def __post_init__(self) -> None:
        self.names = tuple(name for block in self.blocks for name in block.names)

    def check(self) -> Census:
        """Read all sets once and return what was found.

        Raises ConfigError at the first set that is wrong.
        """
        if self._census is None:
            self._census = _FirstPass(self).census()
        return self._census

    def __iter__(self) -> Iterator[ParameterSet]:
        self.check()
        seen: set[Cells] = set()
        # Only sets whose hash occurs twice are remembered: mostly none.
        for cells, line in self.kept():
            if self._repeated and hash(cells) in self._repeated:
                if cells in seen:
                    continue
                seen.add(cells)
            yield self.set(cells, line)

    def digest(self) -> bytes:
        """Return a digest: equal as long as the same sets come in the same order."""
        where = self.where.text if self.where else None
        digest = hashlib.blake2b(repr((self.names, where)).encode())
        for block in self.blocks:
            # A digest for each block: otherwise a cell moved to the next block would go unnoticed.
            one = hashlib.blake2b()
            for piece in block.content():
                one.update(piece)
            digest.update(one.digest())
        return digest.digest()

    def set(self, cells: Cells, line: int) -> ParameterSet:
        """Return the set with these cells under their names."""
        return ParameterSet(dict(zip(self.names, cells, strict=True)), line)

    def kept(self) -> Iterator[tuple[Cells, int]]:
        """Return all cells and lines that `where` keeps, equal ones too."""
        if self.where is None:
            return product(self.blocks)
        return self._filtered(self.where)

    def _filtered(self, where: Condition) -> Iterator[tuple[Cells, int]]:
        """Yield the rows for which `where` is true. Raises ConfigError where it cannot be told."""
        for cells, line in product(self.blocks):
            values = dict(zip(self.names, cells, strict=True))
            try:
                keep = where.holds(values)
            except ConfigError as error:
                what = f"where: {error.what} ({shown(values)})"
                raise ConfigError(what, where=self.place(line), todo=error.todo) from error
            if keep:
                yield cells, line

    def place(self, line: int) -> str:
        """Return the place of a line, such as `params.csv:7`."""
        return f"{self.source}:{line}" if line else self.source


class _FirstPass:
    """The first reading of all sets: counts them, finds equal ones, and inspects what must be
    inspected.

    Equal sets are found by 8-byte hashes, so that a million sets take 8 MB. Only if two hashes are
    equal, the sets are read a second time and compared.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.inspector = parameters.inspector
        self.quick = self.inspector.quick
        # A value with a NUL is wrong however short it is: no argument of a program can hold one.
        if any(block.has_nul() for block in parameters.blocks):
            self.quick = self.inspector.whole
        # By the low byte of the hash: to look for equal hashes in one part at a time takes less
        # memory than one set of all of them.
        self.buckets = [array("q") for _ in range(_BUCKETS)]
        self.count = 0
        self.first: tuple[Cells, int] | None = None
        self.last: tuple[Cells, int] = ((), 0)
        self.columns = NumericColumns(parameters.blocks, filtered=parameters.where is not None)
        self.words = [make() for make in self.inspector.words]

    def census(self) -> Census:
        """Read all sets and return what was found. Raises ConfigError."""
        self._read()
        if self.first is None:
            raise self._nothing()
        repeated = frozenset(_repeated(self.buckets))
        mistakes, reminders = self._look_at_words()
        warnings = [*self._decimal_comma(), *reminders]
        if repeated:
            self.parameters._repeated = repeated
            warnings += self._equal_sets(repeated)
        first = self.parameters.set(*self.first)
        last = self.parameters.set(*self.last)
        return Census(
            self.count, first, last, tuple(warnings), self.columns.names(), mistakes, reminders
        )

    def _look_at_words(self) -> tuple[tuple[ConfigError, ...], tuple[str, ...]]:
        """Return the mistakes and warnings about words of the command."""
        last = self.parameters.set(*self.last).values
        for one in self.words:
            one.end(last)
        mistakes = itertools.chain.from_iterable(one.mistakes() for one in self.words)
        return tuple(mistakes), tuple(text for one in self.words for text in one.warnings())

    def _read(self) -> None:
        """Read all sets once. Runs a million times round its inner loop: nothing stands there
        without need.
        """
        appends = [bucket.append for bucket in self.buckets]
        limit, quick, join = self.inspector.characters, self.quick, "".join
        cells: Cells = ()
        line = 0
        for rows in _in_chunks(self.parameters.kept()):
            for cells, line in rows:
                digest = hash(cells)
                appends[digest & 255](digest)
                if len(join(cells)) > limit:
                    self._inspect(self.inspector.whole, cells, line)
                elif quick:
                    self._inspect(quick, cells, line)
            if self.first is None:
                self.first = rows[0]
                for one in self.words:
                    one.begin(self.parameters.set(*self.first).values)
            for one in self.words:
                one.look(self.parameters.names, rows)
            self.columns.look([cells for cells, _ in rows])
        self.count = sum(map(len, self.buckets))
        self.last = (cells, line)

    def _inspect(self, inspect: Inspect, cells: Cells, line: int) -> None:
        """Check one set. Raises ConfigError with its line, or with the set where it has no line."""
        try:
            inspect(dict(zip(self.parameters.names, cells, strict=True)))
        except ConfigError as error:
            place = self.parameters.place(line)
            where = place
            if cells and not line:
                where = f"{place}: the set {shown(self.parameters.set(cells, 0).values)}"
            raise ConfigError(error.what, where=where, todo=error.todo) from error

    def _equal_sets(self, repeated: frozenset[int]) -> list[str]:
        """Read all sets again and return warnings about equal ones; put `count` and `last` right."""
        warnings: list[str] = []
        more = 0
        for cells, first, second in self._equal_pairs(repeated):
            self.count -= 1
            if len(warnings) < _NAMED:
                warnings.append(self._equal(cells, first, second))
            else:
                more += 1
        if more:
            warnings.append(f"{self.parameters.source}: {more} more sets are there already")
        return warnings

    def _equal_pairs(self, repeated: frozenset[int]) -> Iterator[tuple[Cells, int, int]]:
        """Yield each set that is there again: its cells, its first line and this one."""
        seen: dict[Cells, int] = {}
        for cells, line in self.parameters.kept():
            # Different sets may have one hash, so the cells decide.
            if hash(cells) in repeated and cells in seen:
                yield cells, seen[cells], line
                continue
            if hash(cells) in repeated:
                seen[cells] = line
            self.last = (cells, line)

    def _equal(self, cells: Cells, first: int, second: int) -> str:
        """Return the warning about one pair of equal sets."""
        if first and second and first != second:
            return (
                f"{self.parameters.source}: lines {first} and {second} are equal: one set ({_MORE})"
            )
        values = self.parameters.set(cells, 0).values
        return (
            f"{self.parameters.source}: the set {shown(values)} is there twice: one set ({_MORE})"
        )

    def _decimal_comma(self) -> Iterator[str]:
        """Warn about a number with a decimal comma that `where` has compared as a text."""
        where = self.parameters.where
        if where is not None and where.decimal_comma is not None:
            name, value = where.decimal_comma
            yield (
                f"{self.parameters.source}: {name} is {value!r} in a set, which is a text for `where`: "
                "numbers are written with a point, not a comma"
            )

    def _nothing(self) -> ConfigError:
        """Return the error for a sweep without any set."""
        source = self.parameters.source
        if self.parameters.where:
            todo = "Give a `where` that is true for some set."
            return ConfigError(
                f"where: {self.parameters.where.text!r} keeps no set", where=source, todo=todo
            )
        return ConfigError(
            "there is a header but no set",
            where=source,
            todo="Write one line a set below the header.",
        )


def _in_chunks(rows: Iterator[tuple[Cells, int]]) -> Iterator[list[tuple[Cells, int]]]:
    """Yield all rows, many at once.

    The rows before a wrong one come first, so that the first fault of a file is the one that is
    told.
    """
    while True:
        chunk: list[tuple[Cells, int]] = []
        try:
            chunk.extend(itertools.islice(rows, _CHUNK))  # keeps what it had when it breaks off
        except ConfigError:
            if chunk:
                yield chunk
            raise
        if not chunk:
            return
        yield chunk


def _repeated(buckets: list[array[int]]) -> Iterator[int]:
    """Yield the hashes that several sets have."""
    for bucket in buckets:
        if len(set(bucket)) != len(bucket):
            yield from (digest for digest, times in Counter(bucket).items() if times > 1)


def shown(values: Mapping[str, str], limit: int = 80) -> str:
    """Return a set for a message: `x=1, y='a b'`, cut where it gets long."""
    text = ", ".join(f"{name}={_shown_value(value, limit)}" for name, value in values.items())
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return text


def _shown_value(value: str, limit: int) -> str:
    """Return a value, in quotes where it could not be told from the text around it."""
    if " " in value or not value:
        return repr(value[:limit])
    return value[:limit]

"""The parameter sets of a sweep: blocks (rows, grid, zip, repeat) combined as a product, filtered by `where`.

Nothing is held in memory but the values of the small blocks: a file is read once by `check`, which raises what
is wrong with it and finds equal sets, and then streamed by whoever iterates. Order: the rows vary slowest, then
the grid (its first name slowest), then the zip, then the repetitions.
What a set's values are used for is told by an inspector, given by recipe.py.
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
from .parameter_file import Cells
from .pattern import Condition

#: Pairs of equal lines that are named; more are counted.
_NAMED = 5
_BUCKETS = 256
_CHUNK = 1000
_MORE = "`repeat` runs a set more often"


class Block(Protocol):
    """Some names, and rows of cells for them, each with its line in a file or 0."""

    @property
    def names(self) -> Cells: ...
    def rows(self) -> Iterator[tuple[Cells, int]]: ...
    def has_nul(self) -> bool: ...
    def columns(self) -> Sequence[Sequence[str]] | None:
        """Cells that show what is in each column, in the order of the names; None: only all rows show it."""

    def content(self) -> Iterator[bytes]:
        """All that its rows are made of: as long as this is the same, they are."""


@record
class Listed:
    """Rows that stand in spe.yaml: `rows:` and `zip:`."""

    names: Cells
    cells: Sequence[Cells]
    lines: Sequence[int] = ()

    def rows(self) -> Iterator[tuple[Cells, int]]:
        return zip(self.cells, itertools.chain(self.lines, itertools.repeat(0)), strict=False)

    def has_nul(self) -> bool:
        return any("\0" in cell for row in self.cells for cell in row)

    def columns(self) -> Sequence[Sequence[str]]:
        return list(zip(*self.cells, strict=True))

    def content(self) -> Iterator[bytes]:
        yield repr((self.names, len(self.cells))).encode()
        yield from (repr(row).encode() for row in self.cells)


@record
class Grid:
    """The product of the values of each name; the first name varies slowest."""

    names: Cells
    values: Sequence[Sequence[str]]

    def rows(self) -> Iterator[tuple[Cells, int]]:
        first, rest = self.values[0], self.values[1:]
        for value in first:  # not itertools.product alone: it would hold a range of a million in memory
            for others in itertools.product(*rest):
                yield (value, *others), 0

    def has_nul(self) -> bool:
        return any("\0" in value for values in self.values if isinstance(values, tuple) for value in values)

    def columns(self) -> Sequence[Sequence[str]]:
        """Steps have numbers only, and may have millions of them: the first one shows it."""
        return [values if isinstance(values, tuple) else values[:1] for values in self.values]

    def content(self) -> Iterator[bytes]:
        yield repr((self.names, [len(values) for values in self.values])).encode()
        yield from (repr(value).encode() for values in self.values for value in values)


@record
class Census:
    """What the first pass found: how many different sets, the first and the last of them, warnings, and the names of
    the parameters that are numbers in all sets."""

    count: int
    first: ParameterSet
    last: ParameterSet
    warnings: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()


Inspect = Callable[[Mapping[str, str]], None]


@record
class Inspector:
    """What is to be checked of the sets. Both checks raise ConfigError without `where`.

    `whole` is for sets with a NUL or more than `characters` in their cells, `quick` for all others, if there
    is one; `first` gives warnings about the first set.
    """

    whole: Inspect = lambda values: None
    quick: Inspect | None = None
    characters: int = 1 << 62
    first: Callable[[Mapping[str, str]], Iterable[str]] = lambda values: ()


@dataclass
class Parameters:
    """A stream of different parameter sets. Iterate as often as you like; `check` comes first by itself."""

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
        """Read everything once; raises ConfigError at the first set that is wrong."""
        if self._census is None:
            self._census = _FirstPass(self).census()
        return self._census

    def __iter__(self) -> Iterator[ParameterSet]:
        self.check()
        seen: set[Cells] = set()
        for cells, line in self.kept():
            if self._repeated and hash(cells) in self._repeated:
                if cells in seen:
                    continue
                seen.add(cells)
            yield self.set(cells, line)

    def digest(self) -> bytes:
        """The same as long as the same sets come in the same order."""
        digest = hashlib.blake2b(repr((self.names, self.where.text if self.where else None)).encode())
        for block in self.blocks:
            one = hashlib.blake2b()  # of its own: where it ends is then part of it
            for piece in block.content():
                one.update(piece)
            digest.update(one.digest())
        return digest.digest()

    def set(self, cells: Cells, line: int) -> ParameterSet:
        """The cells under their names."""
        return ParameterSet(dict(zip(self.names, cells, strict=True)), line)

    def kept(self) -> Iterator[tuple[Cells, int]]:
        """All cells and lines that `where` keeps, equal ones too."""
        if self.where is None:
            return _product(self.blocks)
        return self._filtered(self.where)

    def _filtered(self, where: Condition) -> Iterator[tuple[Cells, int]]:
        for cells, line in _product(self.blocks):
            values = dict(zip(self.names, cells, strict=True))
            try:
                keep = where.holds(values)
            except ConfigError as error:
                raise ConfigError(
                    f"where: {error.what} ({shown(values)})", where=self.place(line), todo=error.todo
                ) from error
            if keep:
                yield cells, line

    def place(self, line: int) -> str:
        """`params.csv:7`."""
        return f"{self.source}:{line}" if line else self.source


class _FirstPass:
    """One reading of all sets: counts them, finds equal ones by their hashes, and looks at what must be looked at."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters, self.inspector = parameters, parameters.inspector
        nul = any(block.has_nul() for block in parameters.blocks)
        self.quick = self.inspector.whole if nul else self.inspector.quick
        self.buckets = [array("q") for _ in range(_BUCKETS)]  # 8 bytes a set, whatever the set
        self.count = 0
        self.first: tuple[Cells, int] | None = None
        self.last: tuple[Cells, int] = ((), 0)
        self.columns = NumericColumns(parameters.blocks, filtered=parameters.where is not None)

    def census(self) -> Census:
        self._read()
        if self.first is None:
            raise self._nothing()
        repeated = frozenset(_repeated(self.buckets))
        warnings = list(self.inspector.first(self.parameters.set(*self.first).values))
        if repeated:
            self.parameters._repeated = repeated
            warnings += self._equal_sets(repeated)
        first, last = self.parameters.set(*self.first), self.parameters.set(*self.last)
        return Census(self.count, first, last, tuple(warnings), self.columns.names())

    def _read(self) -> None:
        appends = [bucket.append for bucket in self.buckets]
        limit, quick, join = self.inspector.characters, self.quick, "".join
        cells: Cells = ()
        line = 0
        for rows in _in_chunks(self.parameters.kept()):
            for cells, line in rows:  # a million times: nothing here that need not be
                digest = hash(cells)
                appends[digest & 255](digest)
                if len(join(cells)) > limit:
                    self._inspect(self.inspector.whole, cells, line)
                elif quick:
                    self._inspect(quick, cells, line)
            if self.first is None:
                self.first = rows[0]
            self.columns.look([cells for cells, _ in rows])
        self.count, self.last = sum(map(len, self.buckets)), (cells, line)

    def _inspect(self, inspect: Inspect, cells: Cells, line: int) -> None:
        try:
            inspect(dict(zip(self.parameters.names, cells, strict=True)))
        except ConfigError as error:
            place = self.parameters.place(line)
            where = place if line or not cells else f"{place}: the set {shown(self.parameters.set(cells, 0).values)}"
            raise ConfigError(error.what, where=where, todo=error.todo) from error

    def _equal_sets(self, repeated: frozenset[int]) -> list[str]:
        """A second reading: the pairs of equal sets, as warnings; `count` and `last` are put right."""
        seen: dict[Cells, int] = {}
        warnings: list[str] = []
        more = 0
        for cells, line in self.parameters.kept():
            if hash(cells) in repeated and cells in seen:
                self.count -= 1
                if len(warnings) < _NAMED:
                    warnings.append(self._equal(cells, seen[cells], line))
                else:
                    more += 1
                continue
            if hash(cells) in repeated:
                seen[cells] = line
            self.last = (cells, line)
        return [*warnings, f"{self.parameters.source}: {more} more sets are there already"] if more else warnings

    def _equal(self, cells: Cells, first: int, second: int) -> str:
        if first and second and first != second:
            return f"{self.parameters.source}: lines {first} and {second} are equal: one set ({_MORE})"
        values = self.parameters.set(cells, 0).values
        return f"{self.parameters.source}: the set {shown(values)} is there twice: one set ({_MORE})"

    def _nothing(self) -> ConfigError:
        source = self.parameters.source
        if self.parameters.where:
            todo = "Give a `where` that is true for some set."
            return ConfigError(f"where: {self.parameters.where.text!r} keeps no set", where=source, todo=todo)
        return ConfigError("there is a header but no set", where=source, todo="Write one line a set below the header.")


def _in_chunks(rows: Iterator[tuple[Cells, int]]) -> Iterator[list[tuple[Cells, int]]]:
    """All rows, many at once. Those before a wrong one come first, so that the first fault of a file is told."""
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


def _product(blocks: Sequence[Block]) -> Iterator[tuple[Cells, int]]:
    """The product of the blocks; none at all makes one set without parameters."""
    if not blocks:
        return iter([((), 0)])
    return blocks[0].rows() if len(blocks) == 1 else _combined(blocks[0], blocks[1:])


def _combined(first: Block, rest: Sequence[Block]) -> Iterator[tuple[Cells, int]]:
    for cells, line in first.rows():
        for others, other in _product(rest):
            yield cells + others, line or other


def _repeated(buckets: list[array[int]]) -> Iterator[int]:
    for bucket in buckets:
        if len(set(bucket)) != len(bucket):
            yield from (digest for digest, times in Counter(bucket).items() if times > 1)


def shown(values: Mapping[str, str], limit: int = 80) -> str:
    """`x=1, y=a b`, cut where it gets long."""
    text = ", ".join(f"{name}={value[:limit]!r}" if " " in value or not value else f"{name}={value[:limit]}"
                     for name, value in values.items())  # fmt: skip
    return text if len(text) <= limit else text[: limit - 1] + "…"

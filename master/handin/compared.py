"""The results of a replay beside those of the zip: which sets differ, and how.

Sets of both are brought together by their identities, because a set may have another number in
another run. A page of them is in memory at a time.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..model import Kind, ResultSpec, TaskState
from ..record import record
from ..results.reading.same_number import same_number
from ..results.table_files import ResultRow
from ..store.reader import StandingSet
from .archive import SHOWN, Archive
from .evidence import Evidence, cell_of, evidence_of
from .manifest import DIGESTS, FAILED, SETS, TABLE

if TYPE_CHECKING:
    from ..store.reader import Reader
    from ..sweep.plan import Sweep

PAGE = 500  # sets in memory
LONGEST = 64 << 20  # characters of a cell: Python's own limit is less than a cell of JSON may have
ABSENT = "no such file"


@record
class Difference:
    """A result that is not what it was. `result` "": the set itself ended in another way."""

    number: int  # of the set in the zip
    values: Mapping[str, str]
    result: str
    file: str  # of a result of files; "" for the others
    then: str
    now: str


@record
class KnownSet:
    """A set of the zip: its results, or why it failed; neither for one that was not run."""

    number: int
    values: dict[str, str]
    results: Mapping[str, Evidence] | None
    reason: str | None


@dataclass
class Tally:
    """Counts of sets while they are compared."""

    compared: int = 0
    differing: int = 0
    not_run: int = 0
    of_other_programs: int = 0
    not_run_then: int = 0  # the run of the zip had not come to its end


class Comparison:
    """Compares a replay with its zip. `tolerance`: relative, for numbers."""

    def __init__(
        self, archive: Archive, sweep: Sweep, made_here: Callable[[int], bool], tolerance: Fraction
    ) -> None:
        """`made_here` tells of a set's number whether the program that is here made its row."""
        self._archive, self._sweep = archive, sweep
        self._made_here, self._tolerance = made_here, tolerance
        self._kinds = archive.manifest.results
        self._specs: Mapping[str, ResultSpec] = {one.name: one for one in sweep.results}
        self.tally = Tally()

    def differences(self, reader: Reader) -> Iterator[Difference]:
        """Yield what differs, in the order of the parameters; `tally` is complete at the end."""
        sets = iter(known_sets(self._archive))
        while page := self._next_page(sets):
            yield from self._page(reader, page)

    def _next_page(self, sets: Iterator[KnownSet]) -> list[KnownSet]:
        try:
            return list(islice(sets, PAGE))
        except (ValueError, LookupError, csv.Error) as error:
            raise self._archive.fault(f"its tables are damaged: {error}") from error

    def _page(self, reader: Reader, page: Sequence[KnownSet]) -> Iterator[Difference]:
        keys = [self._sweep.key(one.values) for one in page]
        standing = reader.standing(keys)
        rows = {row.number: row for row in reader.rows([one.number for one in standing.values()])}
        for one, key in zip(page, keys, strict=True):
            now = standing.get(key)
            row = rows.get(now.number) if now else None
            found = list(self._of_set(one, now, row, reader))
            self.tally.differing += bool(found)
            yield from found

    def _of_set(
        self, then: KnownSet, now: StandingSet | None, row: ResultRow | None, reader: Reader
    ) -> Iterator[Difference]:
        if then.results is None and then.reason is None:
            self.tally.not_run_then += 1  # so there is nothing to compare with
            return
        if not self._made_here(then.number):
            self.tally.of_other_programs += 1
            return
        if now is None or (row is None and now.state not in (TaskState.FAILED, TaskState.CANCELLED)):
            self.tally.not_run += 1
            return
        self.tally.compared += 1
        if row is None or then.results is None:
            if then.results is not None:
                failed = f"failed: {_first_line(reader.task(now.number).reason or '')}"
                yield Difference(then.number, then.values, "", "", "done", failed)
            elif row is not None:
                before = f"failed: {_first_line(then.reason or '')}"
                yield Difference(then.number, then.values, "", "", before, "done")
            return
        today = evidence_of(row, self._kinds, self._specs, Path(reader.folder))
        for name, kind in self._kinds.items():
            for file, before, after in self._of_result(kind, then.results[name], today[name]):
                yield Difference(then.number, then.values, name, file, before, after)

    def _of_result(
        self, kind: Kind, then: Evidence, now: Evidence
    ) -> Iterator[tuple[str, str, str]]:
        """Yield (file, what it was, what it is)."""
        if kind in (Kind.INT, Kind.FLOAT):
            if not same_number(then.cell, now.cell, self._tolerance):
                yield "", then.cell, now.cell
        elif kind.is_path:
            for file in sorted({*then.digests, *now.digests}):
                before, after = then.digests.get(file), now.digests.get(file)
                if before != after:
                    yield file, _shown_digest(before), _shown_digest(after)
        elif then.digests != now.digests or (not then.digests and then.cell != now.cell):
            if then.cell != now.cell:
                yield "", then.cell, now.cell
            else:  # they differ in what a cell does not show, such as the newline at the end
                yield "", _with_digest(then), _with_digest(now)


def _shown_digest(digest: str | None) -> str:
    if digest is None:
        return ABSENT
    return f"SHA-256 {digest[:SHOWN]}…" if len(digest) == 64 else digest


def _with_digest(one: Evidence) -> str:
    digest = one.digests.get("")
    return f"{one.cell} ({f'SHA-256 {digest[:SHOWN]}…' if digest else 'and one newline'})"


def _first_line(reason: str) -> str:
    return "".join(reason.splitlines()[:1])


# -- the sets of the zip


def known_sets(archive: Archive) -> Iterator[KnownSet]:
    """Yield the sets of a zip in the order of the parameters."""
    csv.field_size_limit(LONGEST)
    manifest = archive.manifest
    kinds = manifest.results
    with (
        archive.text(SETS) as sets,
        archive.text(TABLE) as table,
        archive.text(FAILED) as failed,
        archive.text(DIGESTS) as digests,
    ):
        rows, reasons = _InStep(table), _InStep(failed)
        files = _InStep(digests)
        places = {name: rows.head.index(name) for name in kinds}
        for cells in _InStep(sets).all():
            number = int(cells[0])
            values = dict(zip(manifest.parameters, cells[1:], strict=True))
            row = next(rows.of(number), None)
            reason = next(reasons.of(number), None)
            results = None
            if row is not None:
                found = {name: cell_of(row[at], kinds[name], number) for name, at in places.items()}
                results = _with_digests(found, files.of(number))
            yield KnownSet(number, values, results, reason[-1] if reason else None)


def _with_digests(cells: Mapping[str, str], rows: Iterable[list[str]]) -> dict[str, Evidence]:
    digests: dict[str, dict[str, str]] = {name: {} for name in cells}
    for _, result, file, sha256 in rows:
        digests.setdefault(result, {})[file] = sha256
    return {name: Evidence(cell, digests[name]) for name, cell in cells.items()}


class _InStep:
    """The rows of a table that is read beside others, all in the order of the parameters."""

    def __init__(self, stream: Iterable[str]) -> None:
        self._rows = csv.reader(stream)
        self.head = next(self._rows, [])
        self._next = next(self._rows, None)

    def of(self, number: int) -> Iterator[list[str]]:
        """Yield the next rows, as long as they are those of this set."""
        while self._next is not None and self._next[0] == str(number):
            row, self._next = self._next, next(self._rows, None)
            yield row

    def all(self) -> Iterator[list[str]]:
        """Yield all rows."""
        while self._next is not None:
            row, self._next = self._next, next(self._rows, None)
            yield row

"""Is the program that is here the one that made the rows?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..store.history import provenance
from ..sweep.program import changed_parts, names_of
from .manifest import Manifest, Program

if TYPE_CHECKING:
    from ..store.reader import Reader
    from ..sweep.plan import Sweep


def programs_of(reader: Reader) -> list[Program]:
    """Return the programs that made the rows; the first one made most of them."""
    shares = provenance.programs(reader)
    rows = {one.row for one in shares[1:]}
    numbers: dict[int | None, list[int]] = {row: [] for row in rows}
    if rows:
        for one in provenance.known_sets(reader):
            if one.has_row and one.program in numbers:
                numbers[one.program].append(one.number)
    return [
        Program(one.parts, one.sets, None if at == 0 else numbers[one.row])
        for at, one in enumerate(shares)
    ]


def check_program(sweep: Sweep, reader: Reader) -> None:
    """Raise UsageError where today's program did not make all rows: it would not repeat them."""
    today = sweep.program()
    for one in provenance.programs(reader):
        changed = [] if one.parts is None else changed_parts(one.parts, today)
        if changed:
            worker = sweep.worker.name if sweep.worker else ""
            rows = "1 row" if one.sets == 1 else f"{one.sets} rows"
            what = f"{names_of(changed, worker)} has changed since it made {rows} of the table"
            todo = "`spe run --fresh` makes all rows by today's program; or leave out --program."
            raise UsageError(what, where=str(reader.folder), todo=todo)


def made_by(manifest: Manifest, sweep: Sweep, where: str) -> Callable[[int], bool]:
    """Return what tells whether the program here made the row of a set.

    Raises UsageError where it made none.
    """
    today = sweep.program()
    fits = [_is_same(one.parts, today) for one in manifest.programs]
    if not any(fits):
        changed = changed_parts(manifest.programs[0].parts or {}, today) if manifest.programs else []
        worker = sweep.worker.name if sweep.worker else ""
        what = f"the program here is not the one of the zip: {names_of(changed, worker)}"
        raise UsageError(what, where=where, todo="Supply the program of the run: --with FOLDER.")
    of_set = {
        number: fit
        for one, fit in zip(manifest.programs, fits, strict=True)
        for number in one.numbers or ()
    }
    of_others = next(
        (fit for one, fit in zip(manifest.programs, fits, strict=True) if one.numbers is None), True
    )
    return lambda number: of_set.get(number, of_others)


def _is_same(before: Mapping[str, str] | None, now: Mapping[str, str]) -> bool:
    return before is None or not changed_parts(before, now)

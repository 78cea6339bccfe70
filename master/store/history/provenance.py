"""When, where, by which program and from which parameters the rows of the table came.

All questions are about the sets of the last run. Each reads all of them once: about a second for a
million sets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ...record import record
from .. import schema
from ..sessions import SPE

if TYPE_CHECKING:
    from ..reader import Reader

BARS = 30  # of the distribution of durations
_ROWS = f"FROM tasks t JOIN tickets k ON k.id = t.ticket WHERE t.plan = ? AND {schema.HAS_ROW}"


@record
class Span:
    """The rows together: the first start, the last end (seconds since 1970), seconds of programs."""

    rows: int
    began: float
    ended: float
    seconds: float


@record
class HostShare:
    """The part of a host: its rows, their seconds, its platform and slots ("" and 0: not known)."""

    name: str
    sets: int
    seconds: float
    platform: str
    slots: int


@record
class ProgramShare:
    """The rows that one program made. `parts`: file -> SHA-256; None: not recorded."""

    sets: int
    parts: Mapping[str, str] | None
    row: int | None  # of the table `programs`


@record
class ParameterRange:
    """The values of a parameter: how many different ones, and the least and greatest."""

    name: str
    different: int
    least: str
    greatest: str


@record
class KnownSet:
    """A set of the last run. `program`: row of the table `programs`, of its result."""

    number: int
    key: bytes
    values: dict[str, str]
    has_row: bool
    program: int | None


def span(reader: Reader) -> Span:
    """Return when the rows were made. Without a row all is 0."""
    query = f"""
    SELECT count(*), coalesce(min(k.issued), 0.0),
      coalesce(max(k.issued + coalesce(k.seconds, 0.0)), 0.0), coalesce(sum(k.seconds), 0.0) {_ROWS}
    """
    return Span(*reader.connection.execute(query, (reader.plan,)).fetchone())


def has_rows(reader: Reader) -> bool:
    """Tell whether any set of the last run has a row in the table."""
    return reader.connection.execute(f"SELECT 1 {_ROWS} LIMIT 1", (reader.plan,)).fetchone() is not None


def hosts(reader: Reader) -> list[HostShare]:
    """Return the hosts that made rows, those with most rows first."""
    query = f"""
    SELECT k.host, count(*), coalesce(sum(k.seconds), 0.0) {_ROWS} GROUP BY k.host ORDER BY 2 DESC, 1
    """
    known = {
        host: (platform, slots)
        for host, platform, slots in reader.connection.execute(
            "SELECT host, platform, max(slots) FROM clients GROUP BY host"
        )
    }
    found = reader.connection.execute(query, (reader.plan,))
    shares = []
    for name, sets, seconds in found:
        platform, slots = known.get(name, ("", 0))
        shares.append(HostShare(name, sets, seconds, platform, slots))
    return shares


def programs(reader: Reader) -> list[ProgramShare]:
    """Return the programs that made rows, the one with most rows first."""
    query = f"SELECT count(*), k.program {_ROWS} GROUP BY k.program ORDER BY 1 DESC, 2"
    texts = reader.programs()
    found = reader.connection.execute(query, (reader.plan,)).fetchall()
    return [
        ProgramShare(sets, json.loads(texts[row]) if row in texts else None, row)
        for sets, row in found
    ]


def parameter_range(reader: Reader, name: str) -> ParameterRange:
    """Return the values of one parameter over all sets of the last run."""
    cell = schema.cell(name)
    order = schema.number_cell(name) if name in reader.numeric else cell
    # The bare column beside min() and max() comes from the row of the minimum, of the maximum.
    ends = [
        reader.connection.execute(
            f"SELECT {cell}, {way}({order}) FROM tasks t WHERE t.plan = ?", (reader.plan,)
        ).fetchone()[0]
        for way in ("min", "max")
    ]
    query = f"SELECT count(DISTINCT {cell}) FROM tasks t WHERE t.plan = ?"
    (different,) = reader.connection.execute(query, (reader.plan,)).fetchone()
    return ParameterRange(name, different, *(str(one or "") for one in ends))


def durations(reader: Reader) -> tuple[float, float, list[int]]:
    """Return the shortest and the longest duration of a row, and the rows in equal steps between."""
    query = f"SELECT min(k.seconds), max(k.seconds) {_ROWS}"
    least, most = reader.connection.execute(query, (reader.plan,)).fetchone()
    bars = [0] * BARS
    if least is None:
        return 0.0, 0.0, bars
    step = (most - least) / BARS or 1.0
    query = f"""
    SELECT min({BARS - 1}, CAST((k.seconds - ?) / ? AS INTEGER)) AS bar, count(*) {_ROWS}
    AND k.seconds IS NOT NULL GROUP BY bar
    """
    for bar, sets in reader.connection.execute(query, (least, step, reader.plan)):
        bars[bar] = sets
    return least, most, bars


def command(reader: Reader) -> str:
    """Return the command as earlier/kept_command.py writes it; "" where it is not stored."""
    known = "SELECT 1 FROM sqlite_master WHERE name = 'commands'"
    if not reader.connection.execute(known).fetchone():
        return ""
    query = "SELECT command FROM commands WHERE plan <= ? ORDER BY plan DESC LIMIT 1"
    row = reader.connection.execute(query, (reader.plan,)).fetchone()
    return str(row[0]) if row else ""


def version(reader: Reader) -> str:
    """Return the version of the spe that began the last run; "" where it is not stored."""
    return reader.meta(SPE)


def known_sets(reader: Reader) -> Iterator[KnownSet]:
    """Yield the sets of the last run, in the order of the parameters."""
    query = f"""
    SELECT t.number, t.key, t.parameters, {schema.HAS_ROW}, k.program
    FROM tasks t LEFT JOIN tickets k ON k.id = t.ticket WHERE t.plan = ? ORDER BY t.position
    """
    for number, key, values, has_row, program in reader.connection.execute(query, (reader.plan,)):
        yield KnownSet(number, bytes(key), json.loads(values), bool(has_row), program)


def newest_results(reader: Reader) -> str:
    """Return the row of the newest `results` in the table `specs`; "" where none is stored."""
    return reader.meta("spec")



"""What the programs of sets that have ended printed, as far as it is stored; for `spe run --lines`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from sqlite3 import Connection

from ...model import ResultSpec, TaskState
from ...record import record
from ...results.evidence import KEPT
from ...results.extraction import STDOUT
from ..schema import get_meta
from ..stored import UNTIL, read_specs
from ..writes import SPEC

STDERR = "stderr"
# Sets that ended, and the attempt whose output counts: the one with the result, else the last that
# went wrong. Files of a result that replaces another one lie elsewhere until they are placed.
_ENDED = """
SELECT t.number, t.state, t.parameters,
  coalesce(t.ticket, (
    SELECT max(id) FROM tickets WHERE task = t.number AND state IN ('failed', 'rejected')
  )),
  t.ticket IS NOT NULL, t.spec,
  t.ticket IS NULL OR NOT EXISTS (SELECT 1 FROM staged WHERE task = t.number)
FROM tasks t
WHERE t.number IN (SELECT value FROM json_each(?)) AND t.plan = ?
AND t.state IN ('done', 'failed', 'cancelled')
"""
# A cell may have megabytes, and is needed only where it is the bytes, too.
_OUTPUT = """
SELECT raw, file, CASE WHEN raw IS NULL AND file IS NULL THEN value END FROM outputs
WHERE task = ? AND name = ?
"""


@record
class EndedSet:
    """A set of today that is done, failed or cancelled, as it stands in the store."""

    number: int
    state: TaskState
    parameters: str  # a JSON object of texts
    ticket: int | None  # the attempt whose output counts; None: none ran to its end
    has_result: bool
    spec: int | None  # row of `specs` that its outputs were made by
    is_placed: bool  # the files of its result are where the database says


@record
class Printed:
    """All that a program printed to one output, or the end of it: in `raw`, or in `file` below
    runs/<name>/.
    """

    raw: bytes = b""
    file: str | None = None
    is_cut: bool = False


def todays_sets(connection: Connection, plan: int) -> Iterator[int]:
    """Yield the numbers of the sets of a reading, in the order of the parameters."""
    query = "SELECT number FROM tasks WHERE plan = ? ORDER BY position"
    return (row[0] for row in connection.execute(query, (plan,)))


def ended_among(
    connection: Connection, plan: int, numbers: Sequence[int]
) -> dict[int, EndedSet]:
    """Return those of these sets that are of this reading and have ended, by their numbers."""
    rows = connection.execute(_ENDED, (json.dumps(list(numbers)), plan)).fetchall()
    return {row[0]: _ended(*row) for row in rows}


def _ended(
    number: int,
    state: str,
    parameters: str,
    ticket: int | None,
    has_result: int,
    spec: int | None,
    is_placed: int,
) -> EndedSet:
    return EndedSet(
        number, TaskState(state), parameters, ticket, bool(has_result), spec, bool(is_placed)
    )


class PrintedOutputs:
    """Reads what sets printed from an open database; lives as long as the connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._specs: dict[int, tuple[ResultSpec, ...]] = {}
        self._until = int(get_meta(connection, UNTIL, "0"))

    def of(self, one: EndedSet) -> tuple[Printed, Printed]:
        """Return what the program of a set wrote to stdout and to stderr."""
        if one.ticket is None or one.state is TaskState.CANCELLED:
            return Printed(), Printed()
        query = "SELECT stdout, stderr FROM logs WHERE ticket = ?"
        # No row: nothing was printed.
        log = self._connection.execute(query, (one.ticket,)).fetchone() or (b"", b"")
        stdout = self._whole_stdout(one) if one.has_result else None
        stderr = self._kept(one.number, STDERR) if one.has_result else None
        return stdout or self._logged_stdout(one.ticket, log[0]), stderr or _tail(log[1])

    def _logged_stdout(self, ticket: int, logged: bytes | None) -> Printed:
        """Return what is stored of stdout beside the results."""
        # Not sent by the client, or not stored by an spe before schema 6.
        if logged is None or (not logged and ticket <= self._until):
            return Printed(is_cut=True)
        return _tail(logged)

    def _whole_stdout(self, one: EndedSet) -> Printed | None:
        """Return all of stdout, where a result is made of it or `keep_output` has kept it."""
        for spec in self._specs_of(one.spec):
            if spec.source != STDOUT:
                continue
            found = self._connection.execute(_OUTPUT, (one.number, spec.name)).fetchone()
            if found:
                raw, file, value = found
                # The bytes that are the cell and one newline are not stored twice.
                return Printed(raw if value is None else value.encode() + b"\n", file)
        return self._kept(one.number, STDOUT)

    def _kept(self, number: int, source: str) -> Printed | None:
        query = "SELECT raw, file FROM kept WHERE task = ? AND source = ?"
        found = self._connection.execute(query, (number, source)).fetchone()
        return Printed(*found) if found else None

    def _specs_of(self, spec: int | None) -> tuple[ResultSpec, ...]:
        row = spec if spec is not None else int(get_meta(self._connection, SPEC) or 0)
        if row not in self._specs:
            self._specs = read_specs(self._connection)
        return self._specs.get(row, ())


def _tail(logged: bytes | None) -> Printed:
    """Return the end of an output as it is kept of every attempt."""
    text = logged or b""
    # As elsewhere: what is as long as the most that is kept counts as cut.
    return Printed(text, is_cut=len(text) >= KEPT)

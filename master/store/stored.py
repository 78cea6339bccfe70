"""Stored results read and written set by set, for extraction.py. Other doors to sweep.db: store.py, reader.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ..model import Output, ResultSpec, TaskState, TicketState
from ..results.evidence import KEPT
from ..results.extraction import Evidence, Renewal, StoredSet, parsed
from . import writes

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: meta: the last ticket of before schema 6, of which stdout was not stored. Later, only an empty one is not stored.
UNTIL = "stdout_from"
#: meta: how often outputs were extracted again, so that who makes tables of them notices.
COUNT = "extractions"
#: meta: the first ticket of each `results`, and its row in `specs`; the newest of them.
ERAS, MOST_ERAS = "eras", 50
#: meta: the plan and the row of `specs` for which every set has been looked at.
EXTRACTED = "extracted"

_DIFFERING = """
SELECT t.number, t.state, t.ticket, t.spec, t.reason, k.state,
       l.ticket IS NULL, CASE WHEN length(l.stdout) < ? THEN l.stdout END,
       EXISTS (SELECT 1 FROM gaps WHERE task = t.number)
FROM tasks t JOIN tickets k ON k.id = t.ticket LEFT JOIN logs l ON l.ticket = t.ticket
WHERE t.number > ? AND t.plan = ? AND t.spec IS NOT ? AND t.state IN ('done', 'failed', 'waiting')
ORDER BY t.number LIMIT ?
"""


def read_specs(connection: Connection) -> dict[int, tuple[ResultSpec, ...]]:
    """All `results` that outputs were ever made by here."""
    rows = connection.exec_driver_sql("SELECT id, results FROM specs").all()
    return {row[0]: parsed(row[1]) for row in rows}


def read_differing(connection: Connection, plan: int, spec: int, after: int, limit: int) -> list[StoredSet]:
    """Up to `limit` sets beyond number `after`, by number, that have a result made by other results than `spec`."""
    rows = connection.exec_driver_sql(_DIFFERING, (KEPT, after, plan, spec, limit)).all()
    numbers = json.dumps([row[0] for row in rows])
    outputs, kept = _outputs(connection, numbers), _kept(connection, numbers)
    until = int(connection.exec_driver_sql("SELECT value FROM meta WHERE key = ?", (UNTIL,)).scalar() or 0)
    return [
        StoredSet(
            number, TaskState(state), ticket, ticket_state == TicketState.ACCEPTED.value, made_by, reason,
            outputs.get(number, {}), kept.get(number, {}), _stdout(ticket > until, silent, stdout), bool(gap),
        )
        for number, state, ticket, made_by, reason, ticket_state, silent, stdout, gap in rows
    ]  # fmt: skip


def _stdout(is_stored: bool, silent: int, stdout: bytes | None) -> bytes | None:
    """All that a program printed, where it was stored and is not cut; `silent`: there is no row about the attempt."""
    if not is_stored:
        return stdout or None
    return b"" if silent else stdout


def _outputs(connection: Connection, numbers: str) -> dict[int, dict[str, Output]]:
    query = (
        "SELECT task, name, value, raw, file, size, number FROM outputs WHERE task IN (SELECT value FROM json_each(?)) "
        "ORDER BY task, name"
    )
    found: dict[int, dict[str, Output]] = {}
    for task, *output in connection.exec_driver_sql(query, (numbers,)):
        found.setdefault(task, {})[output[0]] = Output(*output)
    return found


def _kept(connection: Connection, numbers: str) -> dict[int, dict[str, Evidence]]:
    query = "SELECT task, source, raw, file, size FROM kept WHERE task IN (SELECT value FROM json_each(?))"
    found: dict[int, dict[str, Evidence]] = {}
    for task, *one in connection.exec_driver_sql(query, (numbers,)):
        found.setdefault(task, {})[one[0]] = Evidence(*one)
    return found


def apply(connection: Connection, renewals: Iterable[Renewal]) -> list[Renewal]:
    """Write what became of sets; those that are still as they were read, which are returned."""
    done = [one for one in renewals if _moved(connection, one)]
    changed = [one for one in done if not one.is_adoption]
    for one in changed:
        _write(connection, one)
    if changed:
        connection.exec_driver_sql(
            "INSERT INTO meta VALUES (?, '1') ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1",
            (COUNT,),
        )
    return done


def _moved(connection: Connection, one: Renewal) -> bool:
    """The set itself. A result that came meanwhile, or a hand that put the set back, stands above all this."""
    before = one.before
    found = connection.exec_driver_sql(
        "UPDATE tasks SET state = ?, ticket = ?, reason = ?, spec = ? "
        "WHERE number = ? AND state = ? AND ticket IS ? AND spec IS ?",
        (one.state.value, one.ticket, one.reason, one.spec,
         before.number, before.state.value, before.ticket, before.spec),
    )  # fmt: skip
    return found.rowcount == 1


def _write(connection: Connection, one: Renewal) -> None:
    number = one.before.number
    for name in one.gone:
        connection.exec_driver_sql("DELETE FROM outputs WHERE task = ? AND name = ?", (number, name))
    writes.keep_outputs(connection, [(number, one.outputs)])
    if one.before.kept:
        connection.exec_driver_sql("DELETE FROM kept WHERE task = ?", (number,))
    if one.kept:
        rows = [(number, kept.source, kept.raw, kept.file, kept.size) for kept in one.kept]
        connection.exec_driver_sql("INSERT INTO kept VALUES (?, ?, ?, ?, ?)", rows)
    if one.gap:
        connection.exec_driver_sql("INSERT OR IGNORE INTO gaps VALUES (?)", (number,))
    elif one.before.has_gap:
        connection.exec_driver_sql("DELETE FROM gaps WHERE task = ?", (number,))


def use_results(connection: Connection, results: str) -> int:
    """The row of `specs` of these results, as canonical() has them: what is accepted from now on is made by them.

    Which results tickets were handed out under stays known by their numbers, see `outdated`.
    """
    connection.exec_driver_sql("INSERT OR IGNORE INTO specs (results) VALUES (?)", (results,))
    found = connection.exec_driver_sql("SELECT id FROM specs WHERE results = ?", (results,)).scalar_one()
    before = connection.exec_driver_sql("SELECT value FROM meta WHERE key = ?", (writes.SPEC,)).scalar()
    if before != str(found):
        first = connection.exec_driver_sql("SELECT coalesce(max(id), 0) + 1 FROM tickets").scalar_one()
        eras = [*_eras(connection), [first, found]][-MOST_ERAS:]
        for key, value in ((writes.SPEC, str(found)), (EXTRACTED, ""), (ERAS, json.dumps(eras))):
            connection.exec_driver_sql("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
    return int(found)


def _eras(connection: Connection) -> list[list[int]]:
    found: list[list[int]] = json.loads(
        connection.exec_driver_sql("SELECT value FROM meta WHERE key = ?", (ERAS,)).scalar() or "[]"
    )
    return found


def outdated(connection: Connection, specs: Sequence[ResultSpec]) -> list[range]:
    """Tickets whose clients were told of other results, so that what they bring does not make `specs`: under the name
    of a result they may bring another file."""
    eras, known = _eras(connection), read_specs(connection)
    wanted = {(spec.name, spec.source) for spec in specs}
    found = []
    for (first, spec), (after, _) in pairwise(eras):
        if not wanted <= {(one.name, one.source) for one in known[spec]}:
            found.append(range(first, after))
    return found


def run_again(connection: Connection, plan: int) -> int:
    """Sets with an empty cell wait, with all attempts; their rows stay until new results replace them."""
    found = connection.exec_driver_sql(
        "UPDATE tasks SET state = 'waiting', attempts = 0, lost = 0, faults = NULL, reason = NULL, collected = NULL "
        "WHERE number IN (SELECT task FROM gaps) AND plan = ? AND state = 'done'",
        (plan,),
    )
    writes.set_meta(connection, "replacing", "1")
    return found.rowcount


def missing(connection: Connection, plan: int, limit: int) -> tuple[int, list[int]]:
    """How many rows of the table have an empty cell because it is not stored, and the numbers of the first."""
    which = (
        "FROM gaps g CROSS JOIN tasks t ON t.number = g.task WHERE t.plan = ? "
        "AND (t.state = 'done' OR (t.state = 'waiting' AND t.ticket IS NOT NULL))"
    )
    rows = connection.exec_driver_sql(f"SELECT g.task {which} ORDER BY g.task LIMIT ?", (plan, limit)).all()
    if 0 < len(rows) < limit:
        return len(rows), [row[0] for row in rows]
    count = connection.exec_driver_sql(f"SELECT count(*) {which}", (plan,)).scalar_one()
    return int(count), [row[0] for row in rows]

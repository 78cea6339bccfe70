"""Reads and writes stored results set by set, for extraction.py.

Other doors to sweep.db: store.py, reader.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from sqlite3 import Connection
from typing import Any

from ..model import Output, ResultSpec, TaskState, TicketState
from ..results.evidence import KEPT
from ..results.extraction import Evidence, Renewal, StoredSet, parsed
from .schema import HAS_ROW, get_meta, set_meta
from .writes import SPEC, WAIT_AGAIN, keep_outputs

#: meta: the last ticket of before schema 6, of which stdout was not stored. Later, only an empty
#: one is not stored.
UNTIL = "stdout_from"
#: meta: how often outputs were extracted again, so that who makes tables of them notices.
COUNT = "extractions"
#: meta: the first ticket of each `results`, and its row in `specs`; the newest of them.
ERAS, MOST_ERAS = "eras", 50
#: meta: the plan and the row of `specs` for which every set has been looked at.
EXTRACTED = "extracted"


def read_specs(connection: Connection) -> dict[int, tuple[ResultSpec, ...]]:
    """Return all `results` that outputs were ever made by here, by their rows."""
    return {
        row: parsed(results) for row, results in connection.execute("SELECT id, results FROM specs")
    }


def read_outputs(connection: Connection, numbers: str) -> dict[int, dict[str, Output]]:
    """Return the outputs of sets: number -> name -> output. `numbers`: of the sets, as a JSON list.

    One text, as there may be very many numbers: SQLite takes no more than 32,766 values a
    statement.
    """
    query = """
    SELECT task, name, value, raw, file, size, number FROM outputs
    WHERE task IN (SELECT value FROM json_each(?))
    """
    found: dict[int, dict[str, Output]] = {}
    for task, *output in connection.execute(query, (numbers,)):
        found.setdefault(task, {})[output[0]] = Output(*output)
    return found


# -- what other `results` have made


def read_differing(
    connection: Connection,
    plan: int,
    spec: int,
    after: int,
    limit: int,
    others: Sequence[int] = (),
) -> list[StoredSet]:
    """Return sets that have a result made by other `results` than those in row `spec`, by number.

    Up to `limit` sets beyond number `after`, of this plan or among `others`.
    """
    # In one row: the set, the state of its ticket, whether there is no row of logs, stdout if it is
    # whole, a gap, the parameters.
    query = """
    SELECT t.number, t.state, t.ticket, t.spec, t.reason, k.state,
      l.ticket IS NULL, CASE WHEN length(l.stdout) < ? THEN l.stdout END,
      EXISTS (SELECT 1 FROM gaps WHERE task = t.number), t.parameters
    FROM tasks t JOIN tickets k ON k.id = t.ticket LEFT JOIN logs l ON l.ticket = t.ticket
    WHERE t.number > ? AND (t.plan = ? OR t.number IN (SELECT value FROM json_each(?)))
    AND t.spec IS NOT ? AND t.state IN ('done', 'failed', 'waiting')
    ORDER BY t.number LIMIT ?
    """
    given = (KEPT, after, plan, json.dumps(list(others)), spec, limit)
    rows = connection.execute(query, given).fetchall()
    numbers = json.dumps([row[0] for row in rows])
    outputs, kept = read_outputs(connection, numbers), kept_of(connection, numbers)
    until = int(get_meta(connection, UNTIL, "0"))
    return [_stored_set(row, outputs.get(row[0], {}), kept.get(row[0], {}), until) for row in rows]


def _stored_set(
    row: tuple[Any, ...], outputs: dict[str, Output], kept: dict[str, Evidence], until: int
) -> StoredSet:
    number, state, ticket, made_by, reason, ticket_state, silent, stdout, gap, values = row
    return StoredSet(
        number=number,
        state=TaskState(state),
        ticket=ticket,
        accepted=ticket_state == TicketState.ACCEPTED.value,
        spec=made_by,
        reason=reason,
        outputs=outputs,
        kept=kept,
        stdout=_stdout(ticket > until, silent, stdout),
        values=json.loads(values),
        has_gap=bool(gap),
    )


def _stdout(is_stored: bool, silent: int, stdout: bytes | None) -> bytes | None:
    """Return all that a program printed, where it was stored and is not cut, else None.

    `silent`: there is no row about the attempt.
    """
    if not is_stored:
        return stdout or None
    return b"" if silent else stdout


def kept_of(connection: Connection, numbers: str) -> dict[int, dict[str, Evidence]]:
    """Return what is kept of sets and no result is made of: number -> source -> evidence.

    `numbers`: a JSON list.
    """
    query = """
    SELECT task, source, raw, file, size FROM kept WHERE task IN (SELECT value FROM json_each(?))
    """
    found: dict[int, dict[str, Evidence]] = {}
    for task, *one in connection.execute(query, (numbers,)):
        found.setdefault(task, {})[one[0]] = Evidence(*one)
    return found


# -- what today's `results` have made instead


def apply(connection: Connection, renewals: Iterable[Renewal]) -> list[Renewal]:
    """Write what became of sets that are still as they were read, and return those renewals."""
    done = [one for one in renewals if _move(connection, one)]
    changed = [one for one in done if not one.is_adoption]
    for one in changed:
        _write(connection, one)
    if changed:
        set_meta(connection, COUNT, str(int(get_meta(connection, COUNT, "0")) + 1))
    return done


def _move(connection: Connection, one: Renewal) -> bool:
    """Write the state of a set, and tell whether that was possible.

    A result that came meanwhile, or a hand that put the set back, stands above all this.
    """
    statement = """
    UPDATE tasks SET state = ?, ticket = ?, reason = ?, spec = ?
    WHERE number = ? AND state = ? AND ticket IS ? AND spec IS ?
    """
    before = one.before
    now = (one.state.value, one.ticket, one.reason, one.spec)
    then = (before.number, before.state.value, before.ticket, before.spec)
    return connection.execute(statement, (*now, *then)).rowcount == 1


def _write(connection: Connection, one: Renewal) -> None:
    number = one.before.number
    gone = [(number, name) for name in one.gone]
    connection.executemany("DELETE FROM outputs WHERE task = ? AND name = ?", gone)
    keep_outputs(connection, [(number, one.outputs)])
    if one.before.kept:
        connection.execute("DELETE FROM kept WHERE task = ?", (number,))
    rows = [(number, kept.source, kept.raw, kept.file, kept.size) for kept in one.kept]
    keep = "INSERT INTO kept (task, source, raw, file, size) VALUES (?, ?, ?, ?, ?)"
    connection.executemany(keep, rows)
    if one.gap:
        connection.execute("INSERT OR IGNORE INTO gaps VALUES (?)", (number,))
    elif one.before.has_gap:
        connection.execute("DELETE FROM gaps WHERE task = ?", (number,))


# -- which `results` tickets were handed out under


def use_results(connection: Connection, results: str) -> int:
    """Note that what is accepted from now on is made by these results, and return their row.

    `results`: as canonical() has them. Which results tickets were handed out under stays known by
    their numbers, see `outdated`.
    """
    connection.execute("INSERT OR IGNORE INTO specs (results) VALUES (?)", (results,))
    (found,) = connection.execute("SELECT id FROM specs WHERE results = ?", (results,)).fetchone()
    if get_meta(connection, SPEC) != str(found):
        (first,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM tickets").fetchone()
        eras = [*_eras(connection), [first, found]][-MOST_ERAS:]
        set_meta(connection, SPEC, str(found))
        set_meta(connection, EXTRACTED, "")
        set_meta(connection, ERAS, json.dumps(eras))
    return int(found)


def _eras(connection: Connection) -> list[list[int]]:
    found: list[list[int]] = json.loads(get_meta(connection, ERAS, "[]"))
    return found


def outdated(connection: Connection, specs: Sequence[ResultSpec]) -> list[range]:
    """Return the tickets whose clients were told of other results than `specs`.

    Under the name of a result such a client may bring another file.
    """
    eras, known = _eras(connection), read_specs(connection)
    wanted = {(spec.name, spec.origin) for spec in specs}
    found = []
    for (first, spec), (after, _) in pairwise(eras):
        told = {(one.name, one.origin) for one in known[spec]}
        if not wanted <= told:
            found.append(range(first, after))
    return found


# -- rows with an empty cell


def run_again(connection: Connection, plan: int) -> int:
    """Let sets with an empty cell wait, with all attempts, and return how many.

    Their rows stay until new results replace them.
    """
    which = "number IN (SELECT task FROM gaps) AND plan = ? AND state = 'done'"
    found = connection.execute(f"{WAIT_AGAIN} WHERE {which}", (plan,))
    set_meta(connection, "replacing", "1")
    return found.rowcount


def missing(connection: Connection, plan: int, limit: int) -> tuple[int, list[int]]:
    """Return how many rows have an empty cell because it is not stored.

    Beside it the numbers of the first `limit` sets.
    """
    # The order of a CROSS JOIN stays as it is written: gaps are few, sets may be a million.
    which = f"FROM gaps g CROSS JOIN tasks t ON t.number = g.task WHERE t.plan = ? AND {HAS_ROW}"
    query = f"SELECT g.task {which} ORDER BY g.task LIMIT ?"
    numbers = [row[0] for row in connection.execute(query, (plan, limit))]
    if 0 < len(numbers) < limit:
        return len(numbers), numbers
    (count,) = connection.execute(f"SELECT count(*) {which}", (plan,)).fetchone()
    return count, numbers

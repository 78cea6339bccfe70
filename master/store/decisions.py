"""Writes what people decide about sets: cancelled, tried again, run again with another program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from sqlite3 import Connection

from ..dispatch.changes import Decision, Settled
from ..model import TaskState
from .schema import get_meta, set_meta
from .writes import WAIT_AGAIN, forget_given_up


def remember_program(connection: Connection, parts: str) -> int:
    """Return the number of a program, by the text of its parts (program.py)."""
    connection.execute("INSERT OR IGNORE INTO programs (parts) VALUES (?)", (parts,))
    found = connection.execute("SELECT id FROM programs WHERE parts = ?", (parts,)).fetchone()
    return int(found[0])


def cancel(connection: Connection, plan: int, numbers: Sequence[int], reason: str) -> list[int]:
    """Cancel those of these sets that wait, and return them."""
    statement = """
    UPDATE tasks SET state = 'cancelled', reason = ?, ticket = NULL
    WHERE state = 'waiting' AND plan = ? AND number IN (SELECT value FROM json_each(?))
    RETURNING number
    """
    found = connection.execute(statement, (reason, plan, json.dumps(list(numbers)))).fetchall()
    cancelled = [row[0] for row in found]
    forget_given_up(connection, cancelled)
    return cancelled


def put_back(
    connection: Connection, plan: int, numbers: Sequence[int] | None, but: Sequence[int]
) -> dict[int, TaskState]:
    """Let failed and cancelled sets wait again with all attempts.

    `numbers`: these ones, None: all; never those in `but`. Returns what each of them was before.
    """
    which = """
    SELECT number, state FROM tasks WHERE state IN ('failed', 'cancelled') AND plan = :plan
    AND (:numbers IS NULL OR number IN (SELECT value FROM json_each(:numbers)))
    AND number NOT IN (SELECT value FROM json_each(:but))
    """
    wanted = None if numbers is None else json.dumps(list(numbers))
    given = {"plan": plan, "numbers": wanted, "but": json.dumps(list(but))}
    found = {number: TaskState(state) for number, state in connection.execute(which, given)}
    back = f"{WAIT_AGAIN}, ticket = NULL WHERE number IN (SELECT value FROM json_each(?))"
    connection.execute(back, (json.dumps(list(found)),))
    return found


# -- a run that begins


def settle(connection: Connection, plan: int, decision: Decision) -> Settled:
    """Let wait what is to run again, and remember today's program with it.

    Finished sets keep their row in the table until a new result replaces it. All of it is one
    transaction: a run that is killed before it has decided nothing.
    """
    set_meta(connection, "program", decision.parts)
    if decision.keep:
        # The user's word holds for this program, also when another one has run in between.
        agreed = json.loads(get_meta(connection, "agreed", "{}"))
        agreed[str(decision.program)] = decision.before
        set_meta(connection, "agreed", json.dumps(agreed))
    again = 0
    if decision.fresh:
        again = _run_again(connection, plan, decision)
        set_meta(connection, "replacing", "1")
    retried = 0
    if decision.fresh or decision.retry is not None:
        retried = _retry(connection, plan, decision)
    return Settled(again, retried)


def _run_again(connection: Connection, plan: int, decision: Decision) -> int:
    """Let finished sets wait, and return how many.

    `--fresh` also means finished sets that are none of today's, where another program has made
    them: when they come back, they run again.
    """
    statement = f"""
    {WAIT_AGAIN} WHERE state = 'done' AND ticket < :before AND (plan = :plan OR NOT EXISTS (
      SELECT 1 FROM tickets k
      WHERE k.id = tasks.ticket AND k.program IN (SELECT value FROM json_each(:same))
    ))
    """
    given = {"plan": plan, "before": decision.before, "same": json.dumps(list(decision.same))}
    return connection.execute(statement, given).rowcount


def _retry(connection: Connection, plan: int, decision: Decision) -> int:
    """Let failed and cancelled sets wait, and return how many.

    What has failed in this very run stays so.
    """
    statement = f"""
    {WAIT_AGAIN}, ticket = NULL WHERE plan = :plan AND state IN ('failed', 'cancelled')
    AND (:numbers IS NULL OR number IN (SELECT value FROM json_each(:numbers)))
    AND NOT EXISTS (SELECT 1 FROM tickets k WHERE k.task = tasks.number AND k.id >= :before)
    """
    numbers = None
    if decision.retry and not decision.fresh:
        numbers = json.dumps(list(decision.retry))
    given = {"plan": plan, "before": decision.before, "numbers": numbers}
    return connection.execute(statement, given).rowcount


# -- results of earlier programs

# Also sets that have failed because today's `results` refuses what is stored: another one may take
# it again.
_FINISHED = """
FROM tasks t JOIN tickets k ON k.id = t.ticket
WHERE t.state IN ('done', 'failed') AND k.id >= :since
AND k.program IN (SELECT value FROM json_each(:programs))
"""


def anything_done(connection: Connection) -> bool:
    """Tell whether any set was ever finished here.

    A set whose stored result today's `results` refuses was, too.
    """
    done = "SELECT 1 FROM counts WHERE state = 'done' AND sets > 0 LIMIT 1"
    refused = "SELECT 1 FROM tasks WHERE state = 'failed' AND ticket IS NOT NULL LIMIT 1"
    return any(connection.execute(query).fetchone() for query in (done, refused))


def finished_by(connection: Connection, programs: Sequence[int], since: int) -> bool:
    """Tell whether any set has a result by one of these programs, of a ticket from `since` on."""
    given = {"programs": json.dumps(list(programs)), "since": since}
    return connection.execute(f"SELECT 1 {_FINISHED} LIMIT 1", given).fetchone() is not None


def finished_by_others(connection: Connection, same: Sequence[int]) -> tuple[int, int]:
    """Return how many finished sets of the last run another program has made, and how many there are.

    `same`: the programs whose results today's would give, too.
    """
    query = """
    SELECT count(*), coalesce(sum(
      k.program IS NULL OR k.program NOT IN (SELECT value FROM json_each(?))
    ), 0) FROM tasks t JOIN tickets k ON k.id = t.ticket WHERE t.state = 'done' AND t.plan = ?
    """
    plan = int(get_meta(connection, "plan", "0"))
    count, others = connection.execute(query, (json.dumps(list(same)), plan)).fetchone()
    return int(others), int(count)


def finished_among(
    connection: Connection, keys: Sequence[bytes], programs: Sequence[int], since: int
) -> set[int]:
    """Return which of these programs have made results of the sets with these keys.

    `since`: the first ticket that counts.
    """
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS asked (key BLOB PRIMARY KEY)")
    connection.execute("DELETE FROM temp.asked")
    connection.executemany("INSERT OR IGNORE INTO temp.asked VALUES (?)", [(key,) for key in keys])
    given = {"programs": json.dumps(list(programs)), "since": since}
    query = f"SELECT DISTINCT k.program {_FINISHED} AND t.key IN (SELECT key FROM temp.asked)"
    return {row[0] for row in connection.execute(query, given)}

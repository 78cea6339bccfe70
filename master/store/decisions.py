"""Writes what people decide about sets: cancelled, tried again, run again with another program, added.

The setting `adding` lets no set be lost that was added to a running sweep. Its JSON is `[plan, digest]`:
sets of this reading of the parameters and of later ones are today's, too, where a run goes on with one
that was killed, or has the same parameters as the command that added the sets last (`digest`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from sqlite3 import Connection

from ..dispatch.changes import Decision, Settled
from ..model import TaskState
from ..record import record
from .schema import get_meta, set_meta, show_results
from .writes import WAIT_AGAIN, forget_given_up

#: meta: from which reading on sets are today's, see above; "" where nobody has added any.
ADDING = "adding"
READ = 2000  # sets that are read at once

_NEW = """
INSERT INTO tasks (key, plan, position, parameters, state, attempts, lost)
VALUES (?, ?, ?, ?, 'waiting', 0, 0)
"""


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


# -- sets that people add to a running sweep


@record
class Added:
    """What became of sets that somebody wanted to add.

    `came`: those that are among today's now, by their state. `there`: how many were today's already.
    `others`: how many were finished by another program, and were not added.
    """

    came: Mapping[TaskState, int]
    there: int
    others: int


@record
class Adder:
    """What the command that adds sets leaves for later runs.

    `line`: the JSON of its one-liner, "null" for a file. `plan_digest` and `parameters`: the digests of
    its plan and of its parameters. `numeric`: its parameters that are numbers in all sets.
    """

    line: str
    plan_digest: str
    parameters: str
    numeric: tuple[str, ...]


def add(
    connection: Connection,
    plan: int,
    sets: Sequence[tuple[bytes, str]],
    decision: Decision,
) -> Added:
    """Make these sets today's, behind all that are; each is its key and its parameters as JSON.

    A set of earlier parameters comes back as it was. With `--fresh` a finished one runs again; one that
    another program has finished stays away, as nobody was asked about it.
    """
    last = "SELECT coalesce(max(position), -1) FROM tasks WHERE plan = ?"
    position = connection.execute(last, (plan,)).fetchone()[0]
    came: Counter[TaskState] = Counter()
    there = others = 0
    agreed = _agreed(connection, decision)
    for key, parameters in sets:
        found = connection.execute(_KNOWN, (key,)).fetchone()
        if found and found[1] == plan:
            there += 1
            continue
        if found and found[2] == "done" and not _may_stand(found, decision, agreed):
            others += 1
            continue
        position += 1
        if found is None:
            connection.execute(_NEW, (key, plan, position, parameters))
            came[TaskState.WAITING] += 1
        else:
            came[_come_back(connection, found, plan, position, decision)] += 1
    if came and not get_meta(connection, ADDING):
        set_meta(connection, ADDING, json.dumps([plan, ""]))
    return Added(dict(came), there, others)


_KNOWN = """
SELECT t.number, t.plan, t.state, k.program, t.ticket FROM tasks t
LEFT JOIN tickets k ON k.id = t.ticket WHERE t.key = ?
"""


def _agreed(connection: Connection, decision: Decision) -> int:
    """Return the ticket before which results of any program stay: people said so (`--keep`)."""
    marks: dict[str, int] = json.loads(get_meta(connection, "agreed", "{}"))
    return max((marks.get(str(program), 0) for program in decision.same), default=0)


def _may_stand(
    found: tuple[int, int, str, int | None, int], decision: Decision, agreed: int
) -> bool:
    """Tell whether the result of a finished set may stand beside those of this run."""
    _, _, _, program, ticket = found
    # Before schema 6 the program of a result was not recorded, and nobody is asked about such results.
    if decision.fresh or decision.keep or program is None:
        return True
    return program in decision.same or ticket < agreed


def _come_back(
    connection: Connection,
    found: tuple[int, int, str, int | None, int],
    plan: int,
    position: int,
    decision: Decision,
) -> TaskState:
    """Make a set of earlier parameters one of today's; return its state."""
    number, _, state, _, ticket = found
    move = "UPDATE tasks SET plan = ?, position = ? WHERE number = ?"
    connection.execute(move, (plan, position, number))
    if decision.fresh and state == "done" and ticket < decision.before:
        connection.execute(f"{WAIT_AGAIN} WHERE number = ?", (number,))
        return TaskState.WAITING
    return TaskState(state)


def end_adding(
    connection: Connection, plan: int, adder: Adder, results: Sequence[str], kinds: Mapping[str, str]
) -> None:
    """Store the command that has added sets as the sweep's newest one.

    A later run with the same parameters then reads nothing anew, so all sets of today stay today's.
    """
    set_meta(connection, "line", adder.line)
    if get_meta(connection, "read"):  # else the sets are not read to the end
        set_meta(connection, "read", adder.plan_digest)
    first = json.loads(get_meta(connection, ADDING) or json.dumps([plan, ""]))[0]
    set_meta(connection, ADDING, json.dumps([first, adder.parameters]))
    numeric: list[str] = json.loads(get_meta(connection, "numeric", "[]"))
    still = [name for name in numeric if name in adder.numeric]
    if still != numeric:
        set_meta(connection, "numeric", json.dumps(still))
        show_results(connection, results, kinds)


def begin_carrying(
    connection: Connection, plan: int, parameters: str, resumes: bool, adds: bool
) -> int | None:
    """Return the first reading whose sets are today's beside those of the new reading `plan`.

    None where only the new ones are. `resumes`: the run goes on with one that was killed. `adds`: the
    user wants the sets to be added. `parameters`: the digest of today's parameters.
    """
    kept = get_meta(connection, ADDING)
    first, digest = json.loads(kept) if kept else (plan - 1, "")
    if adds or (kept and (resumes or digest == parameters)):
        set_meta(connection, ADDING, json.dumps([first, parameters]))
        return int(first)
    set_meta(connection, ADDING, "")
    return None


def end_carrying(connection: Connection, plan: int, parameters: str) -> None:
    """Note that all sets which were to be today's are in the reading `plan`."""
    set_meta(connection, ADDING, json.dumps([plan, parameters]))


def earlier_sets(
    connection: Connection, first: int, plan: int, after: int
) -> list[tuple[int, bytes, dict[str, str]]]:
    """Return (number, key, parameters) of sets of readings from `first` to before `plan`.

    Up to READ of them beyond number `after`, in the order of their numbers, which has an index.
    """
    query = """
    SELECT number, key, parameters FROM tasks
    WHERE number > ? AND plan >= ? AND plan < ? ORDER BY number LIMIT ?
    """
    rows = connection.execute(query, (after, first, plan, READ)).fetchall()
    return [(number, key, json.loads(parameters)) for number, key, parameters in rows]

"""Reads the reasons of failed and cancelled sets, counted by what they have in common."""

from __future__ import annotations

import json
from sqlite3 import Connection

from ..reasons import ReasonGroup, grouped
from ..results.table_files import FailedRow

MOST = 20_000  # different reasons that are read: with more of them, the most frequent ones
FailureGroup = ReasonGroup[FailedRow]


def read_groups(connection: Connection, plan: int, with_cancelled: bool) -> list[FailureGroup]:
    """Return the failed sets of reading `plan` by their reasons, the most frequent reason first.

    `with_cancelled`: there may be cancelled sets, which no index helps to find.
    """
    which = "state = 'failed'"  # as the index says it
    if with_cancelled:
        which = "state IN ('failed', 'cancelled')"
    # SQLite counts equal texts, which is quick; only different ones are brought to their normal
    # form here. A bare column beside min() comes from the row of the minimum.
    query = f"""
    SELECT reason, state, count(*), min(position) AS place, number, parameters FROM tasks
    WHERE plan = ? AND {which} GROUP BY reason, state ORDER BY count(*) DESC, place LIMIT {MOST}
    """
    rows = connection.execute(query, (plan,)).fetchall()
    # In the order of the parameters, so that the first of a group is the first one there.
    rows.sort(key=lambda row: int(row[3]))
    return grouped(
        (reason or "", count, FailedRow(number, json.loads(parameters), reason or "", state == "cancelled"))
        for reason, state, count, _, number, parameters in rows
    )

"""The sweep in numbers: today's sets by their states, and who did what in the last run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from sqlite3 import Connection

from ..model import TaskState
from ..record import record
from ..results.reasons import ReasonGroup, grouped
from ..results.table_files import FailedRow
from .schema import get_meta

MOST_REASONS = 20_000  # different reasons that are read: with more of them, the most frequent ones
FailureGroup = ReasonGroup[FailedRow]
# Clients of the last run; all, where the database is of before.
OF_RUN = """
CAST(id AS INTEGER) >
coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'clients_before'), 0)
"""


@record
class HostWork:
    """Work of one host: its attempts by how they ended, and seconds."""

    host: str
    tasks: int
    seconds: float
    cpu: float
    failures: int
    lost: int
    heard: float | None  # the last word of its clients, seconds since 1970


@record
class Statistics:
    """The sweep in numbers.

    `efficiency` is worker time by slot time, None where no slot was there.
    """

    total: int
    done: int
    failed: int
    running: int
    waiting: int
    cancelled: int
    retries: int
    cpu: float
    efficiency: float | None
    hosts: tuple[HostWork, ...]
    missing: int = 0  # rows of the table with an empty cell, because a new result was not stored
    paused: int = 0  # of the running ones, by people; only the master of a run knows it
    uncollected: int = 0  # done sets whose collect functions were not called, or failed

    @property
    def exit_code(self) -> int:
        """Return 0 where every set is done, has a whole row and is collected, else 1."""
        return 0 if self.done == self.total and not self.missing and not self.uncollected else 1


def summarize(
    connection: Connection, counts: Mapping[TaskState, int], missing: int, uncollected: int
) -> Statistics:
    """Return the sweep in numbers. `counts`: today's sets by their states."""
    hosts = tuple(_hosts(connection))
    (retries,) = connection.execute("SELECT coalesce(sum(again), 0) FROM hosts").fetchone()
    there = _slot_seconds(connection)
    return Statistics(
        total=sum(counts.values()),
        done=counts[TaskState.DONE],
        failed=counts[TaskState.FAILED],
        running=counts[TaskState.RUNNING],
        waiting=counts[TaskState.WAITING],
        cancelled=counts[TaskState.CANCELLED],
        retries=retries,
        cpu=sum(one.cpu for one in hosts),
        efficiency=min(1.0, _worked_in_slots(connection) / there) if there > 0 else None,
        hosts=hosts,
        missing=missing,
        uncollected=uncollected,
    )


def _hosts(connection: Connection) -> Iterator[HostWork]:
    query = f"""
    SELECT h.host, h.accepted, h.seconds, h.cpu, h.failures, h.lost, c.heard
    FROM hosts h
    LEFT JOIN (SELECT host, max(heard) AS heard FROM clients WHERE {OF_RUN} GROUP BY host) c
    ON c.host = h.host ORDER BY h.accepted DESC, h.host
    """
    return (HostWork(*row) for row in connection.execute(query))


def _worked_in_slots(connection: Connection) -> float:
    """Return seconds of programs on hosts whose slots are known.

    A client that did not register told of none.
    """
    query = f"""
    SELECT sum(seconds) FROM hosts WHERE host IN (SELECT host FROM clients WHERE {OF_RUN})
    """
    (found,) = connection.execute(query).fetchone()
    return float(found or 0.0)


def _slot_seconds(connection: Connection) -> float:
    """Return seconds that slots were there; a client that is still here counts until now."""
    query = f"""
    SELECT sum(
      max(1, slots / :cores) * CASE WHEN seconds IS NULL THEN max(0, :now - since) ELSE seconds END
    ) FROM clients WHERE {OF_RUN}
    """
    given = {"now": time.time(), "cores": int(get_meta(connection, "cores", "1"))}
    (found,) = connection.execute(query, given).fetchone()
    return float(found or 0.0)


# -- why sets failed


def failure_groups(connection: Connection, plan: int, with_cancelled: bool) -> list[FailureGroup]:
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
    WHERE plan = ? AND {which} GROUP BY reason, state ORDER BY count(*) DESC, place LIMIT {MOST_REASONS}
    """
    rows = connection.execute(query, (plan,)).fetchall()
    # In the order of the parameters, so that the first of a group is the first one there.
    rows.sort(key=lambda row: int(row[3]))
    return grouped(
        (reason or "", count, FailedRow(number, json.loads(parameters), reason or "", state == "cancelled"))
        for reason, state, count, _, number, parameters in rows
    )

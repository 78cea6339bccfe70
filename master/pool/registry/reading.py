"""Reads rows: what a starting farm needs, and pages for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, or_, select

from ...record import record
from .. import rows
from .tables import META, TABLES, row_of

R = TypeVar("R")
RECENT = 1000  # ended jobs that a starting farm loads
PAGE = 100


@record
class Loaded:
    """All that a starting farm needs. last_…: the highest numbers ever given."""

    farm: str
    epoch: int
    last_job: int
    last_ledger: int
    last_history: int
    users: Sequence[rows.UserRow]
    tokens: Sequence[rows.TokenRow]
    hosts: Sequence[rows.HostRow]
    jobs: Sequence[rows.JobRow]  # those that are not over
    ended: Sequence[rows.JobRow]  # the newest of the others
    ledger: Sequence[rows.LedgerRow]  # intervals that are open
    grants: Sequence[rows.GrantRow]
    licences: Sequence[rows.LicenceRow]
    settings: Sequence[rows.SettingRow]


@record
class JobFilter:
    """Which jobs a person wants to see; "", 0 and () ask for all.

    since: jobs that were not over then. text: is in the name, labels, group or info.
    """

    owner: str = ""
    states: Sequence[rows.JobState] = field(default_factory=tuple)
    group: str = ""
    since: float = 0.0
    text: str = ""


def load(connection: Connection) -> Loaded:
    """Read all that a starting farm needs."""
    meta = connection.execute(select(META)).one()
    jobs = TABLES[rows.JobRow]
    is_over = jobs.c.state.in_([str(state) for state in rows.JobState if state.is_over])
    ended = select(jobs).where(is_over).order_by(jobs.c.ended.desc(), jobs.c.id.desc())
    found = connection.execute(ended.limit(RECENT)).mappings()
    return Loaded(
        farm=meta.farm,
        epoch=meta.epoch,
        last_job=meta.last_job,
        last_ledger=meta.last_ledger,
        last_history=meta.last_history,
        users=_all(connection, rows.UserRow),
        tokens=_all(connection, rows.TokenRow),
        hosts=_all(connection, rows.HostRow),
        jobs=_all(connection, rows.JobRow, ~is_over),
        ended=[row_of(rows.JobRow, one) for one in found],
        ledger=_all(connection, rows.LedgerRow, TABLES[rows.LedgerRow].c.until == 0.0),
        grants=_all(connection, rows.GrantRow),
        licences=_all(connection, rows.LicenceRow),
        settings=_all(connection, rows.SettingRow),
    )


def _all(connection: Connection, kind: type[R], *where: ColumnElement[bool]) -> list[R]:
    table = TABLES[kind]  # type: ignore[index]
    statement = select(table).where(*where).order_by(*table.primary_key.columns)
    return [row_of(kind, one) for one in connection.execute(statement).mappings()]


def _page(
    connection: Connection, kind: type[R], where: list[ColumnElement[bool]], before: int, count: int
) -> list[R]:
    table = TABLES[kind]  # type: ignore[index]
    if before:
        where = [*where, table.c.id < before]
    statement = select(table).where(*where).order_by(table.c.id.desc()).limit(count)
    return [row_of(kind, one) for one in connection.execute(statement).mappings()]


def jobs_page(
    connection: Connection, which: JobFilter, before: int = 0, count: int = PAGE
) -> list[rows.JobRow]:
    """Return the newest jobs with a number below `before`; 0: the newest of all."""
    table = TABLES[rows.JobRow]
    where: list[ColumnElement[bool]] = []
    if which.owner:
        where.append(table.c.owner == which.owner)
    if which.states:
        where.append(table.c.state.in_([str(state) for state in which.states]))
    if which.group:
        where.append(table.c.group == which.group)
    if which.since:
        where.append(or_(table.c.ended == 0.0, table.c.ended >= which.since))
    if which.text:
        sought = [table.c[name] for name in ("name", "labels", "group", "info")]
        where.append(or_(*(one.icontains(which.text, autoescape=True) for one in sought)))
    return _page(connection, rows.JobRow, where, before, count)


def history_page(
    connection: Connection,
    job: int = 0,
    host: str = "",
    since: float = 0.0,
    before: int = 0,
    count: int = PAGE,
) -> list[rows.HistoryRow]:
    """Return the newest rows of the history with a number below `before`; 0: the newest of all."""
    table = TABLES[rows.HistoryRow]
    where: list[ColumnElement[bool]] = []
    if job:
        where.append(table.c.job == job)
    if host:
        where.append(table.c.host == host)
    if since:
        where.append(table.c.at >= since)
    return _page(connection, rows.HistoryRow, where, before, count)


def ledger_page(
    connection: Connection,
    job: int = 0,
    ended_before: float = 0.0,
    before: int = 0,
    count: int = PAGE,
) -> list[rows.LedgerRow]:
    """Return the newest intervals with a number below `before`; ended_before: only closed ones."""
    table = TABLES[rows.LedgerRow]
    where: list[ColumnElement[bool]] = []
    if job:
        where.append(table.c.job == job)
    if ended_before:
        where += [table.c.until > 0.0, table.c.until < ended_before]
    return _page(connection, rows.LedgerRow, where, before, count)

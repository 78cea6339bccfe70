"""Rows for tests, and all rows of a registry."""

from __future__ import annotations

from typing import Any

from spe.pool import rows
from spe.pool.registry.reading import JobFilter
from spe.pool.registry.registry import Registry
from spe.pool.registry.tables import Key, key_of

MANY = 10_000


def job(number: int, **values: Any) -> rows.JobRow:
    return rows.JobRow(**{"id": number, "owner": "ada", "name": "pi", "place": "lab07", **values})


def happened(number: int, **values: Any) -> rows.HistoryRow:
    given = {"id": number, "at": 1.0 * number, "job": 0, "host": "", "state": "running", "text": ""}
    return rows.HistoryRow(**{**given, **values})


def interval(number: int, **values: Any) -> rows.LedgerRow:
    given = {
        "id": number, "job": 1, "host": "lab03", "slots": 2, "gpus": 0.0, "since": 100.0, "until": 0.0, "heard": 100.0,
        "seconds": 0.0, "price": 1.0,
    }  # fmt: skip
    return rows.LedgerRow(**{**given, **values})


#: A row of each table, with values that a database may bend: case, accents, letters beyond 16 bits, fractions.
EACH: list[rows.Row] = [
    rows.UserRow("ada", rows.Role.ADMIN, 2.5, 1e9 / 3, 1796150000.123456, False, "a b", "ada2", "a@b.c", False),
    rows.UserRow("Ada"),
    rows.UserRow("adä"),
    rows.TokenRow("f" * 64, "ada", "lab07", 1796150000.25),
    rows.HostRow(
        "lab03", 48, 40, 128 * 2**30, 2, "ben", "ben", False, "room 4 🐢", "x86_64", "b-1", 1796150000.1, "'\"\\%"
    ),
    job(17, labels="a,b", group="thesis", info="Re 1e5", state=rows.JobState.RUNNING, submitted=1796150000.987654),
    job(18, state=rows.JobState.FINISHED, ended=1796150001.5, outcome="all done"),
    rows.GrantRow(17, 2, 5, "lab03", 4),
    rows.GrantRow(17, 2, 5, "lab05", 2),
    rows.GrantRow(17, 2, 6, "lab03", 1),
    interval(1),
    interval(2, until=200.0),
    happened(1, job=17, text="started\nwith two lines"),
    rows.LicenceRow("abaqus", 3),
    rows.SettingRow("half_life", "1 day"),
]  # fmt: skip


def everything(registry: Registry) -> dict[Key, rows.Row]:
    """Return all rows of a registry by their keys, as its interface gives them."""
    loaded = registry.load()
    found: list[rows.Row] = [
        *loaded.users, *loaded.tokens, *loaded.hosts, *loaded.grants, *loaded.licences, *loaded.settings,
        *registry.jobs(JobFilter(), count=MANY), *registry.ledger(count=MANY), *registry.history(count=MANY),
    ]  # fmt: skip
    by_key = {key_of(row): row for row in found}
    assert len(by_key) == len(found)
    return by_key


def by_key(given: list[rows.Row]) -> dict[Key, rows.Row]:
    return {key_of(row): row for row in given}

"""What is committed is what is loaded, on each kind of database."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spe.pool import rows
from spe.pool.registry import writer
from spe.pool.registry.reading import JobFilter
from spe.pool.registry.registry import Registry
from spe.pool.registry.tables import Key, key_of
from spe.pool.registry.values import UnfitRow
from sqlalchemy.exc import OperationalError

from .samples import EACH, by_key, everything, happened, interval, job


def test_each_kind_of_row_comes_back_as_it_was(registry: Registry) -> None:
    registry.commit(EACH).result()
    found = everything(registry)
    assert found == by_key(EACH)
    word = next(one for one in found.values() if isinstance(one, rows.UserRow)).role
    assert isinstance(word, rows.Role)


def test_a_row_that_is_saved_again_replaces_the_older_one(registry: Registry) -> None:
    registry.commit([job(1, done=3), happened(1)]).result()
    registry.commit([job(1, done=4), job(2)], [happened(1)]).result()
    assert everything(registry) == by_key([job(1, done=4), job(2)])


def test_a_starting_farm_loads_what_is_not_over_and_the_newest_of_the_rest(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spe.pool.registry.reading.RECENT", 2)
    over = [job(n, state=rows.JobState.CANCELLED, ended=10.0 * n) for n in (1, 2, 3)]
    active = [job(n, state=state) for n, state in enumerate(rows.JobState, 10) if not state.is_over]
    registry.commit([*over, *active, interval(1), interval(2, until=5.0)]).result()
    loaded = registry.load()
    assert loaded.jobs == active
    assert loaded.ended == [over[2], over[1]]
    assert loaded.ledger == [interval(1)]


def test_a_number_is_not_given_again_though_its_row_was_removed(registry: Registry, url: str) -> None:
    registry.commit([job(7), interval(8), happened(9)]).result()
    registry.commit([], [job(7), interval(8), happened(9)]).result()
    registry.close()
    again = Registry(url)
    loaded = again.load()
    again.close()
    assert (loaded.last_job, loaded.last_ledger, loaded.last_history) == (7, 8, 9)


def test_the_reports_of_a_second_are_one_transaction(registry: Registry) -> None:
    registry.commit([job(n) for n in range(1, 1001)]).result()
    assert len(registry.jobs(JobFilter(), count=2000)) == 1000
    registry.commit([], [job(n) for n in range(1, 1001)]).result()
    assert everything(registry) == {}


@pytest.mark.parametrize(
    "row",
    [
        rows.UserRow("a" * 101), rows.UserRow("ada "), rows.UserRow("ada", mail="a\0b"), rows.UserRow("\ud800"),
        rows.UserRow("ada", share=math.nan), rows.UserRow("ada", used=math.inf), rows.LicenceRow("x", 2**63),
    ],
)  # fmt: skip
def test_what_one_database_would_refuse_or_bend_is_refused_before_all(tmp_path: Path, row: rows.Row) -> None:
    registry = Registry(f"sqlite:///{tmp_path}/farm.db")
    with pytest.raises(UnfitRow, match=r"^(users|licences)\.\w+ cannot be stored: it "):
        registry.commit([rows.UserRow("ben"), row])
    assert everything(registry) == {}
    registry.close()


def test_the_longest_texts_and_the_largest_numbers_are_stored_whole(registry: Registry) -> None:
    wide = rows.JobRow(
        2**63 - 1, "🐢" * 100, "🐢" * 100, "🐢" * 253, labels="🐢" * 500, hosts="🐢" * 4000, exclude="🐢" * 4000,
        info="🐢" * 200, outcome="🐢" * 500, licences="🐢" * 500, time=math.ulp(0.0), ended=1.7976931348623157e308,
    )  # fmt: skip
    registry.commit([wide]).result()
    assert everything(registry) == by_key([wide])


NAMES = st.sampled_from(["ada", "Ada", "ben", "lab03", "lab05.uni.edu"])
NUMBERS = st.integers(1, 6)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
ROWS = st.one_of(
    st.builds(rows.UserRow, NAMES, st.sampled_from(rows.Role), FLOATS, FLOATS, FLOATS, st.booleans(), TEXTS),
    st.builds(rows.TokenRow, st.sampled_from("abc"), NAMES, NAMES, FLOATS),
    st.builds(rows.HostRow, NAMES, NUMBERS, NUMBERS, reason=TEXTS),
    st.builds(rows.JobRow, NUMBERS, NAMES, TEXTS, NAMES, state=st.sampled_from(rows.JobState), ended=FLOATS),
    st.builds(rows.GrantRow, NUMBERS, NUMBERS, NUMBERS, NAMES, NUMBERS),
    st.builds(rows.LedgerRow, NUMBERS, NUMBERS, NAMES, NUMBERS, FLOATS, FLOATS, st.just(0.0), FLOATS, FLOATS, FLOATS),
    st.builds(rows.HistoryRow, NUMBERS, FLOATS, NUMBERS, NAMES, TEXTS, TEXTS),
    st.builds(rows.LicenceRow, NAMES, NUMBERS),
    st.builds(rows.SettingRow, NAMES, TEXTS),
)
COMMITS = st.lists(st.tuples(st.lists(ROWS, max_size=8), st.lists(ROWS, max_size=3)), max_size=8)


class Unsteady:
    """An engine whose connection breaks before or after a COMMIT, by chance."""

    def __init__(self, engine: Any, chance: random.Random) -> None:
        self.engine, self.chance = engine, chance

    @contextmanager
    def begin(self) -> Iterator[Any]:
        fate = self.chance.choice(["fine", "fine", "before", "after"])
        with self.engine.begin() as connection:
            yield connection
            if fate == "before":
                raise OperationalError("COMMIT", {}, Exception("cut before it"))
        if fate == "after":
            raise OperationalError("COMMIT", {}, Exception("cut after it"))

    def dispose(self) -> None:
        self.engine.dispose()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commits=COMMITS, seed=st.integers(0, 2**32))
def test_any_commits_with_any_failures_leave_the_rows_of_a_dict(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, commits: list[tuple[list[Any], list[Any]]], seed: int
) -> None:
    monkeypatch.setattr(writer, "FIRST_PAUSE", 0.0)
    steady = registry._engine
    registry.commit([], list(everything(registry).values())).result()
    oracle: dict[Key, rows.Row] = {}
    monkeypatch.setattr(registry._writer, "_engine", Unsteady(steady, random.Random(seed)))
    futures = []
    for save, remove in commits:
        futures.append(registry.commit(save, remove))
        oracle.update(by_key(save))
        for row in remove:
            oracle.pop(key_of(row), None)
    for future in futures:
        future.result()
    monkeypatch.setattr(registry._writer, "_engine", steady)
    assert everything(registry) == oracle
    loaded = registry.load()
    assert {one.id for one in loaded.jobs} == {
        one.id for one in oracle.values() if isinstance(one, rows.JobRow) and not one.state.is_over
    }

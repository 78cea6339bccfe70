"""Pages of jobs, history and ledger for people."""

from __future__ import annotations

from typing import Any

import pytest
from spe.pool.registry.reading import JobFilter
from spe.pool.registry.registry import Registry
from spe.pool.rows import JobState

from .samples import happened, interval, job

JOBS = [
    job(1, owner="ada", group="thesis", state=JobState.FINISHED, ended=100.0),
    job(2, owner="ben", name="50% done_it", state=JobState.FINISHED, ended=200.0),
    job(3, owner="Ada", group="Thesis", info="Re 1e5"),
    job(4, owner="ada", labels="flow", state=JobState.PAUSED),
]


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({}, [4, 3, 2, 1]),
        ({"owner": "ada"}, [4, 1]),
        ({"group": "thesis"}, [1]),
        ({"states": (JobState.FINISHED, JobState.PAUSED)}, [4, 2, 1]),
        ({"since": 150.0}, [4, 3, 2]),
        ({"text": "re 1E5"}, [3]),
        ({"text": "FLOW"}, [4]),
        ({"text": "50% d"}, [2]),
        ({"text": "%"}, [2]),
        ({"text": "_"}, [2]),
        ({"owner": "ada", "text": "thesis"}, [1]),
        ({"owner": "nobody"}, []),
    ],
)
def test_jobs_are_found_by_what_is_asked(sqlite: Registry, asked: dict[str, Any], numbers: list[int]) -> None:
    assert [one.id for one in sqlite.jobs(JobFilter(**asked))] == numbers


def test_each_database_finds_the_same_jobs(registry: Registry) -> None:
    registry.commit(JOBS).result()
    cases = next(mark for mark in test_jobs_are_found_by_what_is_asked.pytestmark).args[1]  # type: ignore[attr-defined]
    for asked, numbers in cases:
        assert [one.id for one in registry.jobs(JobFilter(**asked))] == numbers, asked


def test_pages_lead_through_all_jobs_without_gap_or_repeat(registry: Registry) -> None:
    registry.commit([job(n) for n in range(1, 26)]).result()
    seen: list[int] = []
    while page := registry.jobs(JobFilter(owner="ada"), before=seen[-1] if seen else 0, count=10):
        seen += [one.id for one in page]
    assert seen == list(range(25, 0, -1))


def test_the_history_is_read_by_job_host_and_time(registry: Registry) -> None:
    told = [happened(1, job=1), happened(2, host="lab03"), happened(3, job=1, host="lab03"), happened(4, job=2)]
    registry.commit(told).result()
    assert registry.history() == told[::-1]
    assert registry.history(job=1) == [told[2], told[0]]
    assert registry.history(host="lab03", before=3) == [told[1]]
    assert registry.history(since=3.0) == [told[3], told[2]]
    assert registry.history(count=1) == [told[3]]


def test_old_intervals_are_read_to_be_summed(registry: Registry) -> None:
    kept = [interval(1, until=50.0), interval(2, until=500.0), interval(3), interval(4, job=2, until=60.0)]
    registry.commit(kept).result()
    assert registry.ledger(ended_before=100.0) == [kept[3], kept[0]]
    assert registry.ledger(job=1, count=2) == [kept[2], kept[1]]
    assert registry.ledger(job=1, before=2) == [kept[0]]


@pytest.fixture
def sqlite(tmp_path: Any) -> Any:
    registry = Registry(f"sqlite:///{tmp_path}/farm.db")
    registry.commit(JOBS).result()
    yield registry
    registry.close()

"""`spe farm hosts` with words: what the gate is asked, what it does, and which words do not belong together."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from spe.cli import farm_hosts
from spe.errors import UsageError
from spe.pool.farm import Farm, FarmJob
from spe.pool.gate.heart import Unfit
from spe.pool.holding import Holding
from spe.pool.ledger import Ledger, Moment
from spe.pool.rows import HostRow, JobRow, UserRow
from spe.pool.service.service import Service
from spe.pool.service.sights import Sights

LISTED = [{"name": name, "slots": 2, "most": 2, "granted": 0, "vacant": 2, "reason": ""} for name in ("lab01", "lab02")]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the gate is asked by a command."""
    found: list[tuple[Any, ...]] = []

    def ask(method: str, path: str, body: Any = None) -> Any:
        found.append((method, path, body))
        return {"hosts": LISTED}

    monkeypatch.setattr(farm_hosts, "Administrator", lambda public, srv: SimpleNamespace(ask=ask))
    return found


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["drain", "lab01"], {"do": "drain", "hosts": ["lab01"]}),
        (["use", "--all"], {"do": "use", "hosts": ["lab01", "lab02"]}),
        (["free", "lab01", "--job", "17"], {"do": "free", "hosts": ["lab01"], "job": 17}),
    ],
)
def test_the_gate_is_asked_for_what_was_typed(asked: list[tuple[Any, ...]], words: list[str], body: Any) -> None:
    done = CliRunner().invoke(farm_hosts.command, words)
    assert done.exit_code == 0 and asked[-1] == ("POST", "/hosts", body)
    assert "lab02" in done.output


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["drain"], "`spe farm hosts drain` needs a host"),
        (["--all"], "--all and --job need"),
        (["free", "lab01"], "free and --job belong together"),
        (["drain", "lab01", "--job", "17"], "free and --job belong together"),
    ],
)
def test_words_that_do_not_belong_together_ask_nothing(
    asked: list[tuple[Any, ...]], words: list[str], wanted: str
) -> None:
    done = CliRunner().invoke(farm_hosts.command, words)
    assert isinstance(done.exception, UsageError) and wanted in str(done.exception) and asked == []


class Store:
    def commit(self, save: Any, remove: Any = ()) -> Future[None]:
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def is_leader(self, now: float) -> bool:
        return True


def test_a_host_that_is_used_again_is_tried_at_once_by_jobs_that_had_a_fault_there() -> None:
    farm = Farm(1, 0.0)
    farm.hosts = {name: HostRow(name, 2, 2) for name in ("lab01", "lab02")}
    job = farm.jobs[1] = FarmJob(JobRow(1, "ada", "pi", place="srv"), Holding(1))
    job.faults = {"lab01": (3, 1e12), "lab02": (1, 1e12)}
    watchers = SimpleNamespace(interval=10.0, seen={}, unheard=lambda name: "")
    service = Service("f00d", farm, Store(), Sights(watchers), Ledger(Moment(0.0, 0.0)))  # type: ignore[arg-type]
    root = UserRow("root")
    asyncio.run(service.change_hosts(root, {"do": "drain", "hosts": ["lab01"]}))
    assert set(job.faults) == {"lab01", "lab02"} and not farm.hosts["lab01"].active
    asyncio.run(service.change_hosts(root, {"do": "use", "hosts": ["lab01"]}))
    assert set(job.faults) == {"lab02"} and farm.hosts["lab01"].active
    with pytest.raises(Unfit, match="there is no host lab99"):
        asyncio.run(service.change_hosts(root, {"do": "use", "hosts": ["lab99"]}))

"""One farm leads; another one takes the lead only when the first has not renewed it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from spe.errors import BusyError, StoreError
from spe.pool.registry.clock import Now
from spe.pool.registry.leader import LostLead
from spe.pool.registry.registry import Registry
from spe.pool.registry.tables import META
from sqlalchemy import Connection, select, update
from sqlalchemy.engine import Engine

from .samples import by_key, everything, job
from .servers import Server


def make_older(registry: Registry, seconds: float) -> None:
    """As if the lead had been renewed so many seconds earlier by the database's clock."""
    with registry._engine.begin() as connection:
        connection.execute(update(META).values(renewed=META.c.renewed - seconds))


def unreleased(registry: Registry) -> None:
    """End the farm as `kill -9` does it: nothing is written."""
    registry._writer.close(10)
    registry._let_go()
    registry._is_stored = True


def test_the_lead_is_taken_again_at_once_after_a_farm_that_ended(registry: Registry, url: str) -> None:
    assert registry.epoch == 1
    assert registry.close()
    again = Registry(url)
    assert again.epoch == 2
    assert again.load().epoch == 2
    assert again.load().farm == registry_id(again._engine)
    again.close()


def registry_id(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(select(META.c.farm)).scalar_one())


def test_the_clock_is_the_databases_and_has_fractions_of_seconds(registry: Registry) -> None:
    with registry._engine.connect() as connection:
        times = [float(connection.execute(select(Now())).scalar_one()) for _ in range(5)]
    assert times == sorted(times)
    assert abs(times[0] - time.time()) < 60
    assert any(one % 1 for one in times)


def test_a_second_farm_on_a_server_is_refused_while_the_first_renews(server: Server) -> None:
    url = server.url(server.new_database())
    first = Registry(url)
    make_older(first, 29)
    with pytest.raises(BusyError, match=rf"a farm leads this registry already: process {os.getpid()} on ") as refused:
        Registry(url)
    assert "start this one again in 1 s" in refused.value.todo
    make_older(first, 29)
    first.renew().result()
    with pytest.raises(BusyError):
        Registry(url)
    first.close()


def test_a_lead_that_is_30_s_old_is_taken_and_the_old_farm_writes_nothing_more(server: Server) -> None:
    url = server.url(server.new_database())
    first = Registry(url)
    first.commit([job(1)]).result()
    make_older(first, 31)
    second = Registry(url)
    assert second.epoch == first.epoch + 1
    with pytest.raises(LostLead, match="another farm has taken the lead"):
        first.commit([job(1, done=5), job(2)]).result()
    assert not first.is_leader(time.monotonic())
    with pytest.raises(LostLead):
        first.renew().result()
    with pytest.raises(LostLead):
        first.take_new_id()
    assert not first.close()
    assert everything(second) == by_key([job(1)])
    second.commit([job(3)]).result()
    assert second.is_leader(time.monotonic())
    second.close()


def test_a_clock_of_the_database_that_was_set_back_shuts_nobody_out(server: Server) -> None:
    url = server.url(server.new_database())
    first = Registry(url)
    make_older(first, -3600)
    second = Registry(url)
    with pytest.raises(LostLead):
        first.renew().result()
    first.close()
    second.close()


def test_a_farm_leads_for_15_s_after_its_last_renewal_and_each_commit_renews(registry: Registry) -> None:
    for act in (registry.renew, lambda: registry.commit([job(1)])):
        make_older(registry, 100)
        before = time.monotonic()
        act().result()
        assert registry.is_leader(before + 14.9)
        assert not registry.is_leader(time.monotonic() + 15)
        with registry._engine.connect() as connection:
            assert age(connection) < 10


def age(connection: Connection) -> float:
    return float(connection.execute(select(Now() - META.c.renewed)).scalar_one())


def test_a_registry_from_a_backup_gets_a_new_id_and_keeps_its_rows(registry: Registry) -> None:
    registry.commit([job(1)]).result()
    before = registry.load().farm
    made = registry.take_new_id()
    assert registry.load().farm == made != before
    assert len(made) == 32
    assert everything(registry) == by_key([job(1)])


def test_numbers_that_a_backup_may_not_know_stay_left_out_after_a_restart(registry: Registry) -> None:
    registry.commit([job(7)]).result()
    registry.take_new_id()
    assert registry.load().last_job == 10_007
    registry.renew().result()  # no job came before the next start
    assert registry.load().last_job == 10_007
    registry.commit([job(10_008)]).result()
    assert registry.load().last_job == 10_008


def test_the_epoch_of_a_registry_from_a_backup_is_above_all_that_masters_have_seen(registry: Registry) -> None:
    before = registry.epoch
    registry.take_new_id()
    assert registry.epoch == registry.load().epoch > before + 1_000_000_000, "above any number of starts"
    again = registry.epoch
    registry.take_new_id()
    assert registry.epoch > again, "also of a backup of the same second"
    registry.commit([job(1)]).result()
    assert registry.is_leader(time.monotonic())


def test_a_closed_registry_takes_no_commit(registry: Registry) -> None:
    registry.close()
    with pytest.raises(StoreError, match="the registry is closed"):
        registry.commit([job(1)]).result()


HOLD = """
import sys
from spe.pool.registry.registry import Registry
from spe.pool.rows import LicenceRow
registry = Registry(sys.argv[1])
registry.commit([LicenceRow("abaqus", 3)]).result()
print("open", flush=True)
sys.stdin.read()
"""


def test_a_file_belongs_to_one_farm_until_that_is_killed_and_then_to_the_next_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/farm.db"
    words = [sys.executable, "-c", HOLD, url]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout and first.stdout.readline() == "open\n"
        with pytest.raises(BusyError, match=f"another farm uses this registry: process {first.pid}") as refused:
            Registry(url)
        assert refused.value.where == f"{tmp_path}/farm.db"
        first.send_signal(signal.SIGKILL)
        first.wait()
    second = Registry(url)
    assert second.epoch == 2
    assert second.load().licences[0].name == "abaqus"
    second.close()


def test_a_farm_that_was_killed_on_a_server_leaves_its_lead_to_time(server: Server) -> None:
    url = server.url(server.new_database())
    first = Registry(url)
    unreleased(first)
    with pytest.raises(BusyError):
        Registry(url)

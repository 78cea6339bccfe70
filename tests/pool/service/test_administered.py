"""The administrator's files reach the farm, at its start and when they change."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from spe.model import Host
from spe.pool.farm import Farm, FarmJob
from spe.pool.holding import Grant, Holding
from spe.pool.ledger import Ledger, Moment
from spe.pool.members import Changes, Members
from spe.pool.rows import HostRow, JobRow, Row, UserRow
from spe.pool.service.administered import NOT_NAMED, Administered
from spe.pool.service.service import Service
from spe.pool.service.sights import Sights


class Store:
    """Keeps what is committed; `error` is what a commit ends with."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.error: Exception | None = None

    def commit(self, save: Iterable[Row], remove: Iterable[Row] = ()) -> Future[None]:
        done: Future[None] = Future()
        if self.error:
            done.set_exception(self.error)
            return done
        self.rows |= {row.name: row for row in save if isinstance(row, HostRow)}
        for row in remove:
            self.rows.pop(getattr(row, "name", ""), None)
        done.set_result(None)
        return done

    def is_leader(self, now: float) -> bool:
        return True


class Heart:
    """What members are committed to."""

    def __init__(self) -> None:
        self.saved: list[Any] = []

    async def commit(self, changes: Changes) -> None:
        self.saved += changes.save


class Office:
    """A farm with its two files."""

    def __init__(self, folder: Path) -> None:
        self.hosts, self.users = folder / "cluster.txt", folder / "users.txt"
        self.write_users("ada\n")
        self.farm, self.members, self.store, self.heart = Farm(1, 0.0), Members(), Store(), Heart()
        self.watched: Mapping[str, Host] = {}
        self.interval = 0.0
        self.cores: dict[str, int] = {}
        self._times = 1

    def begin(self, text: str) -> None:
        self.write_hosts(text)
        self.files = Administered(
            self.farm, self.members, self.store, self.watch, lambda: self.cores, "srv", self.hosts, self.users
        )
        asyncio.run(self.files.start())

    def watch(self, hosts: Mapping[str, Host], interval: float) -> None:
        self.watched, self.interval = hosts, interval

    def write_hosts(self, text: str) -> None:
        self._write(self.hosts, text)

    def write_users(self, text: str) -> None:
        self._write(self.users, text)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        # Two changes within one tick of the clock are two changes here, too.
        self._times = getattr(self, "_times", 0) + 1
        os.utime(path, (self._times, self._times))

    def look(self) -> None:
        asyncio.run(self.files.look(self.heart))  # type: ignore[arg-type]

    def hold(self, host: str, slots: int) -> None:
        row = JobRow(1, "ada", "pi", place="srv")
        holding = Holding(1, [Grant(1, 1, {host: slots})] if slots else [])
        self.farm.jobs[1] = FarmJob(row, holding)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_hosts_licences_settings_and_users_reach_the_farm(office: Office) -> None:
    office.begin(
        "lab[01-02] slots=8 most=6 only=ada\nlocalhost slots=2\nlicence abaqus=3\n"
        "setting half_life=2d long_share=90% jobs_per_host=4 interval=5s\n"
    )
    assert office.interval == 5.0
    assert set(office.farm.hosts) == set(office.store.rows) == set(office.watched) == {"lab01", "lab02", "srv"}
    assert office.watched["srv"].is_here
    assert (office.farm.hosts["lab01"].most, office.farm.hosts["lab01"].only) == (6, "ada")
    settings = office.farm.settings
    assert (settings.half_life, settings.long_share, settings.jobs_per_host) == (172_800.0, 0.9, 4)
    assert settings.licences == {"abaqus": 3} and settings.long == 3600.0
    assert [one.name for one in office.members.users()] == ["ada"]


def test_the_half_life_of_the_file_reaches_the_accounts(office: Office) -> None:
    office.begin("lab01 slots=8\n")
    now = Moment(time.time(), time.monotonic())
    ada = UserRow("ada", used=100.0, used_at=now.wall)
    ledger = Ledger(now, [ada])
    office.farm.users["ada"] = ada
    watchers = SimpleNamespace(interval=10.0, seen={}, unheard=lambda name: "")
    service = Service("f00d", office.farm, office.store, Sights(watchers), ledger)  # type: ignore[arg-type]
    office.write_hosts("lab01 slots=8\nsetting half_life=1h\n")
    office.look()
    asyncio.run(service.deal())
    assert ledger.used(Moment(now.wall + 3600, now.mono + 3600), "ada") == pytest.approx(50, rel=1e-2)


def test_a_change_is_taken_over_and_a_setting_that_is_gone_has_its_default_again(office: Office) -> None:
    office.begin("lab01 slots=8\nsetting long=2h\n")
    office.write_hosts("lab01 slots=4\nlab02 slots=4\nlicence abaqus=1\n")
    office.write_users("ada\nben\n")
    office.look()
    assert {name: row.slots for name, row in office.farm.hosts.items()} == {"lab01": 4, "lab02": 4}
    assert set(office.watched) == {"lab01", "lab02"} and office.interval == 10.0
    assert office.farm.settings.long == 3600.0 and office.farm.settings.licences == {"abaqus": 1}
    assert [one.name for one in office.heart.saved] == ["ada", "ben"]


def test_a_host_that_leaves_the_file_goes_once_nothing_is_held_there(office: Office) -> None:
    office.begin("lab01 slots=8\nlab02 slots=8\n")
    office.hold("lab02", 3)
    office.write_hosts("lab01 slots=8\n")
    office.look()
    row = office.farm.hosts["lab02"]
    assert (row.active, row.reason) == (False, NOT_NAMED) and office.store.rows["lab02"] == row
    assert set(office.watched) == {"lab01"}
    office.hold("lab02", 0)
    office.look()
    assert set(office.farm.hosts) == set(office.store.rows) == {"lab01"}


def test_a_host_that_comes_back_is_dealt_on_again(office: Office) -> None:
    office.begin("lab01 slots=8\nlab02 slots=8\n")
    office.hold("lab02", 3)
    office.write_hosts("lab01 slots=8\n")
    office.look()
    office.write_hosts("lab01 slots=8\nlab02 slots=8\n")
    office.look()
    office.hold("lab02", 0)
    office.look()
    assert (office.farm.hosts["lab02"].active, office.farm.hosts["lab02"].reason) == (True, "")


def test_what_was_done_by_hand_stays_and_active_no_of_the_file_does_not(office: Office) -> None:
    office.farm.hosts["lab01"] = HostRow("lab01", 8, 8, active=False, reason="drained by hand")
    office.begin("lab01 slots=8\nlab02 slots=8 active=no\n")
    office.write_hosts("lab01 slots=6\nlab02 slots=8\n")
    office.look()
    lab01, lab02 = office.farm.hosts["lab01"], office.farm.hosts["lab02"]
    assert (lab01.slots, lab01.active, lab01.reason) == (6, False, "drained by hand")
    assert lab02.active


@pytest.mark.parametrize("text", ["lab01 slots=8\nsetting longg=1h\n", "lab01 slots=x\n", "# nobody\n", None])
def test_an_error_in_the_file_is_told_once_and_what_it_said_before_stays(
    office: Office, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    office.begin("lab01 slots=8\n")
    if text is None:
        office.hosts.unlink()
    else:
        office.write_hosts(text)
    office.look()
    office.look()
    assert set(office.farm.hosts) == {"lab01"} and office.farm.hosts["lab01"].slots == 8
    assert [str(office.hosts) in one for one in office.files.faults] == [True]
    assert len([one for one in caplog.records if "older text" in one.message]) == 1
    office.write_hosts("lab01 slots=9\n")
    office.look()
    assert office.files.faults == [] and office.farm.hosts["lab01"].slots == 9


def test_hosts_that_cannot_be_stored_are_dealt_on_once_they_are(office: Office) -> None:
    office.begin("lab01 slots=8\n")
    office.store.error = OSError("away")
    office.write_hosts("lab01 slots=16\n")
    with pytest.raises(OSError, match="away"):
        office.look()
    assert office.farm.hosts["lab01"].slots == 8
    office.store.error = None
    office.look()
    assert office.farm.hosts["lab01"].slots == 16


def test_a_host_without_slots_has_as_many_as_cores_once_it_is_seen(office: Office) -> None:
    office.begin("lab01\nlab02 most=3\nlab03 slots=2\n")
    assert {row.slots for row in office.farm.hosts.values()} == {1, 2}
    office.cores = {"lab01": 8, "lab02": 8, "lab03": 8}
    office.look()
    rows = office.farm.hosts
    assert [(rows[one].slots, rows[one].most) for one in ("lab01", "lab02", "lab03")] == [(8, 8), (8, 3), (2, 2)]
    assert office.store.rows == rows
    office.write_hosts("lab01 info=old\n")
    office.look()
    assert (office.farm.hosts["lab01"].slots, office.farm.hosts["lab01"].info) == (8, "old")


def test_a_lent_host_is_its_lenders_whatever_the_file_says(office: Office) -> None:
    office.farm.hosts["desk"] = HostRow("desk", 2, 2, owner="ben")
    office.begin("lab01 slots=8\n")
    assert office.farm.hosts["desk"].active

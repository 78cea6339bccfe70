"""A farm whose machine is lost goes on elsewhere from a backup: its users join there and keep what runs."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import people
from waiting import wait_until

from .town import FARM, PEOPLE, Town

LAB_HOSTS = 4
pytestmark = [pytest.mark.slow, pytest.mark.timeout(290)]
# It takes 145 s, most of them the minute in which a new farm lets nothing grow: with --long only. The parts of it are
# tested in tests/delegate/test_places.py.
__test__ = bool(os.environ.get("SPE_LONG"))
SETS = 60


def own(place: Path, who: str) -> None:
    for path in (place, *place.rglob("*")):
        shutil.chown(path, people.uid(PEOPLE, who), people.uid(PEOPLE, who))


def test_a_farm_from_a_backup_on_another_machine_is_joined_there_and_no_job_is_lost(
    make_town: Callable[..., Town], tmp_path: Path
) -> None:
    town = make_town(users=("ada",))
    there = town.hosts[0]
    town.installed.append(there)
    there.power_off()
    there.boot(town.how(there))
    people.give_keys(town.lab, there, FARM)

    known = town.submit("ada", town.sweep("ada", "known", SETS), "--priority", "80")
    wait_until(lambda: town.jobs("ada")[known]["slots"] > 2, "it runs", 60, town.story)
    # The backup of the night. The farm is started twice later: masters know a later epoch than the backup.
    files = town.home(FARM) / ".local" / "share" / "spe" / "farm"
    town.run(FARM, "spe", "farm", "stop")
    shutil.copytree(files, tmp_path / "backup")
    town.start_farm()
    town.kill_farm()
    town.start_farm()
    unknown = town.submit("ada", town.sweep("ada", "unknown", SETS // 2))
    wait_until(lambda: town.jobs("ada")[unknown]["slots"] > 0, "the other one runs, too", 100, town.story)
    town.kill_farm()

    home = there.folder / "home" / FARM
    shutil.copytree(tmp_path / "backup", home / ".local" / "share" / "spe" / "farm")
    for name in ("hosts.txt", "users.txt"):
        shutil.copy(town.home(FARM) / name, home / name)
    own(home, FARM)
    words = ("spe", "farm", "start", "--hosts", "hosts.txt", "--users", "users.txt", "--new-id")
    town.note(town.run(FARM, *words, host=there))
    began = time.monotonic()
    said = town.run("ada", "spe", "farm", "join", there.name, "--account", FARM)
    assert re.search(rf"joined the farm \w+ on {there.name} as ada", said), said
    wait_until(lambda: town.jobs("ada")[known]["heard"] > 0 and town.jobs("ada")[known]["slots"] > 0, "it is heard", 60)
    heard = time.monotonic()
    assert town.jobs("ada").keys() == {known}, "the farm does not know what came after the backup"
    later = town.submit("ada", town.sweep("ada", "later", 5))
    assert later > unknown + 1000, "no number of a job that the backup does not know"
    wait_until(
        lambda: all(town.results("ada", name).exists() for name in ("known", "later", "unknown")),
        "all jobs end",
        200,
        town.story,
    )
    for name, sets in (("known", SETS), ("unknown", SETS // 2), ("later", 5)):
        rows = town.rows("ada", name)
        assert sorted(int(row["x"]) for row in rows) == list(range(1, sets + 1))
    print(f"heard {heard - began:.1f} s after the join began; numbers {known} {unknown} {later}")

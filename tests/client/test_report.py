"""What is said of an attempt beside its results: what it used, as JSON, in whole microseconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from spe.client.task.attempt import Attempt
from spe.client.task.report import remarks
from spe.client.task.settings import Settings
from spe.client.wire.task_record import Task

TIMES = {"wall": 1.25, "user": 0.000522, "system": 0.0}


def told(folder: Path, usage: dict[str, Any]) -> Any:
    attempt = Attempt(Task(1, "1", 0.0, [b"true"], {}, [], []), str(folder))
    attempt.usage = usage
    parts = dict(remarks(attempt, Settings(str(folder), {}, "", True, 0, False)))
    return json.loads(parts["usage"])


@pytest.mark.parametrize("more", [{"memory": 4096}, {"memory": 4096, "read": 512, "written": 0}])
def test_what_an_attempt_used_is_told_by_its_names(tmp_path: Path, more: dict[str, int]) -> None:
    assert told(tmp_path, {**TIMES, **more}) == {**TIMES, **more}


def test_seconds_are_rounded_to_microseconds_also_over_a_whole_second(tmp_path: Path) -> None:
    used = {"wall": 1.9999996, "user": 0.0000004, "system": 0.0000006, "memory": 1}
    assert told(tmp_path, used) == {"wall": 2.0, "user": 0.0, "system": 0.000001, "memory": 1}

"""The time of --until: the next one of a clock, a day with a time, or a span."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from spe.errors import UsageError
from spe.line.until import moment

NOW = datetime(2026, 12, 2, 17, 30, 5)


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("18:00", datetime(2026, 12, 2, 18)),
        ("17:30", datetime(2026, 12, 3, 17, 30)),
        ("8:00", datetime(2026, 12, 3, 8)),
        ("2026-12-24 18:00", datetime(2026, 12, 24, 18)),
        ("2026-12-24", datetime(2026, 12, 24)),
        ("2h", NOW + timedelta(hours=2)),
        ("90s", NOW + timedelta(seconds=90)),
    ],
)
def test_a_time_is_the_next_one(text: str, then: datetime) -> None:
    assert moment(text, NOW) == then.timestamp()


@pytest.mark.parametrize(
    ("text", "what"),
    [("", "is no time"), ("25:00", "is no time"), ("soon", "is no time"), ("2026-12-01 18:00", "is over"),
     ("2026-13-01", "is no time"), ("-2h", "is no time"), ("9e99h", "is no time")],
)  # fmt: skip
def test_what_is_no_time_to_come_is_told(text: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        moment(text, NOW)
    assert what in caught.value.what and caught.value.where == f"--until {text}" and caught.value.todo

"""What the weeks of a suite were, in one line at its end; it travels with the reports of the tests."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

KEY = "week"


def show_weeks(terminalreporter: Any) -> None:
    """All weeks of all processes; for docs/drills.md."""
    reports = [r for rs in terminalreporter.stats.values() for r in rs if getattr(r, "when", "") == "call"]
    weeks = [json.loads(text) for r in reports for key, text in r.user_properties if key == KEY]
    if not weeks:
        return
    seeds = [one.pop("seed") for one in weeks]
    sums: Counter[str] = Counter()
    for one in weeks:
        sums.update(one)
    terminalreporter.section("weeks")
    words = ", ".join(f"{n} {what}" for what, n in sums.items())
    terminalreporter.write_line(f"{len(weeks)} weeks (seeds {min(seeds)} to {max(seeds)}): {words}")

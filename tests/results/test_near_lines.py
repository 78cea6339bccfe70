"""Where a regex matches nothing, the lines that it may have meant are found."""

from __future__ import annotations

import pytest
from spe.results.near_lines import near_lines

TEXT = "Program X\n\nFX  =  1.5 kN\nFY  =  2.5 kN\nMoment FX = 3\nend\n"


@pytest.mark.parametrize(
    ("regex", "near", "lines"),
    [
        (r"Fx = (\S+)", True, ["FX  =  1.5 kN", "Moment FX = 3"]),
        (r"(?m)^\s*moment\s+fx: (\S+)", True, ["Moment FX = 3"]),
        (r"(?P<end>\d+) kN/m", True, ["FX  =  1.5 kN", "FY  =  2.5 kN"]),
        (r"slope = (\S+)", False, ["Program X", "FX  =  1.5 kN", "FY  =  2.5 kN", "Moment FX = 3", "end"]),
        (r"^(\d+)$", False, ["Program X", "FX  =  1.5 kN", "FY  =  2.5 kN", "Moment FX = 3", "end"]),
    ],
)
def test_lines_with_most_words_of_the_regex_are_near(regex: str, near: bool, lines: list[str]) -> None:
    assert near_lines(TEXT, regex) == (near, lines)


def test_few_and_short_lines_are_shown_and_none_of_an_empty_text() -> None:
    assert near_lines("", "a") == (False, [])
    _, lines = near_lines("energy " * 100 + "\n" + "energy\n" * 20, "energy: (.*)")
    assert len(lines) == 5 and len(lines[0]) == 120

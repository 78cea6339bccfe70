"""The lines of a text that a regular expression may have meant, where it matches nothing. Pure."""

from __future__ import annotations

import re

MOST = 5  # lines that are shown
_WIDEST = 120  # characters of a line
_WORD = re.compile(r"[^\W\d_]{2,}")
# Letters behind a backslash are no words of the text: \S, \bFx. Nor is what stands in (?P<name>.
_OF_REGEX = re.compile(r"\\.|\(\?P<\w+>|\(\?\w*[:)]?")


def near_lines(text: str, regex: str) -> tuple[bool, list[str]]:
    """Return (True, lines with most of the words of a regex), or (False, the first lines).

    Words are compared without regard to upper and lower case.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    words = {word.lower() for word in _WORD.findall(_OF_REGEX.sub(" ", regex))}
    counts = [sum(word in line.lower() for word in words) for line in lines]
    best = max(counts, default=0)
    if not best:
        return False, [_cut(line) for line in lines[:MOST]]
    near = [line for line, count in zip(lines, counts, strict=True) if count == best]
    return True, [_cut(line) for line in near[:MOST]]


def _cut(line: str) -> str:
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"

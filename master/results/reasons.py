"""Reasons of failures: when two of them are the same, and how many sets failed for which one. Pure.

The end of a run, `spe status`, `spe why`, the page and `stop_alike` all ask this file, so that they agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Generic, TypeVar

from ..record import record
from ..text import printable

T = TypeVar("T")
# How an attempt ended, in front of the last line that its program wrote. Codes of different programs' errors differ,
# so these digits count: exit code 1 and exit code 75 are two reasons.
_HEAD = re.compile(r"(exit code -?\d+|killed by signal \d+(?: \(\w+\))?(?:, out of memory)?)(?:: (.*))?\Z", re.S)
# A path has a slash. It begins and ends at a blank, a quotation mark, a bracket or a comma.
_PATH = re.compile(r"""[^\s'"`‘’“”<>()\[\]{},;=]*[/\\][^\s'"`‘’“”<>()\[\]{},;]*""")
# Addresses such as 0x7f3a, numbers with fraction and exponent. A sign belongs to the number: -1 and 1 are alike.
_NUMBER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|\d[\d.,_]*\d|\d)(?:[eE][-+]?\d+)?")
_LONGEST = 1000  # characters of a reason that are compared


def normal_form(reason: str) -> str:
    """Return a reason without its digits and paths: two reasons with the same normal form are the same reason."""
    found = _HEAD.match(reason[:_LONGEST])
    if found is None:
        return _without_details(reason[:_LONGEST])
    return f"{found[1]}: {_without_details(found[2] or '')}"


def _without_details(text: str) -> str:
    # Paths first: the digits in a path go with it, and so does its length.
    return " ".join(_NUMBER.sub("#", _PATH.sub("…", text)).split())


@record
class ReasonGroup(Generic[T]):
    """Failures for one reason."""

    count: int
    reason: str  # that of the first one
    first: T
    differ: bool = False  # the texts of the others are not the same, but for digits and paths

    @property
    def line(self) -> str:
        """The group in one line: `114 × ZeroDivisionError: division by zero (exit code 1)`."""
        line = f"{self.count} × {error_first(self.reason)}"
        return f"{line}, and alike" if self.differ else line


def error_first(reason: str) -> str:
    """Return a reason in one line for a list: the error, then how the attempt ended."""
    first = printable("".join(reason.splitlines()[:1]))
    found = _HEAD.match(first)
    if found is None or not found[2]:
        return first
    return f"{found[2]} ({found[1]})"


def grouped(failures: Iterable[tuple[str, int, T]]) -> list[ReasonGroup[T]]:
    """Return the failures by their reasons, the most frequent reason first.

    `failures`: (reason, how many failed so, the first of them). The first of a group is its first one here.
    """
    groups: dict[str, ReasonGroup[T]] = {}
    for reason, count, first in failures:
        form = normal_form(reason)
        known = groups.get(form)
        if known is None:
            groups[form] = ReasonGroup(count, reason, first)
        else:
            differ = known.differ or reason != known.reason
            groups[form] = ReasonGroup(known.count + count, known.reason, known.first, differ)
    # The sort is stable: groups of one size stay in the order of their first failures.
    return sorted(groups.values(), key=lambda group: -group.count)

"""Reads the reports of delegates about their jobs: JSON that anybody may have sent."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from ...text import printable
from ..farm import News
from ..gate.bodies import whole
from ..gate.heart import Unfit
from ..holding import Report
from ..texts import is_host_name

LONGEST_BOOT = 64  # characters
MOST_TEXT = 200  # characters of why a host is not up


def read_news(said: Any, known: Container[str]) -> News:
    """Return what is reported of one job. Raises Unfit.

    known: the farm's hosts. What is said of others is left out: a member could have the farm keep
    a megabyte of names for each job.
    """
    if not isinstance(said, dict):
        raise Unfit("what is reported of a job is no object")
    serial = said.get("serial")
    if not isinstance(serial, list) or len(serial) != 2:
        raise Unfit("`serial` is no pair of numbers")
    report = Report(
        serial=(whole("`serial`", serial[0]), whole("`serial`", serial[1])),
        epoch=whole("`epoch`", said.get("epoch")),
        number=whole("`number`", said.get("number")),
        allowed=_counts("`allowed`", said, known),
        out=_counts("`out`", said, known),
    )
    return News(
        report=report,
        wants=whole("`wants`", said.get("wants", 0)),
        copies=whole("`copies`", said.get("copies", 0)),
        most=_counts("`most`", said, known),
        up=frozenset(host for host in _hosts("`up`", said.get("up", [])) if host in known),
        faults=_faults(said.get("faults", {}), known),
        sets=whole("`sets`", said.get("sets", 0)),
        done=whole("`done`", said.get("done", 0)),
        failed=whole("`failed`", said.get("failed", 0)),
        is_over=said.get("over") is True,
        is_paused=said.get("paused") is True,
        boots=_boots(said.get("boots", {}), known),
    )


def _hosts(what: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(is_host_name(one) for one in value):
        raise Unfit(f"{what} is no list of host names")
    return value


def _counts(what: str, said: Mapping[str, Any], known: Container[str]) -> dict[str, int]:
    """Return an object of known hosts with numbers."""
    value = said.get(what.strip("`"), {})
    if not isinstance(value, dict) or not all(is_host_name(one) for one in value):
        raise Unfit(f"{what} is no object of host names")
    counts = {host: whole(what, number) for host, number in value.items()}
    return {host: number for host, number in counts.items() if host in known}


def _boots(value: object, known: Container[str]) -> dict[str, str]:
    if not isinstance(value, dict) or not all(is_host_name(one) for one in value):
        raise Unfit("`boots` is no object of host names")
    if not all(isinstance(text, str) and len(text) <= LONGEST_BOOT for text in value.values()):
        raise Unfit("`boots` has something that is no ID of a boot")
    return {host: text for host, text in value.items() if host in known}


def _faults(value: object, known: Container[str]) -> dict[str, str]:
    if not isinstance(value, dict) or not all(is_host_name(one) for one in value):
        raise Unfit("`faults` is no object of host names")
    if not all(isinstance(text, str) for text in value.values()):
        raise Unfit("`faults` has something that is no text")
    return {host: printable(text)[:MOST_TEXT] for host, text in value.items() if host in known}

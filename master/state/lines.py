"""Words for a terminal that say how a sweep stands.

They are made of the document of document.py.

These functions do no I/O. Places on the screen, and colours, are the business of terminal.py.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..results.reasons import ReasonGroup, grouped
from ..text import counted, printable, rate, set_counts, span, span_between

Document = Mapping[str, Any]
TROUBLE = ("fault", "benched", "gone", "suspect")
HEAD = ("host", "state", "running", "done", "failed", "lost", "load", "last word", "why")
MOST_HOSTS, LAST_FAILURES = 1000, 5  # in `plain`
SILENT = 30  # seconds without a word of a host after which the table tells it
DAY = 20 * 3600  # seconds; an end that is farther away is shown with its day


def counts(document: Document) -> str:
    """Return how many sets are in which state, as one line."""
    sweep = document["sweep"]
    return set_counts(
        sweep["done"],
        sweep["total"],
        sweep["failed"],
        sweep["running"],
        sweep["waiting"],
        cancelled=sweep.get("cancelled", 0),
        paused=sweep.get("paused_sets", 0),
    )


def is_paused(document: Document | None, task: int) -> bool:
    """Tell whether this set runs, and people have paused all programs that run for it."""
    if document is None:
        return False
    out = [one for one in document["tickets"].values() if one["task"] == task]
    return bool(out) and all(one.get("paused") for one in out)


def ended(document: Document) -> int:
    """Return the number of sets that nobody waits for any more."""
    sweep = document["sweep"]
    return int(sweep["done"] + sweep["failed"] + sweep.get("cancelled", 0))


def pace(document: Document, now: float) -> str:
    """Return the rate and when the sweep is likely to end, or what keeps it from going on."""
    sweep = document["sweep"]
    runs = sweep["state"] == "running"
    words = []
    if not runs:
        words.append(str(sweep["state"]))
    if sweep.get("rate"):
        words.append(rate(sweep["rate"]))
    if sweep.get("left") and runs:
        least, most = sweep["left"]
        words.append(expected_end(least, most, now))
    if runs and sweep.get("waits_for"):
        words.append(f"sets wait for {sweep['waits_for']}")
    if runs and sweep.get("back_offs"):
        words.append(_back_offs(sweep["back_offs"], now))
    return ", ".join(words)


def _back_offs(told: Mapping[str, Any], now: float) -> str:
    """Return how many sets wait for their next attempt, and when the first one begins."""
    left = max(0.0, told["first"] - now)
    waiting = counted(int(told["sets"]), "set pauses", "sets pause")
    return f"{waiting} before the next attempt, the first for {span(left)}"


def expected_end(least: float, most: float, now: float) -> str:
    """Return `ends in 4 to 6 min (about 14:35)` for an end in `least` to `most` seconds."""
    text = f"ends in {span_between(least, most)}"
    if most < 60:  # the end comes before anybody has looked at a clock
        return text
    middle = time.localtime(now + (least + most) / 2)
    return f"{text} (about {time.strftime('%H:%M' if most < DAY else '%a %H:%M', middle)})"


def host_rows(document: Document, now: float, most: int) -> list[tuple[str, ...]]:
    """Return at most `most` rows, one a host.

    Where there is no room for all, those with trouble come first, and the last row counts the
    others.
    """
    hosts: Mapping[str, Any] = document["hosts"]
    names = list(hosts)
    if len(names) > most:
        # The sort is stable: apart from trouble, hosts keep the order of the hosts file.
        names.sort(key=lambda name: hosts[name]["state"] not in TROUBLE)
        names = names[: max(0, most - 1)]
    rows = [_row(name, hosts[name], now) for name in names]
    rest = len(hosts) - len(names)
    if rest:
        rows.append((f"… and {rest} more", *[""] * (len(HEAD) - 1)))
    return rows


def _row(name: str, host: Mapping[str, Any], now: float) -> tuple[str, ...]:
    load = word = ""
    if "load" in host:
        load = f"{host['load']:.1f}"
    silent = now - host.get("word", now)
    if silent > SILENT:
        word = f"{silent:.0f} s ago"
    running = str(host["running"])
    if host["slots"]:
        running += f" of {host['slots']}"
    # Blanks where nothing is to be said: a column of zeros and dashes hides the row that matters.
    ended = [str(host[key]) for key in ("done", "failed", "lost")]
    return (name, str(host["state"]), running, *ended, load, word, printable(host.get("why", "")))


def failure_lines(document: Document, most: int) -> list[str]:
    """Return the newest failures, a line for each of up to `most` reasons, the newest last.

    The document has the newest failures only, so only these are counted.
    """
    if most <= 0:
        return []
    found = sorted(document["failures"].items(), key=lambda one: -float(one[1]["time"]))
    # Sets that will be tried again are not counted together with those that have failed for good.
    told: list[tuple[float, str]] = []
    for final in (True, False):
        some = [one for one in found if one[1].get("final", True) is final]
        groups = grouped((str(one[1]["reason"]), 1, one) for one in some)
        told += [(float(group.first[1]["time"]), _failures(group)) for group in groups]
    return [line for _, line in sorted(told)[-most:]]


def _failures(group: ReasonGroup[tuple[str, Mapping[str, Any]]]) -> str:
    """Return failures for one reason as a line. The first of the group is the newest one."""
    task, failure = group.first
    if group.count == 1:
        return _failure(task, failure)
    newest = f"task {task} on {failure['host']}" if failure.get("host") else f"task {task}"
    again = "" if failure.get("final", True) else ", tried again"
    return f"{group.line}; the newest is {newest}{again}"


def _failure(task: str, failure: Mapping[str, Any]) -> str:
    line = f"task {task}"
    if failure.get("host"):
        line += f" on {failure['host']}"
    line += f": {printable(failure['reason'])}"
    if not failure.get("final", True):
        line += " (it is tried again)"
    return line


def progress(document: Document, now: float) -> str:
    """Return the counts, on how many hosts, and how fast it goes, as one line."""
    text = f"{counts(document)} on {counted(len(document['hosts']), 'host')}"
    how_fast = pace(document, now)
    return f"{text}; {how_fast}" if how_fast else text


def plain(document: Document, now: float) -> str:
    """Return all of the document as text.

    It has one line for the sweep, the table of hosts, and the last failures.
    """
    first = f"{document['sweep']['name']}: {counts(document)}"
    how_fast = pace(document, now)
    if how_fast:
        first += f", {how_fast}"
    table = _table([HEAD, *host_rows(document, now, MOST_HOSTS)])
    return "".join(f"{line}\n" for line in [first, *table, *failure_lines(document, LAST_FAILURES)])


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    # Not rich's table: `plain` is for pipes and logs, and must not load rich.
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]

"""How a sweep stands, as words for a terminal: from the document of document.py to lines and rows.

These functions do no I/O. Places on the screen, and colours, are the business of terminal.py.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..text import printable, rate, span

Document = Mapping[str, Any]
TROUBLE = ("fault", "benched", "gone", "suspect")
HEAD = ("host", "state", "running", "done", "failed", "lost", "load", "word", "")
SILENT = 30  # seconds without a word of a host after which the table tells it
DAY = 20 * 3600  # seconds; an end that is farther away is shown with its day


def counts(document: Document) -> str:
    """Return how many sets are in which state, as one line."""
    sweep = document["sweep"]
    text = f"{sweep['done']} of {sweep['total']} done, {sweep['running']} running"
    for state in ("failed", "cancelled"):
        if sweep.get(state):
            text += f", {sweep[state]} {state}"
    return text


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
    return ", ".join(words)


def expected_end(least: float, most: float, now: float) -> str:
    """Return `ends in 4 to 6 min (about 14:35)` for an end in `least` to `most` seconds."""
    low, unit = span(least).split()
    high, high_unit = span(most).split()
    if unit != high_unit:
        text = f"ends in {low} {unit} to {high} {high_unit}"
    elif low != high:
        text = f"ends in {low} to {high} {unit}"
    else:
        text = f"ends in {high} {unit}"
    if most < 60:
        return text
    form = "%H:%M" if most < DAY else "%a %H:%M"
    return f"{text} (about {time.strftime(form, time.localtime(now + (least + most) / 2))})"


def host_rows(document: Document, now: float, most: int) -> list[tuple[str, ...]]:
    """Return at most `most` rows, one a host.

    Where there is no room for all, those with trouble come first, and the last row counts the others.
    """
    hosts: Mapping[str, Any] = document["hosts"]
    names = list(hosts)
    if len(names) > most:
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
    ended = [str(host[key]) for key in ("done", "failed", "lost")]
    return (name, str(host["state"]), running, *ended, load, word, printable(host.get("why", "")))


def failure_lines(document: Document, most: int) -> list[str]:
    """Return the newest `most` failures, one line each, the newest last."""
    if most <= 0:
        return []
    found = sorted(document["failures"].items(), key=lambda one: float(one[1]["time"]))
    return [_failure(task, failure) for task, failure in found[-most:]]


def _failure(task: str, failure: Mapping[str, Any]) -> str:
    line = f"task {task}"
    if failure.get("host"):
        line += f" on {failure['host']}"
    line += f": {printable(failure['reason'])}"
    if not failure.get("final", True):
        line += " (it is tried again)"
    return line


def plain(document: Document, now: float) -> str:
    """Return all of the document as text: one line for the sweep, the table of hosts, the last failures."""
    rows = [HEAD, *host_rows(document, now, 1000)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    name = document["sweep"]["name"]
    lines = [", ".join(filter(None, (f"{name}: {counts(document)}", pace(document, now))))]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "".join(f"{line}\n" for line in [*lines, *failure_lines(document, 5)])

"""How a sweep stands, as words for a terminal: from the document of document.py to lines and rows. Pure.

Where they go on the screen, and in which colours, is terminal.py's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..text import printable, rate, span

Document = Mapping[str, Any]
TROUBLE = ("fault", "benched", "gone", "suspect")
HEAD = ("host", "state", "running", "done", "failed", "lost", "load", "word", "")


def counts(document: Document) -> str:
    """How many sets are where."""
    sweep = document["sweep"]
    text = f"{sweep['done']} of {sweep['total']} done, {sweep['running']} running"
    for state in ("failed", "cancelled"):
        text += f", {sweep[state]} {state}" if sweep.get(state) else ""
    return text


def ended(document: Document) -> int:
    """Sets that nobody waits for any more."""
    sweep = document["sweep"]
    return int(sweep["done"] + sweep["failed"] + sweep.get("cancelled", 0))


def pace(document: Document, now: float) -> str:
    """The rate, and when it is likely to end; or what keeps it from going on."""
    sweep = document["sweep"]
    words = [] if sweep["state"] == "running" else [str(sweep["state"])]
    if sweep.get("rate"):
        words.append(rate(sweep["rate"]))
    if sweep.get("left") and sweep["state"] == "running":
        least, most = sweep["left"]
        words.append(expected_end(least, most, now))
    return ", ".join(words)


def expected_end(least: float, most: float, now: float) -> str:
    """`ends in 4 to 6 min (about 14:35)`."""
    low, high = span(least), span(most)
    low = low if low.split()[1] != high.split()[1] else low.split()[0]
    text = f"ends in {high}" if low == high.split()[0] else f"ends in {low} to {high}"
    if most < 60:
        return text
    form = "%H:%M" if most < 20 * 3600 else "%a %H:%M"
    return f"{text} (about {time.strftime(form, time.localtime(now + (least + most) / 2))})"


def host_rows(document: Document, now: float, most: int) -> list[tuple[str, ...]]:
    """A row for each host, those with trouble first where there is no room for all; the last row counts the others."""
    hosts: Mapping[str, Any] = document["hosts"]
    names = list(hosts)
    if len(names) > most:
        names.sort(key=lambda name: hosts[name]["state"] not in TROUBLE)
        names = names[: max(0, most - 1)]
    rows = [_row(name, hosts[name], now) for name in names]
    if rest := len(hosts) - len(names):
        rows.append((f"… and {rest} more", *[""] * (len(HEAD) - 1)))
    return rows


def _row(name: str, host: Mapping[str, Any], now: float) -> tuple[str, ...]:
    load = f"{host['load']:.1f}" if "load" in host else ""
    word = f"{max(0, now - host['word']):.0f} s ago" if now - host.get("word", now) > 30 else ""
    running = f"{host['running']} of {host['slots']}" if host["slots"] else str(host["running"])
    return (name, str(host["state"]), running, str(host["done"]), str(host["failed"]), str(host["lost"]), load, word,
            printable(host.get("why", "")))  # fmt: skip


def failure_lines(document: Document, most: int) -> list[str]:
    """The newest failures, the newest last."""
    found = sorted(document["failures"].items(), key=lambda one: float(one[1]["time"]))
    lines = []
    for task, failure in found[-most:] if most > 0 else []:
        where = f" on {failure['host']}" if failure.get("host") else ""
        again = "" if failure.get("final", True) else " (it is tried again)"
        lines.append(f"task {task}{where}: {printable(failure['reason'])}{again}")
    return lines


def plain(document: Document, now: float) -> str:
    """All of it as text."""
    rows = [HEAD, *host_rows(document, now, 1000)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    name = document["sweep"]["name"]
    lines = [", ".join(filter(None, (f"{name}: {counts(document)}", pace(document, now))))]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "".join(f"{line}\n" for line in [*lines, *failure_lines(document, 5)])

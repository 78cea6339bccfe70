"""A message: its subject, its lines, and its record for programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from ..record import record
from ..text import counted, printable, seconds, set_counts

MOST_REASONS = 5
MOST_CHARACTERS = 300  # of a reason


@record
class Facts:
    """A run at the moment of a message."""

    sweep: str
    folder: str  # runs/<name>/
    project: str  # the folder in which `spe` is called
    host: str  # of the master
    seconds: float  # since this master began
    total: int
    done: int
    failed: int
    cancelled: int
    running: int
    waiting: int
    reasons: tuple[tuple[int, str], ...] = ()  # of failed sets, the most frequent first
    because: tuple[str, ...] = ()  # why sets wait, or why no host works
    continued: bool = False  # the run was begun by an earlier master


@record
class Message:
    """A message as it is sent. `ident` is the same each time that it is tried."""

    event: str
    subject: str
    text: str
    ident: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def message(event: str, facts: Facts, ident: str) -> Message:
    """Return the message of an event."""
    subject = f"spe: {facts.sweep}: {_headline(event, facts)}"
    todo = next_step(event, facts)
    lines = []
    if event != "done" or facts.cancelled:  # else the subject has said it
        counts = (facts.done, facts.total, facts.failed, facts.running, facts.waiting)
        lines.append(set_counts(*counts, cancelled=facts.cancelled))
    lines += [f"{count} × {_shortened(reason)}" for count, reason in facts.reasons[:MOST_REASONS]]
    if len(facts.reasons) > MOST_REASONS:
        lines.append(f"and {counted(len(facts.reasons) - MOST_REASONS, 'more reason')}")
    lines += [_shortened(one) for one in facts.because[:MOST_REASONS]]
    since = " since it was continued" if facts.continued else ""
    lines += [""] if lines else []
    lines += [f"time:   {seconds(facts.seconds)}{since}", f"master: {facts.host}"]
    lines += [f"folder: {printable(facts.folder)}", f"next:   {todo}"]
    return Message(event, printable(subject), "\n".join(lines) + "\n", ident, _record(event, facts, todo))


def test_message(host: str, ident: str) -> Message:
    """Return a message that says that messages arrive."""
    text = f"This is a test: messages of spe on {host} reach you.\n"
    return Message("test", f"spe: a test from {host}", text, ident, {"event": "test", "host": host})


def _headline(event: str, facts: Facts) -> str:
    if event == "first_failure":
        return "the first set has failed"
    if event == "stalled":
        return f"it has stalled, {counted(facts.waiting + facts.running, 'set is', 'sets are')} left"
    if event == "given_up":
        return f"given up, {counted(facts.waiting + facts.running, 'set is', 'sets are')} left"
    if facts.done == facts.total:
        return "the set is done" if facts.total == 1 else f"all {facts.total} sets are done"
    ended = f"ended, {facts.done} of {facts.total} sets are done"
    return f"{ended}, {facts.failed} failed" if facts.failed else ended


def next_step(event: str, facts: Facts) -> str:
    """Return the command to type next."""
    verb = "status"
    if event == "done":
        verb = "retry" if facts.failed else "results"
    elif event == "first_failure":
        verb = "log --failed"
    return f"cd {quoted(facts.project)} && spe {verb} --name {quoted(facts.sweep)}"


def quoted(text: str) -> str:
    """Return a text as one word for a shell."""
    import shlex

    return shlex.quote(printable(text))


def _shortened(reason: str) -> str:
    line = printable(" ".join(reason.split()))
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"


def _record(event: str, facts: Facts, todo: str) -> dict[str, Any]:
    states = ("total", "done", "failed", "cancelled", "running", "waiting")
    return {
        "event": event,
        "sweep": facts.sweep,
        "sets": {state: getattr(facts, state) for state in states},
        "seconds": round(facts.seconds, 1),
        "host": facts.host,
        "folder": facts.folder,
        "reasons": [{"sets": count, "reason": _shortened(one)} for count, one in facts.reasons[:MOST_REASONS]],
        "because": list(map(_shortened, facts.because[:MOST_REASONS])),
        "next": todo,
    }

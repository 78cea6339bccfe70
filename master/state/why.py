"""Sentences that say why a set does not run now, for `spe why` and its page.

They come from the store and from what the run has written down (blockers.py), not from the master
itself: `spe why` also answers when nothing runs, or when the master does not answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from ..dispatch.pacing.back_offs import back_off
from ..model import TaskState
from ..results.reasons import normal_form
from ..session.detached import owner_of_hidden
from ..session.living import living
from ..store.reader import Reader
from ..store.sessions import RETRY_AFTER
from ..store.task_details import TaskDetail
from ..text import counted, ordinal, seconds

LONGEST_FIRST = "longest first"  # key of what the run wrote down, beside the names of hosts, which have no blank
FILE = Path("session") / "blockers.json"  # below runs/<name>/; blockers.py writes it


def why(
    reader: Reader, task: TaskDetail, blockers: Mapping[str, str], paused: bool = False
) -> list[str]:
    """Return the reasons, the most important first.

    `paused`: people have paused its program. `blockers`: what keeps hosts from getting work, as
    `written` returns it.
    """
    if task.state is TaskState.DONE:
        return [_done(task)]
    # A set that is done keeps its row. All others are as nothing once their parameters are gone.
    if not task.in_plan:
        return [f"it is {task.absence}"]
    if task.state in (TaskState.CANCELLED, TaskState.FAILED):
        return [*_given_up(reader, task), _again(task)]
    reasons = _no_run(reader)
    if task.state is TaskState.RUNNING:
        if paused:
            return [*reasons, f"it was paused by hand: `spe resume {task.number}` goes on"]
        return [*reasons, _runs(task)]
    # Without a run no host gets work: what an earlier run had written down of hosts is over.
    if not reasons:
        reasons = sentences(blockers)
    place = _pause(reader, task, time.time()) or _place(reader, task, blockers.get(LONGEST_FIRST, ""))
    return [*reasons, place, *_before(task)]


def _done(task: TaskDetail) -> str:
    if not task.tickets:
        return "it is done"
    return f"it is done, by {task.tickets[-1].host}"


def _given_up(reader: Reader, task: TaskDetail) -> list[str]:
    if task.state is TaskState.CANCELLED:
        return [f"it was {task.reason or 'cancelled'}"]
    return [f"it has failed: {task.reason}", *_others(reader, task), *_evidence(task)]


def _again(task: TaskDetail) -> str:
    if task.is_refused:
        return "its stored value is refused: correct `results`, then `spe run`; nothing has to be computed again"
    return "`spe retry` tries it again"


def _others(reader: Reader, task: TaskDetail) -> list[str]:
    """Return how many other sets have failed for the same reason; nothing where there are none."""
    form = normal_form(task.reason or "")
    groups = reader.failure_groups()
    count = next((one.count for one in groups if normal_form(one.reason) == form), 1) - 1
    if count < 1:
        return []
    return [f"{counted(count, 'other set has', 'other sets have')} failed for the same reason"]


def _runs(task: TaskDetail) -> str:
    # Both copies are named: a straggler has one on another host.
    hosts = ", ".join(ticket.host for ticket in task.tickets if ticket.state == "issued")
    return f"it runs, on {hosts or 'nobody'}"


def _no_run(reader: Reader) -> list[str]:
    """Return why no run goes on, or nothing where one does that wrote down how it stands.

    The reasons why the last run ended too early stand behind it.
    """
    if living(reader.folder):
        return []
    # The master.json of a colleague is not readable for us: `living` has seen nothing
    owner = owner_of_hidden(reader.folder)
    if owner:
        return [
            f"a run of {owner} goes on; what keeps its hosts from getting work is for {owner} alone to read"
        ]
    ended = [f"the last run left sets waiting: {one.sentence}" for one in reader.waiting_because()]
    return ["nothing runs this sweep now: `spe run` goes on", *ended]


def _place(reader: Reader, task: TaskDetail, order: str) -> str:
    """Return how many sets wait before it. `order`: why that is not known, "" where it is."""
    ahead, tried = reader.waiting_before(task.number)
    if order and not tried:
        return order
    if not ahead:
        return "it is next"
    place = f"{counted(ahead, 'other set waits', 'other sets wait')} before it"
    if tried:
        place += ": a set that comes back from a host goes behind those that wait already"
    return place


def _pause(reader: Reader, task: TaskDetail, now: float) -> str:
    """Return when a set in its pause before the next attempt (`retry.after`) is tried again; "" for others."""
    after = float(reader.meta(RETRY_AFTER, "0"))
    ended = [one for one in task.tickets if one.state in ("failed", "rejected")]
    if not after or not ended or not task.attempts:
        return ""
    last = max(one.issued + (one.seconds or 0.0) for one in ended)
    left = last + back_off(after, task.attempts) - now
    if left <= 0:
        return ""
    return f"its {ordinal(task.attempts + 1)} attempt begins in {seconds(left)} at the earliest (retry.after)"


def _before(task: TaskDetail) -> list[str]:
    """Return how its last attempt ended; nothing before the first one."""
    if not task.tickets:
        return []
    last = task.tickets[-1]
    if last.reason:
        return [f"its last attempt, on {last.host}: {last.reason}", *_evidence(task)]
    if last.state == "lost":
        return [f"its last attempt was lost with {last.host}"]
    return []


def _evidence(task: TaskDetail) -> list[str]:
    if not task.tickets or not task.tickets[-1].files:
        return []
    return [f"its directory had: {task.tickets[-1].files.summary()}"]


def sentences(blockers: Mapping[str, str]) -> list[str]:
    """Return the sentences about hosts, the one about all of them first.

    Its key "" is sorted before all names.
    """
    hosts = sorted((host, text) for host, text in blockers.items() if host != LONGEST_FIRST)
    return [f"{host} {text}".strip() for host, text in hosts]


def written(folder: Path) -> dict[str, str]:
    """Return what the run that goes on in runs/<name>/ wrote down; nothing when none goes on."""
    try:
        return dict(json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError):  # no run, or not ours to read
        return {}

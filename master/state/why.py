"""Why a set does not run now, in sentences, for `spe why` and its page: by the store, and by how the run stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..model import TaskState
from ..session.detached import owner_of_hidden
from ..session.living import living
from ..store.reader import Reader
from ..store.task_details import TaskDetail

FILE = Path("session") / "standing.json"  # below runs/<name>/; blockers.py writes it


def why(reader: Reader, task: TaskDetail, standing: Mapping[str, str]) -> list[str]:
    """The most important first. `standing`: what keeps hosts from getting work, see blockers.py and `written`."""
    last = task.tickets[-1] if task.tickets else None
    if task.state is TaskState.DONE:
        return [f"it is done, by {last.host}" if last else "it is done"]
    if not task.in_plan:
        return ["it is no longer among the parameters"]
    if task.state is TaskState.CANCELLED:
        return [f"it was {task.reason or 'cancelled'}", "`spe retry` tries it again"]
    if task.state is TaskState.FAILED:
        return [f"it has failed: {task.reason}", *_evidence(task), "`spe retry` tries it again"]
    reasons = _no_run(reader)
    if task.state is TaskState.RUNNING:
        hosts = ", ".join(t.host for t in task.tickets if t.state == "issued") or "nobody"
        return [*reasons, f"it runs, on {hosts}"]
    reasons += sentences(standing) if not reasons else []
    return [*reasons, _place(reader, task), *_before(task)]


def _no_run(reader: Reader) -> list[str]:
    """Nothing where a run goes on that wrote down how it stands; else also why the last one ended too early."""
    if living(reader.folder):
        return []
    if owner := owner_of_hidden(reader.folder):
        return [f"a run of {owner} goes on; what keeps its hosts from getting work is for {owner} alone to read"]
    ended = [f"the last run left sets waiting: {one.sentence}" for one in reader.waiting_because()]
    return ["nothing runs this sweep now: `spe run` goes on", *ended]


def _place(reader: Reader, task: TaskDetail) -> str:
    ahead = reader.waiting_before(task.number)
    return f"{ahead} other {'set waits' if ahead == 1 else 'sets wait'} before it" if ahead else "it is next"


def _before(task: TaskDetail) -> list[str]:
    """How it ended last time."""
    last = task.tickets[-1] if task.tickets else None
    if last and last.reason:
        return [f"its last attempt, on {last.host}: {last.reason}", *_evidence(task)]
    return [f"its last attempt was lost with {last.host}"] if last and last.state == "lost" else []


def _evidence(task: TaskDetail) -> list[str]:
    files = task.tickets[-1].files if task.tickets else None
    return [f"its directory had: {files.summary()}"] if files else []


def sentences(standing: Mapping[str, str]) -> list[str]:
    """What is said of all hosts first."""
    return [f"{host} {text}".strip() for host, text in sorted(standing.items())]


def written(folder: Path) -> dict[str, str]:
    """What the run that goes on in runs/<name>/ wrote down; nothing when there is none."""
    try:
        return dict(json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}

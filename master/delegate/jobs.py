"""The jobs of a farm as its gate tells them to a user, and what one of them waits for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..errors import UsageError
from ..pool.joining.answering import ask_gate
from ..pool.joining.cards import Card
from ..text import printable

Json = Mapping[str, Any]
OVER = ("finished", "cancelled")
SILENT = 60.0  # seconds without a word of a delegate, which speaks each second
_KINDS: Mapping[str, tuple[type, ...]] = {
    "id": (int,), "owner": (str,), "name": (str,), "state": (str,), "slots": (int,),
    "cores": (int,), "sets": (int,), "done": (int,), "failed": (int,), "heard": (int, float),
    "silence": (int, float),
}  # fmt: skip


def all_jobs(card: Card) -> list[dict[str, Any]]:
    """Return the jobs that a farm lists. Raises UsageError."""
    found = ask(card, "GET", "/jobs").get("jobs")
    if not isinstance(found, list):
        raise _no_list(card)
    return [_checked(one, card) for one in found]


def ask(card: Card, method: str, path: str, body: Any = None) -> Any:
    """Return what the gate of a farm answers. Raises UsageError."""
    return ask_gate(card.urls, card.fingerprint, card.token, method, path, body)


def act(card: Card, job: int, verb: str, body: Json | None = None) -> dict[str, Any]:
    """Do something to a job, and return it. Raises UsageError."""
    return _checked(ask(card, "POST", f"/jobs/{job}/{verb}", dict(body or {})), card)


def why(card: Card, job: int) -> dict[str, Any]:
    """Return the rule's own numbers about a job. Raises UsageError."""
    found = ask(card, "GET", f"/jobs/{job}/why")
    try:
        found["job"] = _checked(found["job"], card)
        numbers = [found["has"], found["enabled"]]
        for one in found["turn"]:
            one["user"] = printable(one["user"])
            numbers += [one[name] for name in ("claim", "share", "fair", "boost", "age", "cores")]
        for one in found["hosts"].values():
            one["why"] = printable(one["why"])
            numbers.append(one["free"])
        if "wants" in found:
            numbers += [found[name] for name in ("wants", "boost", "age")]
        list(found.setdefault("own_jobs", {}))
        sum(numbers)
    except (KeyError, TypeError, AttributeError):
        raise _no_list(card) from None
    return dict(found)


def _checked(job: Any, card: Card) -> dict[str, Any]:
    """Return a job with texts that do nothing to a terminal. Raises UsageError."""
    if not isinstance(job, dict):
        raise _no_list(card)
    if not all(isinstance(job.get(name), kinds) for name, kinds in _KINDS.items()):
        raise _no_list(card)
    return {
        name: printable(value) if isinstance(value, str) else value for name, value in job.items()
    }


def _no_list(card: Card) -> UsageError:
    what = "the farm's answer is no list of jobs"
    return UsageError(what, where=card.srv, todo="Tell its administrator.")


def is_alone(job: Json) -> bool:
    """Tell whether no delegate is there for a job that is not over."""
    return job["state"] not in OVER and job["silence"] > SILENT


def state_of(job: Json) -> str:
    """Return what people must know beside the state of a job; "" for nothing."""
    if job["state"] in OVER:
        return str(job.get("outcome", ""))
    if is_alone(job):
        try:
            at = datetime.fromtimestamp(job["heard"]).strftime("%H:%M")
        except (OSError, OverflowError, ValueError):
            at = "long ago"
        where = f" ({job['place']} was last heard {at})" if job.get("place") else ""
        return f"nobody is there for {job['owner']}{where}"
    if job.get("unheard"):
        return "nothing is heard of its run: it goes on with what it has"
    return f"{job['failed']} failed" if job["failed"] else ""

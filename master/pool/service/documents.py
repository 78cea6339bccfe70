"""Documents about jobs and hosts for people and delegates, as JSON."""

from __future__ import annotations

from typing import Any

from ..deal.vacancy import Vacancy
from ..farm import Farm, FarmJob
from ..holding import Grant
from ..rows import HostRow, JobRow, JobState, Role, UserRow


def job_document(job: FarmJob, user: UserRow, place_in_line: int | None = None) -> dict[str, Any]:
    """Return a job as `user` may see it. place_in_line: jobs that come before it; None: it has slots."""
    row = job.row
    found: dict[str, Any] = {
        "id": row.id,
        "owner": row.owner,
        "name": row.name,
        "state": str(JobState.PAUSED if job.is_paused_by_itself else row.state),
        "priority": row.priority,
        "cores": row.cores,
        "sets": row.sets,
        "done": row.done,
        "failed": row.failed,
        "slots": sum(job.holding.granted.values()),
        "hosts": dict(job.holding.granted),
        "submitted": row.submitted,
        "started": row.started,
        "ended": row.ended,
    }
    if place_in_line is not None:
        found["before"] = place_in_line
    if user.name == row.owner or user.role is Role.ADMIN:
        found |= _private(row)
    return found


def _private(row: JobRow) -> dict[str, Any]:
    """Return what only the owner and administrators see."""
    return {
        "labels": row.labels,
        "group": row.group,
        "info": row.info,
        "place": row.place,
        "outcome": row.outcome,
    }


def host_document(row: HostRow, vacancy: Vacancy, granted: int) -> dict[str, Any]:
    """Return a host. granted: cores that jobs may use now."""
    return {
        "name": row.name,
        "slots": row.slots,
        "most": row.most,
        "granted": granted,
        "vacant": vacancy.free,
        "active": row.active,
        "only": row.only.split(),
        "info": row.info,
        "reason": row.reason or vacancy.why,
    }


def grant_document(row: JobRow, grant: Grant, farm: Farm) -> dict[str, Any]:
    """Return what a delegate is told of one of its jobs."""
    slots = {host: farm.hosts[host].slots for host in grant.slots if host in farm.hosts}
    machines = {host: farm.boots[host] for host in grant.slots if farm.boots.get(host)}
    return {
        "epoch": grant.epoch,
        "number": grant.number,
        "tasks": dict(grant.slots),
        "slots": slots,
        "machines": machines,
        "state": str(row.state),
        "priority": row.priority,
    }

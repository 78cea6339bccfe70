"""Why a job has the slots that it has, by the rule's own numbers. Pure.

Other users are named with what they have and claim, which is the rule's answer to whose turn it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .deal.asks import Host, Job
from .deal.rule import claims
from .farm import Farm, FarmJob
from .rows import HostRow


def explain(farm: Farm, number: int, now: float, reasons: Mapping[str, str]) -> dict[str, Any]:
    """Return numbers about one job. reasons: host -> why less than all of it may be granted."""
    users, jobs, hosts, _ = farm.picture(now)
    lent = {host.name for host in hosts if host.is_lent}
    has = {
        one: sum(n for host, n in job.holding.granted.items() if host not in lent)
        for one, job in farm.jobs.items()
    }
    job = farm.jobs[number]
    ask = next((one for one in jobs if one.id == number), None)
    owner = farm.users.get(job.row.owner)
    found: dict[str, Any] = {
        "enabled": owner is not None and owner.enabled,
        "has": sum(job.holding.granted.values()),
        "would": sum(farm.targets.get(number, {}).values()),
        "turn": [
            {
                "user": one.user.name,
                "claim": one.claim,
                "cores": one.cores,
                "share": one.user.share,
                "fair": one.user.fair,
                "boost": one.boost,
                "age": one.user.age,
            }
            for one in claims(users, jobs, has)
        ],
        "hosts": {},
    }
    if ask is None:
        return found
    mine = next((one for one in claims(users, jobs, has) if one.user.name == ask.owner), None)
    found |= {"wants": ask.wants, "boost": ask.boost, "age": ask.age}
    found["own_jobs"] = dict(sorted(mine.jobs.items(), key=lambda one: one[1])) if mine else {}
    held = farm.cores("held")
    for host in hosts:
        row = farm.hosts[host.name]
        free = max(0, host.cores - held.get(host.name, 0))
        why = _why_not(farm, job, ask, host, row, now)
        if not why and free < ask.needs.cores:
            why = reasons.get(host.name) or f"full: jobs hold {held.get(host.name, 0)} cores"
        found["hosts"][host.name] = {"free": free, "why": why}
    return found


def _why_not(farm: Farm, job: FarmJob, ask: Job, host: Host, row: HostRow, now: float) -> str:
    """Return why a host never fits a job, however free it is; "" where it fits."""
    if ask.hosts is not None and host.name not in ask.hosts:
        return "the sweep names other hosts"
    if host.name in ask.exclude:
        return "excluded by --exclude"
    if host.only is not None and ask.owner not in host.only:
        return "it is for others only"
    needs, most = ask.needs, min(row.slots, row.most)
    if needs.cores > most:
        return f"a task takes {needs.cores} cores, and jobs may use {most}"
    if needs.memory > host.memory:
        return f"a task takes {needs.memory} bytes of memory, and it has {host.memory:.0f}"
    if needs.gpus > host.gpus:
        return f"a task takes {needs.gpus:g} GPUs, and it has {host.gpus:g}"
    if job.row.id in farm.unheard:
        return "nothing was heard of the job for long: it gets nothing new"
    fault = job.faults.get(host.name)
    if fault is not None and now < fault[1]:
        said = job.news.faults.get(host.name) if job.news else ""
        if job.news and host.name in farm.other_machines(job.news):
            said = f"{host.name} is another machine for {job.row.owner}"
        return f"{said or 'a fault'}; tried again in {fault[1] - now:.0f} s"
    if ask.most.get(host.name, 1) <= 0:
        return "the run has set it aside: spe hosts"
    granted = job.holding.granted.get(host.name, 0)
    sharing = sum(1 for one in farm.jobs.values() if one.holding.granted.get(host.name, 0))
    if not granted and sharing >= farm.settings.jobs_per_host:
        return f"{sharing} jobs share it already"
    return ""

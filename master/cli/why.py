"""spe why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .common import as_json, open_reader, print_json, sweep_file, sweep_name, volume
from .elsewhere import reading

if TYPE_CHECKING:
    from ..reader import Reader, TaskDetail


@click.command()
@click.argument("number", type=click.IntRange(1), metavar="TASK")
@sweep_file
@sweep_name
@as_json
@volume
@reading
def command(number: int, file: Path, name: str | None, json_: bool, quiet: bool, verbose: int) -> None:
    """Say why a set is not running now: done, failed, waiting for what.

    \b
    Example: spe why 17
    """
    with open_reader(file, name) as reader:
        task = reader.task(number)
        reasons = why(reader, task)
    if json_:
        print_json({"number": number, "state": task.state.value, "reasons": reasons})
    else:
        click.echo(f"task {number}: {task.state}")
        for reason in reasons:
            click.echo(f"  {reason}")


def why(reader: Reader, task: TaskDetail) -> list[str]:
    """Sentences, the most important first."""
    from ..detached import living
    from ..model import TaskState
    from ..standing import sentences

    last = task.tickets[-1] if task.tickets else None
    if task.state is TaskState.DONE:
        return [f"it is done, by {last.host}" if last else "it is done"]
    if not task.in_plan:
        return ["it is no longer among the parameters"]
    if task.state is TaskState.CANCELLED:
        return [f"it was {task.reason or 'cancelled'}", "`spe retry` tries it again"]
    there = [f"its directory had: {last.files.summary()}"] if last and last.files else []
    if task.state is TaskState.FAILED:
        return [f"it has failed: {task.reason}", *there, "`spe retry` tries it again"]
    reasons = [] if living(reader.folder) else ["nothing runs this sweep now: `spe run` goes on"]
    if task.state is TaskState.RUNNING:
        hosts = ", ".join(t.host for t in task.tickets if t.state == "issued") or "nobody"
        return [*reasons, f"it runs, on {hosts}"]
    reasons += sentences(reader.folder) if not reasons else []
    ahead = reader.waiting_before(task.number)
    reasons.append(f"{ahead} other {'set waits' if ahead == 1 else 'sets wait'} before it" if ahead else "it is next")
    if last and last.reason:
        reasons += [f"its last attempt, on {last.host}: {last.reason}", *there]
    elif last and last.state == "lost":
        reasons.append(f"its last attempt was lost with {last.host}")
    return reasons

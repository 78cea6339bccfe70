"""`spe retry`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .common import as_json, folder_of, load, sweep_file, sweep_name, volume
from .detaching import run_detached
from .elsewhere import anywhere_with_config
from .execution import execute, find_targets
from .grouped_command import GroupedCommand
from .job_option import job_of_command
from .output import plain_option
from .run_options import (
    anyway_option,
    change_options,
    detach_option,
    make_options,
    run_options,
)


@click.command(cls=GroupedCommand)
@click.argument("numbers", nargs=-1, type=click.IntRange(1), metavar="[TASK...]")
@run_options
@change_options
@anyway_option
@detach_option
@sweep_file
@sweep_name
@as_json
@plain_option
@volume
@anywhere_with_config
def command(
    numbers: tuple[int, ...],
    file: Path,
    name: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
    detach: bool,
    anyway: bool,
    **options: Any,
) -> int:
    """Put failed and cancelled sets back with all their attempts (all, or those with these numbers)
    and run the sweep.

    While it runs already, they go to the run that there is, and this command returns.

    \b
    Example: spe retry 17 42
    """
    if told_the_running_one(file, name, numbers, json_, quiet, options):
        return 0
    _refuse_job(folder_of(file, name))
    sweep = load(file, name=name)
    if detach:
        find_targets(sweep)
        return run_detached(sweep, quiet)
    chosen = make_options(**options, retry=True, retry_numbers=numbers)
    return execute(sweep, chosen, json_, quiet, verbose, anyway)


def _refuse_job(folder: Path) -> None:
    """Raise UsageError for the sweep of a job of a farm whose run does not go on."""
    from ..session.living import living

    job = job_of_command()
    # The lock of one that goes on refuses a second run.
    if job is not None and living(folder) is None:
        assert job.order is not None, "its folder is here"
        what = "its run does not go on, and `spe retry` would run its sets without the farm"
        todo = f"On hosts of your own, it does so in the folder of the sweep: cd {shlex.quote(job.order.cwd)}"
        raise UsageError(what, where=f"job {job.job}", todo=todo)


def told_the_running_one(
    file: Path,
    name: str | None,
    numbers: tuple[int, ...],
    json_: bool,
    quiet: bool,
    options: dict[str, Any],
) -> bool:
    """Tell a run that goes on to take these sets; return whether there is one.

    With hosts or settings of its own the command means another run.
    """
    from ..session.living import living
    from .steer import steer

    # A second run beside the one that goes on is refused, so the numbers go to that one; --hosts or
    # --fresh cannot be given to it, and then the refusal says who runs it.
    if any(options.values()) or living(folder_of(file, name)) is None:
        return False
    steer(file, name, json_, quiet, "retry", tasks=list(numbers) or None)
    return True

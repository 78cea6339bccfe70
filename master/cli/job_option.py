"""`--job ID`: the sweep that a command is about is that of a job of the user on a farm.

Where the run's folder is not visible on this machine, the command runs at the job's place, by ssh.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from .. import startup
from ..errors import UsageError

if TYPE_CHECKING:
    from ..delegate.finding import JobPlace
    from ..delegate.orders import Order

F = TypeVar("F", bound=Callable[..., Any])
META = "spe.job"  # of the context: the JobPlace of --job
# What says which sweep is meant. A command has some of them.
OTHERS = ("file", "name", "at", "run", "names")


def takes_job(command: F) -> F:
    """Add --job, which sets the file and the name, or the run, that the command gets."""

    @functools.wraps(command)
    def of_job(*words: Any, job: str | None, **options: Any) -> Any:
        if job is None:
            return command(*words, **options)
        context = click.get_current_context()
        _refuse_others(context)
        from ..delegate.finding import find_job

        found = find_job(job)
        if not found.is_here:
            return _run_at_its_place(found, options)
        from .elsewhere import note_call_from_afar  # late: few commands are given a job

        note_call_from_afar()
        context.meta[META] = found
        return command(*words, **{**options, **_sweep_of(found, options)})

    text = "The sweep of this job of yours on a farm."
    return click.option("--job", "job", metavar="[SRV:]ID", help=text)(of_job)  # type: ignore[return-value]


def job_of_command() -> JobPlace | None:
    """Return the job that this command was given by --job."""
    context = click.get_current_context(silent=True)
    return context.meta.get(META) if context else None


def _refuse_others(context: click.Context) -> None:
    """Raise UsageError for another word that says which sweep is meant."""
    for param in context.command.params:
        if param.name not in OTHERS or not context.params[param.name]:
            continue
        if context.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            flag = param.opts[0] if isinstance(param, click.Option) else param.make_metavar(context)
            raise UsageError(
                f"--job and {flag} both say which sweep is meant", todo="Leave one out."
            )


def _sweep_of(found: JobPlace, options: dict[str, Any]) -> dict[str, Any]:
    """Return what the command gets instead of words of the command line. Raises UsageError."""
    assert found.order is not None, "its folder is here"
    folder = found.folder()
    chosen: dict[str, Any] = {"file": _file_of(found.order)}
    if "name" in options:
        chosen["name"] = folder.name
    elif "names" in options:
        chosen["names"] = (folder.name,)
    else:
        chosen["run"] = str(folder)
    return chosen


def _file_of(order: Order) -> Path:
    """Return the sweep file that the words of the job name, else spe.yaml."""
    # By its name, as `spe` loads it: it alone knows its options, and imports this file.
    command: click.Command = startup.load_command("run", __package__).command
    context = click.Context(command, resilient_parsing=True)
    try:
        given, _, _ = command.make_parser(context).parse_args(list(order.words))
    except click.UsageError:
        given = {}  # of a spe with other options: its folder tells all but the name of the file
    named: str = given.get("file", "spe.yaml")
    return Path(order.cwd) / named


def _run_at_its_place(found: JobPlace, options: dict[str, Any]) -> Any:
    """Run this command where the job's folder is. Raises UsageError."""
    from .elsewhere import PLACE_HERE, run_there

    where = f"job {found.job}"
    folder = found.order.cwd if found.order else "~"
    if os.environ.get(PLACE_HERE):
        # Called by ssh already: this machine was taken for that place.
        todo = f"Log in on {found.place}, and type the command there."
        raise UsageError(f"its folder is on {found.place}", where=where, todo=todo)
    if not options.get("quiet"):
        note = f"spe: {where} is on {found.place}: this runs there, in {folder}"
        click.echo(note, err=True)
    try:
        config = options.get("ssh_config")
        return run_there(f"{found.place}:{folder}", config, sys.argv[1:])
    except UsageError as error:
        what = f"its folder is on {found.place}, and {error.what}"
        raise UsageError(what, where=where, todo=error.todo) from error

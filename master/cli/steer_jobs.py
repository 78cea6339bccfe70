"""Shared by `spe jobs cancel`, `pause` and `resume`: the jobs that are meant, and what came of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from ..errors import UsageError
from .common import volume
from .farm_options import farm_option

#: Verb -> states of jobs that --mine does not mean.
_LEFT_OUT: Mapping[str, Sequence[str]] = {
    "cancel": (),
    "pause": ("paused",),
    "resume": ("waiting", "pending", "running"),
}


def jobs_command(verb: str, done: str, text: str) -> click.Command:
    """Make the command that does something to several jobs. done: what it then says of a job."""

    @click.command(help=text)
    @click.argument("jobs", nargs=-1, type=click.IntRange(1), metavar="[JOB...]")
    @click.option("--mine", is_flag=True, help="All jobs of yours that are not over.")
    @farm_option
    @volume
    def command(
        jobs: tuple[int, ...], mine: bool, srv: str | None, quiet: bool, verbose: int
    ) -> int:
        return _steer(verb, done, jobs, mine, srv, quiet)

    return command


def _steer(
    verb: str, done: str, jobs: Sequence[int], mine: bool, srv: str | None, quiet: bool
) -> int:
    """Do it to each job; return the exit code: 1 where it was not done to all."""
    from ..delegate.jobs import OVER, act, all_jobs
    from ..delegate.starting import card_with_delegate
    from ..pool.joining.answering import NoAnswer

    if bool(jobs) == mine:
        todo = f"spe jobs {verb} 17 18, or spe jobs {verb} --mine"
        raise UsageError("name jobs by their numbers, or give --mine", todo=todo)
    card = card_with_delegate(srv)
    if mine:
        own = [one for one in all_jobs(card) if one["owner"] == card.user]
        jobs = [one["id"] for one in own if one["state"] not in (*OVER, *_LEFT_OUT[verb])]
        if not jobs and not quiet:
            click.echo(f"you have no job to {verb}", err=True)
    code = 0
    for number in jobs:
        try:
            act(card, number, verb)
        except NoAnswer:
            raise  # no other job would fare better
        except UsageError as error:
            code = 1
            click.echo(f"spe: job {number}: {error.what}", err=True)
        else:
            if not quiet:
                click.echo(f"job {number}: {done}")
    return code

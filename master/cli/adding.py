"""A second `spe run` of a sweep that runs: its new sets go to the run that goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..text import sets
from .common import print_json

if TYPE_CHECKING:
    from ..api.bring_sets import AddedSets
    from ..sweep.sweep import Sweep

PAUSE = 0.2  # seconds between two looks at a run that is only just beginning


def added_to_running(
    sweep: Sweep, hosts: str | None, asked_for: bool, json_: bool, quiet: bool
) -> bool:
    """Add the sets of a sweep to the run of it that goes on; return whether there is one that took them.

    `asked_for`: `--add` was given; else people are asked on a terminal, and without one nothing is
    added. `hosts`: the option --hosts. Raises UsageError where more than the parameters differs.
    """
    from ..api.bring_sets import Ended, add_sets, wait_for_end
    from ..session.living import living
    from ..sweep.sweep import run_folder

    folder = run_folder(sweep)
    if asked_for:
        _wait_for_beginning(folder)
    run = living(folder)
    if run is None:
        return False
    if not asked_for and not _wants_to_add(run.pid):
        return False
    sweep = with_its_options(sweep)
    sweep.parameters.check()  # mistakes are told before anything is added
    try:
        said = add_sets(folder, sweep, hosts)
    except Ended:
        click.echo("spe: the run takes no more sets: it ends. They run here after it.", err=True)
        wait_for_end(folder)
        return False
    _tell(said, json_, quiet)
    return True


def refuse_with_add(options: Mapping[str, Any]) -> None:
    """Raise UsageError for options that --add excludes: they are about sets that are there."""
    from ..errors import UsageError

    for name in ("fresh", "missing"):
        if options[name]:
            raise UsageError(f"--add and --{name} exclude each other", todo="Choose one.")


def with_its_options(sweep: Sweep) -> Sweep:
    """Return the sweep with the options of the command line that ran last, where it gives none anew.

    Who adds sets to a sweep need not say once more with what limits and where it runs.
    """
    from dataclasses import replace

    from ..sweep.folders import read_kept
    from ..sweep.sweep import from_command_line, run_folder

    kept = read_kept(run_folder(sweep))
    line = sweep.line
    if line is None or kept is None or kept.line is None or kept.line.words != line.words:
        return sweep
    settings = {**kept.line.settings, **line.settings}
    if settings == line.settings:
        return sweep
    return from_command_line(replace(line, settings=settings), sweep.folder, sweep.name)


def _wants_to_add(pid: int) -> bool:
    from .yes_no import ask

    question = f"This sweep is being run by process {pid}. Add the new sets to that run?"
    return bool(ask(question))


def _wait_for_beginning(folder: Path) -> None:
    """Return when the run that has this folder's lock can be reached, or is gone."""
    from ..session.detached import holder_of_lock
    from ..session.living import living

    while living(folder) is None and holder_of_lock(folder):
        time.sleep(PAUSE)


def _tell(said: AddedSets, json_: bool, quiet: bool) -> None:
    """Tell what was added."""
    if json_:
        facts = {"added": said.added, "already_there": said.there}
        print_json({**facts, "finished_by_another_program": said.others})
        return
    if said.others:
        what = f"{sets(said.others)} not added: another program has finished them"
        click.echo(f"spe: {what}; `spe run` after this run asks about them", err=True)
    if not quiet:
        there = f"; {said.there} there already" if said.there else ""
        click.echo(f"{sets(said.added)} added to the run that goes on{there}", err=True)

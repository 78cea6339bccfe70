"""`spe run --after NAME` and `--after-any NAME`: a run that waits for the end of another sweep's."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError, SpeError, UsageError
from ..record import record

if TYPE_CHECKING:
    from ..sweep.sweep import Sweep


def after_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --after and --after-any."""
    well = "Wait until the run of sweep NAME here has ended; start if its exit code is 0."
    any_ = "The same, but start whatever the exit code is."
    command = click.option("--after-any", "after_any", metavar="NAME", help=any_)(command)
    return click.option("--after", "after", metavar="NAME", help=well)(command)


class NotStarted(SpeError):
    """The run that this one was to come after has not ended well."""

    exit_code = 1


@record
class After:
    """The sweep that a run comes after. `needs_success`: its exit code must be 0."""

    folder: Path
    needs_success: bool

    @property
    def name(self) -> str:
        """The name of that sweep."""
        return self.folder.name

    def is_over(self) -> bool:
        """Tell whether its run has ended, so that this one may start now. Raises NotStarted."""
        from ..session.runners import who_runs

        if who_runs(self.folder):
            return False
        if self.needs_success:
            _raise_unless_well(self.folder, self.name)
        return True

    @contextlib.contextmanager
    def waited(self, quiet: bool, own: Path | None) -> Iterator[None]:
        """Enter once its run has ended. Raises NotStarted.

        `own`: the folder of the sweep that waits; None where its name is not known yet. It stays
        marked until the context is left: between the wait and its own run nobody may take it for
        one that is over.
        """
        from ..session.run_folder import make_run_folder
        from ..session.waiting import mark, unmark

        if own is None:
            self._wait(quiet)
            yield
            return
        make_run_folder(own)
        mark(own, os.getpid(), self.name)
        try:
            self._wait(quiet)
            yield
        finally:
            unmark(own, os.getpid())

    def _wait(self, quiet: bool) -> None:
        from ..session.runners import wait_for, who_runs

        waited = False
        while runner := who_runs(self.folder):
            if not waited and not quiet:
                # The log of a detached run has no terminal to press Ctrl-C on.
                end = "Ctrl-C" if sys.stderr.isatty() else f"`kill {os.getpid()}`"
                words = f"waiting for the end of runs/{self.name}/, run by {runner.words}"
                click.echo(f"spe: {words} ({end} ends the wait)", err=True)
            waited = True
            wait_for(runner)
        self.is_over()
        if waited and not quiet:
            click.echo(f"spe: the run of {self.name} has ended", err=True)


def sweep_before(file: Path, after: str | None, after_any: str | None) -> After | None:
    """Return the sweep that a run is to come after; None without such an option. Raises UsageError."""
    if after is not None and after_any is not None:
        raise UsageError("--after and --after-any exclude each other", todo="Choose one.")
    name = after if after is not None else after_any
    if name is None:
        return None
    option = "--after" if after is not None else "--after-any"
    if not name or "/" in name or name in (".", ".."):
        raise UsageError(f"{option} {name}: wanted the name of a folder below runs/")
    folder = file.parent / "runs" / name
    _find_sweep(folder, name)
    return After(folder, needs_success=after is not None)


def folder_of_waiting(load: Callable[[], Sweep], is_detached: bool) -> Path | None:
    """Return the folder of a sweep that is to wait; None, after telling why, where it cannot run now.

    Its files may come from the other sweep. A wait without a terminal needs a folder for its log, so
    there the ConfigError is raised. Raises UsageError where another process waits to run it.
    """
    from ..session.waiting import waits
    from ..sweep.sweep import run_folder

    try:
        folder = run_folder(load())
    except ConfigError as error:
        if is_detached:
            raise
        click.echo(f"spe: as of now it cannot run: {error.line}", err=True)
        return None
    found = waits(folder)
    if found and found.pid != os.getpid():
        todo = f"`kill {found.pid}` ends that wait; or give this sweep another name (-n)."
        raise UsageError(f"it is waited for already, by {found.words}", where=str(folder), todo=todo)
    return folder


def _raise_unless_well(folder: Path, name: str) -> None:
    """Raise NotStarted unless the last run in this folder ended with exit code 0."""
    from ..store.reader import Reader  # late: a run that waits needs no database

    with Reader(folder) as reader:
        end = reader.end()
    if end is None:
        what = f"the last run of {name} was killed, or its machine went down"
    elif end.code:
        what = f"the last run of {name} ended with exit code {end.code} ({_MEANING.get(end.code, 'a mistake')})"
    else:
        return
    todo = f"`spe status -n {name}` shows why; with --after-any {name} this one runs all the same."
    raise NotStarted(f"{what}; nothing was run", todo=todo)


_MEANING = {
    1: "some sets failed",
    2: "a mistake",
    3: "no host was left",
    130: "it was interrupted",
}


def _find_sweep(folder: Path, name: str) -> None:
    """Raise UsageError unless a sweep has run, or runs, in this folder."""
    from ..session.runners import who_runs

    if (folder / "sweep.db").exists() or who_runs(folder):
        return
    from ..session.known_runs import runs_there

    todo = runs_there(folder.parent, name) or "Nothing has run in this folder."
    raise UsageError(f"there is no sweep {name!r} to wait for", where=str(folder), todo=todo)

"""`spe run --after NAME` and `--after-any NAME`: a run that waits for the end of another sweep's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError, UsageError
from ..record import record


def after_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --after and --after-any."""
    well = "Wait until the run of sweep NAME here has ended; start if its exit code is 0."
    any_ = "The same, but start whatever the exit code is."
    command = click.option("--after-any", "after_any", metavar="NAME", help=any_)(command)
    return click.option("--after", "after", metavar="NAME", help=well)(command)


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
        from ..session.outcomes import raise_unless_well, who_runs

        if who_runs(self.folder):
            return False
        if self.needs_success:
            raise_unless_well(self.folder, self.name)
        return True

    def wait(self, quiet: bool) -> None:
        """Return once its run has ended. Raises NotStarted."""
        from ..session.outcomes import wait_for, who_runs

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
    from ..session.outcomes import find_sweep

    if after is not None and after_any is not None:
        raise UsageError("--after and --after-any exclude each other", todo="Choose one.")
    name = after if after is not None else after_any
    if name is None:
        return None
    option = "--after" if after is not None else "--after-any"
    if not name or "/" in name or name in (".", ".."):
        raise UsageError(f"{option} {name}: wanted the name of a folder below runs/")
    folder = file.parent / "runs" / name
    find_sweep(folder, name)
    return After(folder, needs_success=after is not None)


def tell_mistakes(load: Callable[[], object]) -> None:
    """Tell what is wrong with a sweep now, before the wait: its files may come from the other sweep."""
    try:
        load()
    except ConfigError as error:
        click.echo(f"spe: as of now it cannot run: {error.line}", err=True)

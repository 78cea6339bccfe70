"""The same command once more without this terminal: `--detach`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..session.living import Living
    from ..sweep.sweep import Sweep
    from .after import After


def run_detached(sweep: Sweep, quiet: bool) -> int:
    """Start the same command again without --detach, in a session of its own."""
    from ..line.listed import taken
    from ..session.detached import LOG, start
    from ..session.run_folder import make_run_folder
    from ..sweep.sweep import run_folder

    folder = run_folder(sweep)
    make_run_folder(folder)
    run, code, words = start(_words_of_child(), folder, taken())
    if run is None:
        sys.stderr.write(words)  # the last words of the run that did not come up
        return code
    if not quiet:
        _say_it_runs(run, folder / LOG)
    return 0


def wait_detached(folder: Path, before: After, quiet: bool) -> int:
    """Start the same command again without --detach: it waits for another sweep's end, then runs."""
    from ..line.listed import taken
    from ..session.detached import LOG, begin
    from ..session.run_folder import make_run_folder
    from ..session.waiting import mark

    make_run_folder(folder)
    process = begin(_words_of_child(), folder, taken())
    mark(folder, process.pid, before.name)  # now: the next command may wait for this sweep
    if not quiet:
        waits = f"process {process.pid} waits for the end of runs/{before.name}/"
        click.echo(f"{waits}; `kill {process.pid}` ends the wait", err=True)
        click.echo(f"its output goes to {folder / LOG}", err=True)
    return 0


def _words_of_child() -> list[str]:
    """Return the words of this command line without --detach."""
    # The words themselves and not what they were parsed to: the run reads them as this process did,
    # and no option can be forgotten here.
    own, dashes, rest = _split(sys.argv[1:])
    return [*(word for word in own if word != "--detach"), *dashes, *rest]


def _say_it_runs(run: Living, log: Path) -> None:
    """Tell where the page of a detached run is, and where its output goes."""
    # Here, because run.log must not hold the token in the address: people send logs to others.
    from ..session.forwarding import forwarding

    lines = [f"page: {run.page}", forwarding(run.page)]
    lines.append(f"runs as process {run.pid}; `spe attach` follows it, `spe stop` ends it")
    click.echo("\n".join(filter(None, lines)), err=True)
    click.echo(f"its output goes to {log}", err=True)


def _split(arguments: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Return spe's own words, the dashes, and the words of the command."""
    # The command may have a --detach of its own, which is not for spe.
    if "--" not in arguments:
        return arguments, [], []
    at = arguments.index("--")
    return arguments[:at], ["--"], arguments[at + 1 :]

"""`spe top`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from . import output
from .common import as_json, folder_of, print_json, sweep_file, sweep_name, volume
from .elsewhere import anywhere
from .output import plain_option

PAUSE = 0.5  # seconds between two pictures


@click.command()
@sweep_file
@sweep_name
@as_json
@plain_option
@volume
@anywhere
def command(file: Path, name: str | None, json_: bool, quiet: bool, verbose: int) -> None:
    """Show a running sweep live, as `spe run` does, until it ends or Ctrl-C, which leaves it
    running.

    Where the output is no terminal, and with --json, how it stands now is printed once.

    \b
    Example: spe top
    Example: spe top --at me@lab01:sweeps/pi
    """
    from ..session.calling import find, snapshot
    from ..state.lines import plain

    folder = folder_of(file, name)
    # Raises where nothing runs; `snapshot` has the same answer for that and for a silent master.
    find(folder)
    if output.is_live(sys.stdout) and not json_:
        _follow(folder)
        return
    document = snapshot(folder) or {}
    if json_:
        print_json(document)
    elif document:
        click.echo(plain(document, time.time()), nl=False)


def _follow(folder: Path) -> None:
    """Show the live screen until the run ends."""
    from ..api.watch import Watch
    from ..state.lines import counts
    from ..state.terminal import Screen

    # A copy of the state that follows the changes: asking for the whole of it twice a second would
    # cost the master more with each host.
    watch = Watch(folder).start()
    screen = Screen(sys.stdout)
    try:
        while not watch.wait(PAUSE):
            if watch.state:
                screen.show(watch.state)
    finally:
        screen.stop()  # also after Ctrl-C: it gives the terminal back as it was
    if watch.state:
        click.echo(f"{counts(watch.state)}; the run has ended")

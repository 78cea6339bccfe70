"""`spe run`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

import click

from ..errors import BusyError
from .adding import added_to_running, refuse_with_add, with_its_options
from .after import after_options, folder_of_waiting, sweep_before
from .common import as_json, load, sweep_file_to_run, sweep_name, tell, volume
from .completion import paths
from .detaching import run_detached, wait_detached
from .execution import execute, find_targets, show_dry
from .grouped_command import GroupedCommand
from .line_options import line_options
from .output import plain_option
from .print_options import print_options, take_printing
from .run_options import (
    anyway_option,
    change_options,
    detach_option,
    given_keys,
    granted_option,
    make_options,
    run_options,
)

if TYPE_CHECKING:
    from ..launch import Early
    from ..sweep.sweep import Sweep

LOOK = 0.2  # seconds until a run that has begun meanwhile is looked at again


@click.command(cls=GroupedCommand)
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[-- COMMAND...]",
    shell_complete=paths,
)
@line_options
@print_options
@run_options
@change_options
@anyway_option
@click.option("--add", is_flag=True, help="While it runs: add the new sets to that run.")
@after_options
@detach_option
@click.option("--dry", is_flag=True, help="Show what would run, and run nothing.")
@click.option("--until", metavar="TIME", help="Begin nothing after 18:00, or after 2h.")
@granted_option
@sweep_file_to_run
@sweep_name
@as_json
@plain_option
@volume
def command(
    words: tuple[str, ...],
    detach: bool,
    dry: bool,
    anyway: bool,
    add: bool,
    after: str | None,
    after_any: str | None,
    file: Path,
    name: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
    **options: Any,
) -> int:
    """Run what is new of the sweep in spe.yaml, or a command over parameters without any file.

    Finished sets stay, new ones run; failed ones are tried again on `spe retry`. Ctrl-C lets
    running tasks finish, a second one stops them. Exit codes: 0 all sets done, 1 some failed or
    lack a new result, 2 nothing was run because of a mistake, 3 no host came up, 130 interrupted.

    \b
    Example: spe run
    Example: spe run -p seed=1:100 -- ./simulate --seed '{{ seed }}'
    """
    printing = take_printing(options, json_, detach)
    if add:
        refuse_with_add(options)
    given = given_keys(options, words)
    if dry:
        sweep = load(file, words, given, name)
        return show_dry(sweep, make_options(**options), json_, quiet, anyway)
    options["printing"] = printing
    waited: AbstractContextManager[None] = nullcontext()
    before = sweep_before(file, after, after_any)
    if before and not before.is_over():
        own = folder_of_waiting(lambda: _checked(load(file, words, given, name)), detach)
        if detach and own:
            return wait_detached(own, before, quiet)
        waited = before.waited(quiet, own)
    with waited:
        sweep = load(file, words, given, name)
        if add:
            sweep = with_its_options(sweep)
        return _run(sweep, add, detach, json_, quiet, verbose, anyway, options)


def _checked(sweep: Sweep) -> Sweep:
    """Return the sweep. Raises UsageError now, on this terminal, where nobody can be told of it."""
    find_targets(sweep)
    return sweep


def _run(
    sweep: Sweep,
    add: bool,
    detach: bool,
    json_: bool,
    quiet: bool,
    verbose: int,
    anyway: bool,
    options: dict[str, Any],
) -> int:
    """Run a sweep, or add its sets to the run of it that goes on; return the exit code."""
    hosts = options["hosts"]
    while True:
        if added_to_running(sweep, hosts, add, json_, quiet):
            return 0
        # With the sweep read here: what is wrong with it is told on this terminal, not in run.log.
        if detach:
            find_targets(sweep)
            return run_detached(sweep, quiet)
        try:
            _name_the_farm(sweep, options)
            with _early(sweep, "none" if options["granted"] else hosts) as early:
                chosen = make_options(**options, add=add, early=early)
                return execute(sweep, chosen, json_, quiet, verbose, anyway)
        except BusyError:
            # Another command has begun to run it in between: that run takes the sets.
            if not add:
                raise
            sleep(LOOK)


def _early(sweep: Sweep, hosts: str | None) -> Early:
    """Start the client of this machine, where it is the only host: it loads while this process
    does.
    """
    from ..launch.child import Early
    from ..model import HERE

    if hosts:
        return Early()  # the hosts of --hosts are read later
    return Early(sweep.hosts or (HERE,))


def _name_the_farm(sweep: Sweep, options: Mapping[str, Any]) -> None:
    """Name `spe submit` to a user who has joined a farm, and runs something on its hosts."""
    # As pool/joining/cards.py has it, which is loaded only where there is a card.
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    if options["granted"] or not os.path.isdir(os.path.join(base, "spe", "farms")):
        return
    from ..pool.joining.cards import load_cards

    given = options["hosts"]
    used = [host.name for host in sweep.hosts] if given is None else given.split(",")
    for card in load_cards():
        shared = [name for name in used if card.accepts(name)]
        if shared:
            what = f"the farm on {card.srv} deals slots of {shared[0]}"
            more = f" and {len(shared) - 1} more of these hosts" if len(shared) > 1 else ""
            tell(f"{what}{more}, which others use: spe submit")
            return

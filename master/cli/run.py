"""spe run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import startup
from .common import as_json, load, start_logging, sweep_file, sweep_name, volume

if TYPE_CHECKING:
    from ..launch import Early
    from ..model import Host
    from ..runner.run import RunOptions
    from ..sweep.sweep import Sweep


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of all commands that run something."""
    for option in (
        click.option("--hosts", "hosts", help="A hosts file, or hosts with commas; `none`: clients come by hand."),
        click.option("-F", "ssh_config", type=_FILE, help="Another file than ~/.ssh/config."),
        click.option("--accept-new-host-keys", is_flag=True, help="Trust unknown hosts; changed keys never."),
    ):
        command = option(command)
    return command


def change_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What to do when the program has changed, or `results`."""
    command = click.option("--fresh", is_flag=True, help="All sets run again.")(command)
    command = click.option("--missing", is_flag=True, help="Run sets again that lack a new result.")(command)
    keep = click.option("--keep", is_flag=True, help="The program has changed: finished sets stay as they are.")
    return keep(command)


@click.command()
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@click.option(
    "-p",
    "parameters",
    multiple=True,
    metavar="NAME=VALUES",
    help="x=1:10 (last included), x=0:1:0.1, y=a,b; several: all combinations.",
)
@run_options
@change_options
@click.option("--detach", is_flag=True, help="Run on without this terminal; `spe attach` follows it.")
@sweep_file
@sweep_name
@as_json
@volume
def command(
    words: tuple[str, ...], parameters: tuple[str, ...], detach: bool, file: Path, name: str | None, json_: bool,
    quiet: bool, verbose: int, **options: Any,
) -> int:  # fmt: skip
    """Run what is new of the sweep in spe.yaml, or a command over parameters without any file.

    Finished sets stay, new ones run; failed ones are tried again on `spe retry`. Ctrl-C lets running tasks finish, a
    second one stops them. Exit codes: 0 all sets done, 1 some failed or lack a new result, 2 nothing was run because of
    a mistake, 3 no host came up, 130 interrupted.

    \b
    Example: spe run
    Example: spe run -p seed=1:100 -- ./simulate --seed '{{ seed }}'
    """
    sweep = load(file, words, parameters, name)
    if detach:
        return _detach(sweep, quiet)
    with _early(sweep, options["hosts"]) as early:
        return execute(sweep, make_options(**options, early=early), json_, quiet, verbose)


def _early(sweep: Sweep, hosts: str | None) -> Early:
    """A client on this machine loads what it needs while we do."""
    from ..launch.child import Early
    from ..model import HERE

    return Early() if hosts else Early(sweep.hosts or (HERE,))


def _detach(sweep: Sweep, quiet: bool) -> int:
    """Start the same command again without --detach, in a session of its own."""
    from ..session.detached import LOG, start
    from ..session.run_folder import make_run_folder
    from ..sweep.sweep import run_folder

    folder = run_folder(sweep)
    make_run_folder(folder)
    own, dashes, rest = _split(sys.argv[1:])
    run, code, words = start([*(a for a in own if a != "--detach"), *dashes, *rest], folder)
    if run is None:
        sys.stderr.write(words)
        return code
    if not quiet:
        click.echo(f"page: {run.page}\nruns as process {run.pid}; `spe attach` follows it", err=True)
        click.echo(f"what it says is in {folder / LOG}", err=True)
    return 0


def _split(arguments: list[str]) -> tuple[list[str], list[str], list[str]]:
    """spe's own words, the dashes, and the words of the command."""
    if "--" not in arguments:
        return arguments, [], []
    at = arguments.index("--")
    return arguments[:at], ["--"], arguments[at + 1 :]


def make_options(
    hosts: str | None, ssh_config: Path | None, accept_new_host_keys: bool, keep: bool = False, fresh: bool = False,
    missing: bool = False, retry: bool = False, retry_numbers: Sequence[int] = (), early: Early | None = None,
) -> RunOptions:  # fmt: skip
    """The options of the command line, as the run knows them."""
    startup.load_aiohttp()
    from ..errors import UsageError
    from ..launch import Early
    from ..runner.run import RunOptions
    from ..sweep.program_change import ProgramChange

    if keep and fresh:
        raise UsageError("--keep and --fresh exclude each other", todo="Choose one.")
    change = ProgramChange.KEEP if keep else ProgramChange.FRESH if fresh else ProgramChange.ASK
    return RunOptions(
        _hosts(hosts), _hosts_file(hosts), hosts == "none", change, retry, tuple(retry_numbers), ssh_config,
        accept_new_host_keys, missing, early=early or Early(),
    )  # fmt: skip


def _hosts_file(given: str | None) -> Path | None:
    return Path(given) if given and given != "none" and Path(given).is_file() else None


def _hosts(given: str | None) -> tuple[Host, ...] | None:
    if given is None or given == "none":
        return None
    from ..sweep import hosts as hostfile

    path = _hosts_file(given)
    found = hostfile.read_hosts(path) if path else hostfile.parse_hosts(("--hosts", h) for h in given.split(","))
    return found.hosts


def execute(sweep: Sweep, options: RunOptions, json_: bool, quiet: bool, verbose: int) -> int:
    """Run it, and print what came of it."""
    from ..runner.run import Run
    from ..session.run_folder import make_run_folder
    from ..state.progress import Progress
    from ..store import filesystem
    from ..sweep.sweep import run_folder
    from .output import results_in
    from .report import report

    progress = Progress(quiet)
    for warning in (*sweep.warnings, *sweep.parameters.check().warnings):
        progress.warn(warning)
    folder = run_folder(sweep)
    make_run_folder(folder)
    for warning in filesystem.warnings(folder):
        progress.warn(warning)
    results_in(folder / "results.csv")
    start_logging(folder, quiet, verbose)
    startup.while_working()
    outcome = asyncio.run(Run(sweep, options, progress).run())
    report(outcome, json_, quiet)
    return outcome.exit_code

"""`spe run`, and what other commands that run something share with it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import startup
from .common import GivenKeys, as_json, load, start_logging, sweep_file, sweep_name, volume
from .completion import paths
from .grouped_command import GroupedCommand
from .line_options import line_options, take
from .output import plain_option

if TYPE_CHECKING:
    from ..launch import Early
    from ..model import Host
    from ..runner.run import RunOptions
    from ..session.living import Living
    from ..state.progress import Progress
    from ..sweep.parameters import Census
    from ..sweep.program import ProgramChange
    from ..sweep.sweep import Sweep


# A wrong path is told before anything runs; later it would be an error of each host.
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of all commands that run something."""
    hosts = "A hosts file, or hosts separated by commas; `none`: you start the clients by hand."
    keys = "Trust hosts that are not in known_hosts; a changed key is never accepted."
    command = click.option("--hosts", metavar="FILE|NAMES", help=hosts, shell_complete=paths)(command)
    config = click.option(
        "-F", "ssh_config", metavar="FILE", type=_FILE, help="Read this file instead of ~/.ssh/config."
    )
    command = config(command)
    return click.option("--accept-new-host-keys", is_flag=True, help=keys)(command)


def change_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what to do when the program, or `results`, has changed."""
    missing = "Run the sets again that have an empty cell."
    keep = "Keep finished sets although the program has changed."
    command = click.option("--fresh", is_flag=True, help="Run all sets again.")(command)
    command = click.option("--missing", is_flag=True, help=missing)(command)
    return click.option("--keep", is_flag=True, help=keep)(command)


anyway_option = click.option("--anyway", is_flag=True, help="Run although a mistake was found that makes tasks fail.")
detach_option = click.option("--detach", is_flag=True, help="Run on without this terminal; `spe attach` follows it.")


@click.command(cls=GroupedCommand)
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[-- COMMAND...]",
    shell_complete=paths,
)
@line_options
@run_options
@change_options
@anyway_option
@detach_option
@sweep_file
@sweep_name
@as_json
@plain_option
@volume
def command(
    words: tuple[str, ...],
    detach: bool,
    anyway: bool,
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
    sweep = load(file, words, given_keys(options, words), name)
    # With the sweep read here: what is wrong with it is told on this terminal, not in run.log.
    if detach:
        return run_detached(sweep, quiet)
    with _early(sweep, options["hosts"]) as early:
        return execute(sweep, make_options(**options, early=early), json_, quiet, verbose, anyway)


def given_keys(options: dict[str, Any], words: tuple[str, ...]) -> GivenKeys:
    """Take the options that stand for keys of spe.yaml out of those of a command.

    `--hosts` is one of a one-liner, which then goes on with the same hosts. Raises UsageError.
    """
    hosts = options["hosts"]
    given = take(options, words, hosts)
    if words and hosts and hosts != "none":
        named = hosts if _hosts_file(hosts) else hosts.split(",")
        options["hosts"] = None  # they are the sweep's own now, and read once
        return {**given[0], "hosts": named}, {**given[1], ("hosts",): f"--hosts {hosts}"}
    return given


def _early(sweep: Sweep, hosts: str | None) -> Early:
    """Start the client of this machine, where it is the only host: it loads while this process
    does.
    """
    from ..launch.child import Early
    from ..model import HERE

    if hosts:
        return Early()  # the hosts of --hosts are read later
    return Early(sweep.hosts or (HERE,))


def run_detached(sweep: Sweep, quiet: bool) -> int:
    """Start the same command again without --detach, in a session of its own."""
    from ..session.detached import LOG, start
    from ..session.run_folder import make_run_folder
    from ..sweep.sweep import run_folder

    folder = run_folder(sweep)
    make_run_folder(folder)
    # The words themselves and not what they were parsed to: the run reads them as this process did,
    # and no option can be forgotten here.
    own, dashes, rest = _split(sys.argv[1:])
    run, code, words = start([*(a for a in own if a != "--detach"), *dashes, *rest], folder)
    if run is None:
        sys.stderr.write(words)  # the last words of the run that did not come up
        return code
    if not quiet:
        _say_it_runs(run, folder / LOG)
    return 0


def _say_it_runs(run: Living, log: Path) -> None:
    """Tell where the page of a detached run is, and where its output goes."""
    # Here, because run.log must not hold the token in the address: people send logs to others.
    from ..session.forwarding import forwarding

    lines = [f"page: {run.page}", forwarding(run.page)]
    lines.append(f"runs as process {run.pid}; `spe attach` follows it")
    click.echo("\n".join(filter(None, lines)), err=True)
    click.echo(f"its output goes to {log}", err=True)


def _split(arguments: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Return spe's own words, the dashes, and the words of the command."""
    # The command may have a --detach of its own, which is not for spe.
    if "--" not in arguments:
        return arguments, [], []
    at = arguments.index("--")
    return arguments[:at], ["--"], arguments[at + 1 :]


def make_options(
    hosts: str | None,
    ssh_config: Path | None,
    accept_new_host_keys: bool,
    keep: bool = False,
    fresh: bool = False,
    missing: bool = False,
    retry: bool = False,
    retry_numbers: Sequence[int] = (),
    early: Early | None = None,
) -> RunOptions:
    """Return the options of the command line, as the run knows them. Raises UsageError."""
    startup.load_aiohttp()  # before any import of it: see startup.py
    from ..launch import Early
    from ..runner.run import RunOptions

    return RunOptions(
        hosts=_hosts(hosts),
        hosts_file=_hosts_file(hosts),
        by_hand=hosts == "none",
        change=_program_change(keep, fresh),
        retry=retry,
        retry_numbers=tuple(retry_numbers),
        ssh_config=ssh_config,
        accept_new_host_keys=accept_new_host_keys,
        missing=missing,
        early=early or Early(),
    )


def _program_change(keep: bool, fresh: bool) -> ProgramChange:
    """Return what becomes of finished sets when the program has changed. Raises UsageError."""
    from ..errors import UsageError
    from ..sweep.program import ProgramChange

    if keep and fresh:
        raise UsageError("--keep and --fresh exclude each other", todo="Choose one.")
    if keep:
        return ProgramChange.KEEP
    if fresh:
        return ProgramChange.FRESH
    # Neither is a good default: one mixes results of two programs, the other throws hours away.
    return ProgramChange.ASK


def _hosts_file(given: str | None) -> Path | None:
    """Return the file that --hosts names; None where it names hosts."""
    if not given or given == "none" or not Path(given).is_file():
        return None
    return Path(given)


def _hosts(given: str | None) -> tuple[Host, ...] | None:
    """Return the hosts of --hosts, after the warnings about them; None where the sweep's are meant."""
    if given is None or given == "none":
        return None
    from ..sweep.hosts import parse_hosts, read_hosts

    path = _hosts_file(given)
    named = read_hosts(path) if path else parse_hosts((f"--hosts {given}", one) for one in given.split(","))
    for warning in named.warnings:
        click.echo(f"warning: {warning}", err=True)
    return named.hosts


def execute(
    sweep: Sweep,
    options: RunOptions,
    json_: bool,
    quiet: bool,
    verbose: int,
    anyway: bool = False,
) -> int:
    """Run a sweep, print what came of it, and return the exit code.

    Raises ConfigError for a mistake that makes every task fail, unless `anyway`.
    """
    from ..errors import NothingRuns
    from ..runner.run import Run
    from ..session.run_folder import make_run_folder
    from ..state.progress import Progress
    from ..store import filesystem
    from ..sweep.sweep import run_folder
    from .output import is_live, results_in
    from .report import report, report_stranded

    progress = Progress(quiet, is_live(sys.stderr))
    # All sets are read once before the folder is made: a mistake in the last line of a million
    # leaves nothing behind.
    census = sweep.parameters.check()
    mistakes = find_mistakes(sweep, census, options, anyway)
    _warn(progress, (*sweep.warnings, *census.warnings, *mistakes))
    folder = run_folder(sweep)
    make_run_folder(folder)
    _warn(progress, filesystem.warnings(folder))  # before anything is stored there
    # For a command whose output breaks off: the run goes on, and its last words name this file.
    results_in(folder / "results.csv")
    start_logging(folder, quiet, verbose)
    startup.while_working()  # all that the run needs is loaded by now
    try:
        outcome = asyncio.run(Run(sweep, options, progress).run())
    except NothingRuns as error:
        if json_:
            report_stranded(folder, error)
        raise
    finally:
        sweep.recipe.files.digests.save()
    report(outcome, json_, quiet)
    if outcome.statistics.failed:
        _warn(progress, (*census.reminders, *mistakes))  # once more: they may be why
    return outcome.exit_code


def find_mistakes(sweep: Sweep, census: Census, options: RunOptions, anyway: bool) -> list[str]:
    """Raise ConfigError for the first mistake that makes every task fail.

    With `anyway`, return them as warnings.
    """
    from ..sweep.checks.platforms import check_platform

    hosts = sweep.hosts if options.hosts is None else options.hosts
    mistakes = [*sweep.mistakes, *census.mistakes]
    if not options.by_hand:
        mistakes += check_platform(sweep.worker, hosts)
    if mistakes and not anyway:
        raise mistakes[0]
    return [f"{one.where}: {one.what}" for one in mistakes]


def _warn(progress: Progress, warnings: Iterable[str]) -> None:
    for warning in warnings:
        progress.warn(warning)

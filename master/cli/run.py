"""`spe run`, and what other commands that run something share with it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

import click

from .. import startup
from ..errors import BusyError
from .adding import added_to_running, refuse_with_add
from .after import after_options, sweep_before, tell_mistakes
from .common import GivenKeys, as_json, load, start_logging, sweep_file, sweep_name, volume
from .completion import paths
from .grouped_command import GroupedCommand
from .line_options import line_options, take
from .output import plain_option
from .print_options import print_options, take_printing

if TYPE_CHECKING:
    from ..launch import Early
    from ..model import Host
    from ..runner.options import PrintOptions
    from ..runner.outcome import Outcome
    from ..runner.run import RunOptions
    from ..session.living import Living
    from ..state.progress import Progress
    from ..sweep.parameters import Census
    from ..sweep.program import ProgramChange
    from ..sweep.sweep import Sweep
    from .after import After


LOOK = 0.2  # seconds until a run that has begun meanwhile is looked at again
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
@print_options
@run_options
@change_options
@anyway_option
@click.option("--add", is_flag=True, help="While it runs: add the new sets to that run.")
@after_options
@detach_option
@click.option("--dry", is_flag=True, help="Show what would run, and run nothing.")
@click.option("--until", metavar="TIME", help="Begin nothing after 18:00, or after 2h.")
@sweep_file
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
        return _show_dry(sweep, make_options(**options), json_, quiet, anyway)
    before = sweep_before(file, after, after_any)
    if before and not before.is_over():
        if detach:
            return wait_detached(load(file, words, given, name), before, quiet)
        tell_mistakes(lambda: load(file, words, given, name))
        before.wait(quiet)
    sweep = load(file, words, given, name)
    options["printing"] = printing
    return _run(sweep, add, detach, json_, quiet, verbose, anyway, options)


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
            return run_detached(sweep, quiet)
        try:
            with _early(sweep, hosts) as early:
                chosen = make_options(**options, add=add, early=early)
                return execute(sweep, chosen, json_, quiet, verbose, anyway)
        except BusyError:
            # Another command has begun to run it in between: that run takes the sets.
            if not add:
                raise
            sleep(LOOK)


def _show_dry(sweep: Sweep, options: RunOptions, json_: bool, quiet: bool, anyway: bool) -> int:
    """Show what a run would do, after the checks that it begins with."""
    from .dry import show

    census = sweep.parameters.check()
    mistakes = find_mistakes(sweep, census, options, anyway)
    for warning in (*sweep.warnings, *census.warnings, *mistakes):
        click.echo(f"warning: {warning}", err=True)
    return show(sweep, json_, quiet)


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


def wait_detached(sweep: Sweep, before: After, quiet: bool) -> int:
    """Start the same command again without --detach: it waits for another sweep's end, then runs."""
    from ..line.listed import taken
    from ..session.detached import LOG, begin
    from ..session.run_folder import make_run_folder
    from ..sweep.sweep import run_folder

    folder = run_folder(sweep)
    make_run_folder(folder)
    process = begin(_words_of_child(), folder, taken())
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


def make_options(
    hosts: str | None,
    ssh_config: Path | None,
    accept_new_host_keys: bool,
    keep: bool = False,
    fresh: bool = False,
    missing: bool = False,
    add: bool = False,
    retry: bool = False,
    retry_numbers: Sequence[int] = (),
    until: str | None = None,
    early: Early | None = None,
    printing: PrintOptions | None = None,
) -> RunOptions:
    """Return the options of the command line, as the run knows them. Raises UsageError."""
    startup.load_aiohttp()  # before any import of it: see startup.py
    from ..launch import Early
    from ..runner.run import RunOptions

    return RunOptions(
        hosts=_hosts(hosts),
        hosts_option=hosts,
        hosts_file=_hosts_file(hosts),
        by_hand=hosts == "none",
        change=_program_change(keep, fresh),
        retry=retry,
        retry_numbers=tuple(retry_numbers),
        ssh_config=ssh_config,
        accept_new_host_keys=accept_new_host_keys,
        missing=missing,
        until=_moment(until),
        printing=printing,
        add=add,
        early=early or Early(),
    )


def _moment(until: str | None) -> float | None:
    """Return the time of --until, in seconds since 1970. Raises UsageError."""
    if until is None:
        return None
    from datetime import datetime

    from ..line.until import moment

    return moment(until, datetime.now())


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
    from ..sweep.checks.files_named import hints
    from ..sweep.sweep import run_folder
    from .output import is_live, results_in
    from .report import report, report_beside, report_stranded

    printing = options.printing
    live = is_live(sys.stderr) and _may_draw(printing)
    progress = Progress(quiet, live, stdout_is_taken=printing is not None)
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
            report_stranded(folder, error, one_line=printing is not None)
        raise
    finally:
        sweep.recipe.files.digests.save()
    if printing is None:
        report(outcome, json_, quiet)
    else:
        report_beside(outcome, json_, quiet)
    reminders = (*census.reminders, *mistakes) if outcome.statistics.failed else ()
    _warn(progress, reminders)  # once more: they may be why
    for hint in hints(reasons(outcome), sweep):
        if not any(hint.partition(":")[0] in one for one in reminders):
            click.echo(hint, err=True)
    return outcome.exit_code


def reasons(outcome: Outcome) -> list[str]:
    """Return why sets of a run have failed or wait."""
    from ..store.reader import Reader

    waits = [one.sentence for one in outcome.waiting_because]
    if not outcome.statistics.failed:
        return waits
    with Reader(outcome.folder, outcome.database) as reader:
        return [*(group.reason for group in reader.failure_groups()), *waits]


def _may_draw(printing: PrintOptions | None) -> bool:
    """Return False where a live picture would be in the way of what is printed."""
    # What programs write to stderr goes there, too; rows are in the way on a terminal only.
    return printing is None or (printing.form != "lines" and not sys.stdout.isatty())


def find_mistakes(sweep: Sweep, census: Census, options: RunOptions, anyway: bool) -> list[str]:
    """Raise ConfigError for the first mistake that makes every task fail.

    With `anyway`, return them as warnings.
    """
    from ..sweep.checks.platforms import check_platform

    hosts = sweep.hosts if options.hosts is None else options.hosts
    mistakes = [*sweep.mistakes, *census.mistakes]
    if not options.by_hand and sweep.recipe.runs_worker:  # else a program reads it, as qemu does
        mistakes += check_platform(sweep.worker, hosts)
    if mistakes and not anyway:
        raise mistakes[0]
    return [f"{one.where}: {one.what}" for one in mistakes]


def _warn(progress: Progress, warnings: Iterable[str]) -> None:
    for warning in warnings:
        progress.warn(warning)

"""The options of commands that run something, and what they mean to a run."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import startup
from .common import GivenKeys
from .completion import paths
from .line_options import take

if TYPE_CHECKING:
    from ..launch import Early
    from ..model import Host
    from ..runner.options import PrintOptions
    from ..runner.run import RunOptions
    from ..sweep.program import ProgramChange

# A wrong path is told before anything runs; later it would be an error of each host.
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of all commands that run something."""
    hosts = "A hosts file, or hosts separated by commas; `none`: you start the clients by hand."
    keys = "Trust hosts that are not in known_hosts; a changed key is never accepted."
    command = click.option("--hosts", metavar="FILE|NAMES", help=hosts, shell_complete=paths)(
        command
    )
    config = click.option(
        "-F",
        "ssh_config",
        metavar="FILE",
        type=_FILE,
        help="Read this file instead of ~/.ssh/config.",
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


anyway_option = click.option(
    "--anyway", is_flag=True, help="Run although a mistake was found that makes tasks fail."
)
detach_option = click.option(
    "--detach", is_flag=True, help="Run on without this terminal; `spe attach` follows it."
)


def _checked_job(context: click.Context, param: click.Parameter, given: str) -> str:
    """Return FARM/JOB as it was given. Raises BadParameter: clients have it in their command line."""
    if given and not re.fullmatch(r"[A-Za-z0-9-]{1,64}/\d{1,15}", given):
        raise click.BadParameter(f"{given!r} is no FARM/JOB, such as f00d/17.")
    return given


granted_option = click.option(
    "--granted",
    metavar="FARM/JOB",
    default="",
    hidden=True,
    callback=_checked_job,
    help="A job of a farm, which grants it hosts.",
)


def _refuse_words_before_command(words: tuple[str, ...]) -> None:
    """Raise UsageError for words that stand before the `--` of a command: no option has them."""
    if "--" not in sys.argv:
        return
    command = sys.argv[sys.argv.index("--") + 1 :]
    before = words[: len(words) - len(command)]
    if not before:
        return
    todo = "Write options before it, and the command after it."
    if "=" in before[0]:
        name, _, value = before[0].partition("=")
        todo = (
            f"Values of a parameter are one word: -p {name}={value},… or a range, -p {name}=1:4 ."
        )
    from ..errors import UsageError

    raise UsageError(f"{before[0]!r} stands before the -- of the command", todo=todo)


def _refuse_other_bytes(words: tuple[str, ...], options: dict[str, Any]) -> None:
    """Raise UsageError for a word or an option that is not UTF-8: the store keeps texts."""
    from ..errors import UsageError

    given = [
        text for one in options.values() for text in (one if isinstance(one, tuple) else (one,))
    ]
    for text in (*words, *filter(lambda one: isinstance(one, str), given)):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            todo = "Write it as UTF-8; a program can be given such bytes in a file, by --input."
            raise UsageError(f"{text!r} is not UTF-8", todo=todo) from error


def given_keys(options: dict[str, Any], words: tuple[str, ...]) -> GivenKeys:
    """Take the options that stand for keys of spe.yaml out of those of a command.

    `--hosts` is one of a one-liner, which then goes on with the same hosts. Raises UsageError.
    """
    _refuse_words_before_command(words)
    _refuse_other_bytes(words, options)
    hosts = options["hosts"]
    given = take(options, words, hosts)
    if words and hosts and hosts != "none":
        named = hosts if _hosts_file(hosts) else hosts.split(",")
        options["hosts"] = None  # they are the sweep's own now, and read once
        return {**given[0], "hosts": named}, {**given[1], ("hosts",): f"--hosts {hosts}"}
    return given


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
    granted: str = "",
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
        granted=granted,
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
    named = (
        read_hosts(path)
        if path
        else parse_hosts((f"--hosts {given}", one) for one in given.split(","))
    )
    for warning in named.warnings:
        click.echo(f"warning: {warning}", err=True)
    return named.hosts

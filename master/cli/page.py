"""`spe page`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from .common import folder_of, sweep_file, sweep_name, tell, volume
from .completion import names_of_sweeps
from .elsewhere import anywhere

if TYPE_CHECKING:
    from ..session.living import Living
    from ..store.task_details import TaskDetail

LAST_PORT = 65_535


@click.command()
@click.argument("run", required=False, metavar="[RUN]", shell_complete=names_of_sweeps)
@click.option("--act", is_flag=True, help="With the right to act: pause, stop, retry, cancel, add hosts.")
@click.option(
    "--port",
    type=click.IntRange(0, LAST_PORT),
    default=0,
    help="Serve a run that is over on this port; a free one without it.",
)
@click.option(
    "--beside",
    multiple=True,
    metavar="RUN",
    shell_complete=names_of_sweeps,
    help="Offer this run for comparison, too: a name or a path. May be given several times.",
)
@sweep_file
@sweep_name
@volume
@anywhere
def command(
    run: str | None,
    act: bool,
    port: int,
    beside: tuple[str, ...],
    file: Path,
    name: str | None,
    quiet: bool,
    verbose: int,
) -> None:
    """Print the address of a run's page. A run that is over is served until Ctrl-C, to be read only.

    RUN is a folder below runs/, or the path of one. While the sweep runs, its own master serves the
    page, and this command ends at once.

    \b
    Example: spe page
    Example: spe page --act
    Example: spe page ../other/runs/pi
    Example: spe page pi --beside ../other/runs/pi
    """
    from ..session.living import living

    folder = _folder(run, file, name)
    others = _beside(folder, beside, file)
    found = living(folder)
    if found and others:
        what = f"{folder.name} is still running: its master's page shows only the runs beside it"
        raise UsageError(what, todo="Name the run that is over first, and this one with --beside.")
    if found:
        _show(_address(folder, found, act), quiet)
        return
    if act:
        from ..session.detached import nothing_runs

        todo = "`spe page` shows what is stored; `spe run` and `spe retry` go on with it."
        raise nothing_runs(folder, todo)
    _serve(folder, port, quiet, others)


def _beside(folder: Path, runs: tuple[str, ...], file: Path) -> dict[str, Path]:
    """Return the folders of the runs of `--beside`, by what the page calls them.

    A run below the same runs/ is offered by its name anyway. Others have their path, so that no two
    are called the same. Raises UsageError where one does not exist.
    """
    here = folder.resolve()
    found = [_folder(run, file, None).resolve() for run in runs]
    return {str(one): one for one in found if one.parent != here.parent}


def _folder(run: str | None, file: Path, name: str | None) -> Path:
    """Return the folder of the run that is meant. Raises UsageError where there is none."""
    if run is None:
        return folder_of(file, name)
    runs = file.parent / "runs"
    for folder in (runs / run, Path(run)):
        if (folder / "sweep.db").exists():
            return folder
    from ..session.known_runs import unknown_run

    raise unknown_run(run, runs)


def _address(folder: Path, run: Living, act: bool) -> str:
    """Return the address of the page that the master of this run serves."""
    if not act:
        return run.page
    from ..session.calling import find

    page = run.page.partition("?")[0]
    return f"{page}?token={find(folder).acting_token()}"


def _show(address: str, quiet: bool) -> None:
    """Print the address, and for a person who is logged in over SSH how to reach it."""
    from ..session.forwarding import forwarding

    click.echo(address)
    line = forwarding(address)
    if line and not quiet:
        click.echo(line, err=True)


def _serve(folder: Path, port: int, quiet: bool, others: dict[str, Path]) -> None:
    """Serve the page of a run from its database until Ctrl-C."""
    import asyncio

    from ..session.runners import who_runs

    runner = who_runs(folder)
    if runner:
        tell(f"{runner.words} runs it, and its page cannot be asked from here: this one shows what is stored")
    asyncio.run(_serve_until_told(folder, port, quiet, others))


async def _serve_until_told(
    folder: Path, port: int, quiet: bool, others: dict[str, Path]
) -> None:
    import asyncio
    import signal

    from ..disk_errors import reason
    from ..page import EndedPage

    page = EndedPage(folder, _command_line, others)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    try:
        address = await page.start(port)
    except OSError as error:
        what = f"port {port} cannot be used: {reason(error)}"
        raise UsageError(what, todo="Name another one, or leave --port out for a free one.") from error
    _show(address, quiet)
    if not quiet:
        click.echo("  Ctrl-C ends it; it can only be read", err=True)
    await told.wait()
    await page.stop()


def _command_line(task: TaskDetail) -> str:
    """Return the command line of a set. Raises UsageError where it is not known."""
    from ..earlier.kept_command import filled

    if not task.command:
        raise UsageError("the command was not recorded")
    try:
        words, _ = filled(task.command, task.values)
    except KeyError as error:
        raise UsageError(f"the command cannot be filled in: {error}") from error
    return shlex.join(words)

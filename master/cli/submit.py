"""`spe submit`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..text import counted, sets, span
from .common import as_json, load, print_json, sweep_file_to_run, sweep_name, volume
from .completion import paths
from .execution import find_mistakes, find_targets
from .farm_options import job_options, take_job_options, words_of_run
from .grouped_command import GroupedCommand
from .line_options import line_options
from .run_options import anyway_option, change_options, given_keys, make_options, run_options

if TYPE_CHECKING:
    from ..delegate.submitting import Farm
    from ..pool.joining.cards import Card
    from ..runner.run import RunOptions
    from ..sweep.sweep import Sweep

OWN_LOAD = 0.9  # load per core above which a run without the farm starts nothing on a host


@click.command(cls=GroupedCommand)
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[-- COMMAND...]",
    shell_complete=paths,
)
@line_options
@job_options
@click.option(
    "--here-and-now", is_flag=True, help="Run it without the farm, if that does not answer."
)
@run_options
@change_options
@anyway_option
@sweep_file_to_run
@sweep_name
@as_json
@volume
def command(
    words: tuple[str, ...],
    here_and_now: bool,
    anyway: bool,
    file: Path,
    name: str | None,
    srv: str | None,
    json_: bool,
    quiet: bool,
    verbose: int,
    **options: Any,
) -> int:
    """Hand in the sweep in spe.yaml, or a command over parameters, to a farm that you have joined.

    The farm deals slots of its hosts to the jobs of all users. Your job runs as `spe run` would,
    as you, on the hosts that you have accepted. `spe jobs` shows it.

    \b
    Example: spe submit
    Example: spe submit --priority 80 -p seed=1:100 -- ./simulate --seed '{{ seed }}'
    """
    from ..delegate.submitting import check_folder, check_hosts, submit, wait_for_farm
    from ..line.listed import taken
    from ..pool.joining.cards import chosen_card
    from ..sweep.sweep import run_folder

    own_words = words_of_run(sys.argv[2:], command)
    wanted = take_job_options(options)
    _refuse_own_hosts(options)
    if here_and_now:
        return _here_and_now(chosen_card(srv), own_words, file, options)
    given = given_keys(options, words)
    sweep = load(file, words, given, name)
    chosen = make_options(**options)
    card = chosen_card(srv)
    runs = run_folder(sweep)
    check_folder(card, runs)
    many, to_do = _checked(sweep, chosen, anyway)
    if not to_do:
        click.echo(f"nothing is new in the {sets(many)} of {sweep.name}: no job was made", err=True)
        return 0
    hosts = [one.name for one in (chosen.hosts or sweep.hosts)]
    farm = wait_for_farm(card, _tell_to_wait)
    card = farm.card
    check_hosts(farm, hosts, wanted.exclude)
    about = {**wanted.about, "name": sweep.name, "sets": many, "cores": sweep.config.cores}
    if hosts:
        about["hosts"] = hosts
    job = submit(card, about, own_words, Path.cwd(), runs, taken().decode())
    if json_:
        print_json({**job, "farm": card.farm})
    elif not quiet:
        print(sentence(job, to_do, wanted.about["priority"], farm))
    return 0


def _tell_to_wait(error: UsageError, waited: float) -> None:
    """Tell why there is no job yet, in the farm's own words where it has any, and what can be done."""
    since = f" for {span(waited)}" if waited >= 1 else ""
    click.echo(f"spe: {error.what}", err=True)
    click.echo(
        f"  waiting{since}; Ctrl-C ends this. Without the farm: spe submit --here-and-now", err=True
    )


def _here_and_now(card: Card, words: list[str], file: Path, options: Mapping[str, Any]) -> int:
    """Run the sweep without a farm that does not answer; return the exit code. Raises UsageError."""
    import subprocess

    from ..delegate.submitting import is_silent

    if not is_silent(card):
        todo = "Submit it without --here-and-now."
        raise UsageError("the farm answers", where=card.srv, todo=todo)
    if not card.accepted:
        todo = "Name hosts: spe run --hosts lab01,lab02"
        raise UsageError("you have accepted no host by its name", where=card.srv, todo=todo)
    at = words.index("--") if "--" in words else len(words)
    more = (
        []
        if options["hosts"] or _names_hosts(file, words)
        else ["--hosts", ",".join(card.accepted)]
    )
    more += [] if options["key_max_load"] else ["--max-load", str(OWN_LOAD)]
    words = ["run", *words[:at], *more, *words[at:]]
    click.echo("spe: the farm does not answer: this runs without it", err=True)
    return subprocess.run([sys.executable, "-P", "-m", "spe", *words], check=False).returncode


def _names_hosts(file: Path, words: list[str]) -> bool:
    """Tell whether a spe.yaml names hosts. A command has none but those of --hosts."""
    if "--" in words or not file.exists():
        return False
    return bool(load(file).hosts)


def _refuse_own_hosts(options: Mapping[str, Any]) -> None:
    """Raise UsageError for options that name hosts which a farm does not deal."""
    if options["slots"] is not None:
        what = "-j is for this machine, and a farm deals the slots of its hosts"
        raise UsageError(what, where=f"-j {options['slots']}", todo="Leave it out.")
    if options["hosts"] == "none":
        todo = "Leave it out, or name some hosts of the farm."
        raise UsageError("a farm starts the clients of its jobs", where="--hosts none", todo=todo)
    if options["accept_new_host_keys"]:
        todo = "Log in once on each host by ssh, or have its administrator list the keys."
        what = "--accept-new-host-keys does not hold for hosts that a farm names"
        raise UsageError(what, todo=todo)


def _checked(sweep: Sweep, options: RunOptions, anyway: bool) -> tuple[int, int]:
    """Return how many sets there are and how many of them would run.

    Raises SpeError for what would keep `spe run` from running them: later only a log could tell.
    """
    from ..session.living import living
    from ..sweep.program import ProgramChange
    from ..sweep.sweep import run_folder

    find_targets(sweep)
    census = sweep.parameters.check()
    mistakes = find_mistakes(sweep, census, options, anyway)
    for warning in (*sweep.warnings, *census.warnings, *mistakes):
        click.echo(f"warning: {warning}", err=True)
    folder = run_folder(sweep)
    if run := living(folder):
        what = f"this sweep is being run by process {run.pid}"
        todo = "Wait for its end, or add the new sets to that run: spe run --add"
        raise UsageError(what, where=str(folder), todo=todo)
    if options.change is ProgramChange.FRESH or options.missing:
        return census.count, census.count
    if not (folder / "sweep.db").exists():
        return census.count, census.count
    to_do = _to_do(sweep, folder, options.change is ProgramChange.KEEP)
    return census.count, to_do


def _to_do(sweep: Sweep, folder: Path, keeps: bool) -> int:
    """Return how many sets of a sweep that has run before would run. Raises UsageError."""
    from .dry import TO_DO, todays_sets

    counts: Counter[str] = Counter()
    changed: set[str] = set()
    for _ in todays_sets(sweep, folder, counts, changed):
        pass
    if changed and not keeps:
        many = counted(len(changed), "file")
        what = (
            f"{many} of the program changed since sets were finished ({', '.join(sorted(changed))})"
        )
        todo = "--keep leaves these sets as they are, --fresh runs all sets again."
        raise UsageError(what, where=str(folder), todo=todo)
    return sum(counts[state] for state in TO_DO)


def sentence(job: Mapping[str, Any], to_do: int, priority: int, farm: Farm) -> str:
    """Return what is said of a new job: what the gate knew just before."""
    what = f"job {job['id']}: {sets(to_do)}, priority {priority}"
    slots = sum(farm.hosts.values())
    if not farm.others:
        return f"{what}; nobody else has any of the {counted(slots, 'slot')}"
    has = "has" if len(farm.others) == 1 else "have"
    people = counted(len(farm.others), "other user")
    return f"{what}; {people} {has} {sum(farm.others.values())} of {counted(slots, 'slot')}"

"""The options of a job for a farm, and the words that its run is started with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from ..errors import UsageError
from ..record import record

#: Texts that the farm keeps; others may read them. Option -> the most characters.
TEXTS = {"group": 100, "label": 100, "info": 200}


def farm_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option --farm."""
    text = "The farm, where you have joined several."
    return click.option("--farm", "srv", metavar="SRV", help=text)(command)


def job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that a job has for the farm alone."""
    for decorate in reversed(_OPTIONS):
        command = decorate(command)
    return farm_option(command)


_OPTIONS = (
    click.option(
        "--priority",
        type=click.IntRange(0, 127),
        default=64,
        show_default=True,
        help="80 counts and costs twice as much, 96 four times, 0 a sixteenth.",
    ),
    click.option("--group", metavar="TEXT", help="The group of this job, such as thesis."),
    click.option("--info", metavar="TEXT", help="A note about this job, for yourself."),
    click.option("--label", multiple=True, metavar="TEXT", help="A label; several times."),
    click.option("--memory", metavar="SIZE", help="Memory that one task takes, such as 4GiB."),
    click.option("--time", metavar="TIME", help="Time that one task takes, such as 20min."),
    click.option("--exclude", metavar="HOSTS", help="Hosts not to use, separated by commas."),
)


@record
class JobOptions:
    """The options of a job as the gate takes them. exclude: host names."""

    about: Mapping[str, Any]
    exclude: tuple[str, ...]


def take_job_options(options: dict[str, Any]) -> JobOptions:
    """Take the options of a job out of those of a command. Raises UsageError."""
    from ..config import units
    from ..pool.texts import is_host_name

    labels = " ".join(options.pop("label"))
    texts = {"group": options.pop("group"), "info": options.pop("info"), "label": labels or None}
    about: dict[str, Any] = {"priority": options.pop("priority")}
    for name, text in texts.items():
        if text is not None:
            about["labels" if name == "label" else name] = _text(name, text)
    memory = _units("memory", options.pop("memory"), units.size, "4GiB")
    seconds = _units("time", options.pop("time"), units.duration, "20min")
    about |= {"memory": int(memory)} if memory else {}
    about |= {"time": float(seconds)} if seconds else {}
    given = options.pop("exclude")
    exclude = tuple(given.split(",")) if given is not None else ()
    for one in exclude:
        if not is_host_name(one):
            todo = "Write names separated by commas: --exclude lab03,lab04"
            raise UsageError(f"--exclude {given}: {one!r} is no host name", todo=todo)
    return JobOptions({**about, "exclude": list(exclude)}, exclude)


def _text(name: str, text: str) -> str:
    from ..pool.texts import checked

    try:
        return checked(text, f"--{name}", TEXTS[name])
    except ValueError as error:
        raise UsageError(str(error), todo="Write less, on one line.") from error


def _units(name: str, text: str | None, read: Callable[[str], float], like: str) -> float:
    if text is None:
        return 0
    try:
        return read(text)
    except ValueError as error:
        todo = f"Write it like --{name} {like}."
        raise UsageError(f"--{name} {text}: that is no {_KIND[name]}", todo=todo) from error


_KIND = {"memory": "size", "time": "time"}
_NOT_OF_RUN = (
    "--priority", "--group", "--info", "--label", "--memory", "--time", "--exclude", "--farm",
    "--here-and-now", "--quiet", "-q", "--json",
)  # fmt: skip


def words_of_run(arguments: Sequence[str], command: click.Command) -> list[str]:
    """Return the words of a submit command that `spe run` takes.

    The words themselves and not what they were parsed to: the run reads them as this process did.
    """
    kinds = {
        name: one.is_flag or one.count
        for one in command.params
        if isinstance(one, click.Option)
        for name in one.opts
    }
    kept: list[str] = []
    at = 0
    while at < len(arguments) and arguments[at] != "--":
        word = arguments[at]
        name = word.partition("=")[0] if word.startswith("--") else word
        # A value of its own stands behind an option that takes one, unless it has it already.
        many = 2 if "=" not in word and kinds.get(name) is False else 1
        if name not in _NOT_OF_RUN:
            kept += arguments[at : at + many]
        at += many
    return [*kept, *arguments[at:]]

"""Wrong words of a command line: what is wrong, the right form, and which word was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import click

from ..text import nearest
from .catalogue import DESTRUCTIVE

#: Options of other tools -> what does it here.
OTHER_OPTIONS = {
    "--jobs": "-j N",
    "--max-procs": "-j N",
    "-P": "-j N",
    "--ntasks": "-j N",
    "--retries": "--attempts N",
    "--dry-run": "--dry",
    "--dryrun": "--dry",
    "--just-print": "--dry",
    "-k": "--lines --keep-order",
    "--keep-order": "--lines --keep-order",
    "--group": "--lines",
    "--tagstring": "--tag",
    "--colsep": "--params FILE",
    "-C": "--params FILE",
    "--arg-file": "-p x=@FILE",
    "-a": "-p x=@FILE",
    "--xapply": "--link",
    "--halt": "--stop-after N[%][,now]",
    "--joblog": "`spe results`",
    "--resume": "`spe run`, which always goes on",
    "--resume-failed": "`spe retry`",
    "--retry-failed": "`spe retry`",
    "--sshlogin": "--hosts NAMES",
    "-S": "--hosts NAMES",
    "--sshloginfile": "--hosts FILE",
    "--slf": "--hosts FILE",
    "--basefile": "--input PATH",
    "--transferfile": "--input PATH",
    "--return": "--result FILE",
    "--workdir": "`workdir=` in a line of the hosts file",
    "--wd": "`workdir=` in a line of the hosts file",
    "--load": "--max-load N",
    "--time": "--timeout TIME",
    "--array": "-p x=1:10",
    "--background": "--detach",
    "--daemon": "--detach",
    "--force": "--anyway",
    "--no-color": "--plain, or the variable NO_COLOR",
    "--silent": "-q",
    "--config": "-f FILE",
    "--output-format": "--json",
    "--format": "--json",
}
#: Commands of other tools -> what does it here.
OTHER_COMMANDS = {
    "submit": "spe run",
    "sbatch": "spe run",
    "qsub": "spe run",
    "start": "spe run",
    "queue": "spe status",
    "squeue": "spe status",
    "qstat": "spe status",
    "logs": "spe log",
    "man": "spe help",
    "version": "spe --version",
    "test": "spe check",
    "machines": "spe hosts",
    "continue": "spe resume",
}


def unknown_command(words: str, known: Iterable[str]) -> str:
    """Return the sentence about a command that there is not, with the one that may be meant.

    `words` are those after `spe`, such as "farm jion"; `known` are the commands for the last one.
    """
    above, _, word = words.rpartition(" ")
    what = f"there is no command {words!r}"
    harmless = [name for name in known if name not in DESTRUCTIVE]
    if not above and word in OTHER_COMMANDS:
        return f"{what}; `{OTHER_COMMANDS[word]}` does that here"
    near = nearest(word, harmless)
    return f"{what}; did you mean {f'{above} {near}'.strip()}?" if near else what


def with_context(error: click.UsageError, root: click.Group, words: Sequence[str]) -> None:
    """Give an error of click's parser the context that it lacks: that of the command typed."""
    if error.ctx is not None:
        return
    context = click.Context(root, info_name="spe")
    for word in (one for one in words if not one.startswith("-")):
        group = context.command
        command = group.get_command(context, word) if isinstance(group, click.Group) else None
        if command is None:
            break
        context = click.Context(command, parent=context, info_name=word)
    error.ctx = context


def sentence(error: click.ClickException) -> str:
    """Return what is wrong with the words of a command line, in spe's words."""
    if isinstance(error, click.NoSuchOption):
        return _unknown_option(error)
    if isinstance(error, click.MissingParameter):
        name = error.param.make_metavar(error.ctx) if error.param and error.ctx else "a word"
        return f"{name} is missing"
    if isinstance(error, click.BadOptionUsage):
        return _bad_use(error)
    if isinstance(error, click.BadParameter) and isinstance(error.param, click.Parameter):
        return _bad_value(error, error.param)
    text = error.format_message()
    extra = re.match(r"Got unexpected extra arguments? \((.*)\)", text)
    return f"too many words: {extra[1]}" if extra else text


def _unknown_option(error: click.NoSuchOption) -> str:
    name = error.option_name
    what = f"there is no option {name}"
    known = _options(error.ctx)
    meant = OTHER_OPTIONS.get(name)
    if meant and meant.partition(" ")[0] in (*known, "`spe"):
        return f"{what}; here it is {meant}"
    near = nearest(name, (one for one in known if one not in DESTRUCTIVE))
    return f"{what}; did you mean {near}?" if near else what


def _options(context: click.Context | None) -> list[str]:
    """Return the options of the command of a context."""
    if context is None:
        return []
    found = [one for one in context.command.get_params(context) if isinstance(one, click.Option)]
    return [flag for one in found for flag in one.opts]


def _bad_use(error: click.BadOptionUsage) -> str:
    """Return the sentence about an option without its value, or a switch with one."""
    name = error.option_name
    if "does not take a value" in error.message:
        return f"{name} is a switch and takes no value; write {name} alone"
    context = error.ctx
    for one in context.command.get_params(context) if context else ():
        if isinstance(one, click.Option) and name in one.opts and context:
            return f"{name} needs a value; write {name} {one.make_metavar(context)}"
    return f"{name} needs a value"


def _bad_value(error: click.BadParameter, param: click.Parameter) -> str:
    """Return the sentence about a value that an option or an argument does not take."""
    quoted = re.search(r"'(.*?)'|^(\S+) is not in the range", error.message)
    value = (quoted[1] or quoted[2] or "").removesuffix(".0") if quoted else ""
    if isinstance(param, click.Option):
        name = max(param.opts, key=len)
    else:
        name = (param.metavar or str(param.name)).strip("[].")
    place = f"{name} {value}".strip()
    return f"{place}: {_wanted(error, param, value)}"


def _wanted(error: click.BadParameter, param: click.Parameter, value: str) -> str:
    """Return what was found and what a parameter takes; click's own words where they say more."""
    found = f"found {value!r}, wanted "
    kind = param.type
    if isinstance(kind, click.IntRange | click.FloatRange):
        what = "a whole number" if isinstance(kind, click.IntRange) else "a number"
        upper = "" if kind.max is None else f" to {kind.max}"
        return f"{found}{what} from {kind.min}{upper}"
    if isinstance(kind, click.Choice):
        return f"{found}{', '.join(map(str, kind.choices))}"
    if isinstance(kind, click.Path) and "does not exist" in error.message:
        return "there is no such file"
    return error.message.rstrip(".")

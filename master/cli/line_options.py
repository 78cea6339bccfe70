"""The options of a command line that stand for keys of spe.yaml, for commands that run something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from ..line.options import ALL, RARE, Keys, Option, Options, keys_of_options
from .completion import paths

PARAMETERS = ("values", "link", "file", "where", "repeat", "sample", "nul")


def line_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add all options that stand for keys of spe.yaml; the command gets them as **typed."""
    for one in reversed(ALL):
        command = _key_option(one)(command)
    for decorate in reversed(_OTHERS):
        command = decorate(command)
    return command


def _key_option(one: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    kind: dict[str, Any] = {"metavar": one.form}
    if one.kind == "switch":
        kind = {"is_flag": True}
    elif one.kind == "each":
        kind["multiple"] = True
    if one.form in ("FILE", "PATH"):
        kind["shell_complete"] = paths
    return click.option(one.flag, f"key_{one.key}", help=one.help, hidden=one in RARE, **kind)


_OTHERS = (
    click.option("-j", "slots", metavar="N", help="Slots on this machine (as many as its cores)."),
    click.option(
        "-p",
        "parameter_values",
        multiple=True,
        metavar="NAME=VALUES",
        help="x=1:10 (with 10), x=0:1:0.1, y=a,b, f=glob:*.csv, f=@FILE, f=@- (standard input).",
    ),
    click.option("--link", "parameter_link", is_flag=True, help="Go along all -p in step."),
    click.option("-0", "--null", "parameter_nul", is_flag=True, help="Values of @FILE and @- end with NUL."),
    click.option(
        "--params",
        "parameter_file",
        metavar="FILE",
        help="A parameter file: csv, tsv, |, jsonl.",
        shell_complete=paths,
    ),
    click.option("--where", "parameter_where", metavar="CONDITION", help="Only sets for which it is true."),
    click.option("--repeat", "parameter_repeat", metavar="N", help="Each set N times: `rep`."),
    click.option(
        "--sample",
        "parameter_sample",
        metavar="METHOD:N[:seed=S]",
        help="N points of lhs, sobol, halton or random; -p 'x=[0,1]' -p 'k=log[0.001,1]'.",
    ),
)


def take(
    options: dict[str, Any], words: tuple[str, ...], hosts: str | None
) -> tuple[dict[str, Any], dict[tuple[str | int, ...], str]]:
    """Take the options of this file out of those of a command.

    Return the keys of spe.yaml that they stand for, and the option of each part. `hosts`: what
    --hosts has. Raises UsageError, also for parameters without a command.
    """
    given = {one: options.pop("parameter_" + one) for one in PARAMETERS}
    typed = {one.key: options.pop(f"key_{one.key}") for one in ALL}
    slots = options.pop("slots")
    more, their = _parameters(given, words) if _is_any_given(given) else ({}, {})
    keys, texts = keys_of_options(typed)
    if slots is None:
        return {**keys, **more}, {**texts, **their}
    if hosts:
        what = "-j is for this machine, and --hosts names hosts"
        raise UsageError(what, where=f"-j {slots}", todo="Write --hosts 'NAME slots=N'.")
    here = {"hosts": [f"localhost slots={slots}"]}
    return {**keys, **more, **here}, {**texts, **their, ("hosts",): f"-j {slots}"}


def _is_any_given(given: dict[str, Any]) -> bool:
    # An empty text was given, and is wrong.
    return any(one is not None and one is not False and one != () for one in given.values())


def _parameters(given: dict[str, Any], words: Sequence[str]) -> tuple[Keys, Options]:
    """Return the keys of the options for parameters. Raises UsageError."""
    from ..line.parameters import ParameterOptions, parameter_keys  # late: it reads numbers exactly

    parameters = ParameterOptions(**given, folder=Path.cwd())
    if parameters.used and not words:
        todo = "spe run -p x=1:10 -- ./program '{{ x }}'; those of a file stand in it."
        raise UsageError(f"{parameters.used[0]} needs a command", todo=todo)
    return parameter_keys(parameters)

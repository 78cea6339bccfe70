"""Checks the -p options of the command line: a grid of parameters without any file."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UsageError
from .look_alikes import is_several, look_alike, right_option
from .parameter_names import name_fault
from .sequences import parse_parameter_option


def parameter_options(options: Sequence[str]) -> dict[str, Sequence[str]]:
    """Return the values of each -p option by name. Raises UsageError."""
    grid: dict[str, Sequence[str]] = {}
    for option in options:
        name, values = _parsed(option)
        fault = name_fault(name)
        if name in grid:
            fault = f"the name {name} is there twice"
        if fault:
            todo = "Give each parameter once, under a name of its own."
            raise UsageError(fault, where=f"-p {option}", todo=todo)
        grid[name] = values
    return grid


def _parsed(option: str) -> tuple[str, Sequence[str]]:
    """Return name and values of one option. Raises UsageError."""
    try:
        name, values = parse_parameter_option(option)
        _refuse_look_alike(name, option.partition("=")[2], values, option)
    except ValueError as error:
        todo = "Write it like -p x=1:10 or -p y=a,b ."
        raise UsageError(str(error), where=f"-p {option}", todo=todo) from error
    if isinstance(values, list):
        return name, tuple(values)
    return name, values  # a range, which makes its numbers when they are asked for


def _refuse_look_alike(name: str, text: str, values: Sequence[str], option: str) -> None:
    """Raise UsageError for a single value without quotes that looks like several."""
    if not isinstance(values, list) or text.startswith('"'):
        return
    if len(values) != 1 and not is_several(text):
        return
    if found := look_alike(text):
        what = f"{text!r} is one value, and looks like {found.noun}"
        raise UsageError(what, where=f"-p {option}", todo=right_option(name, found, text))

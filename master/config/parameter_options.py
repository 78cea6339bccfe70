"""Checks the -p options of the command line: a grid of parameters without any file."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UsageError
from .parameter_names import name_fault
from .sequences import parse_parameter_option


def parameter_options(options: Sequence[str]) -> dict[str, Sequence[str]]:
    """Return the values of each -p option by name. Raises UsageError."""
    grid: dict[str, Sequence[str]] = {}
    for option in options:
        try:
            name, values = parse_parameter_option(option)
        except ValueError as error:
            todo = "Write it like -p x=1:10 or -p y=a,b ."
            raise UsageError(str(error), where=f"-p {option}", todo=todo) from error
        fault = name_fault(name)
        if name in grid:
            fault = f"the name {name} is there twice"
        if fault:
            todo = "Give each parameter once, under a name of its own."
            raise UsageError(fault, where=f"-p {option}", todo=todo)
        if isinstance(values, list):
            values = tuple(values)  # not a range: that makes its numbers when they are asked for
        grid[name] = values
    return grid

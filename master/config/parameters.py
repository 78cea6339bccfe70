"""Checks the blocks under `parameters:` in spe.yaml: rows, grid, zip.

The checks are as in values.py.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from .parameter_names import name_fault
from .sequences import Steps, stepped
from .values import WrongValue, did_you_mean, mapping, text, wrong


def rows(value: Any) -> str | tuple[dict[str, str], ...]:
    """Return the path of a parameter file, or rows that stand in spe.yaml."""
    wanted = "a parameter file, or a list of mappings such as - {x: 1, y: 2}"
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, (list, tuple)) or not value:
        raise wrong(value, wanted)
    return tuple(_row(row, position, value[0]) for position, row in enumerate(value))


def _row(row: Any, position: int, first: Any) -> dict[str, str]:
    """Return one row, which must have the names of the first one."""
    if not isinstance(row, Mapping) or not row:
        raise wrong(row, "a mapping such as {x: 1, y: 2}", position)
    for name in row:
        if fault := name_fault(name):
            raise WrongValue(fault, path=(position, name))
    if missing := [name for name in first if name not in row]:
        raise WrongValue(
            f"this row has no {missing[0]}, the first one has",
            "Give every row the same names.",
            (position,),
        )
    if more := [name for name in row if name not in first]:
        raise WrongValue(
            f"the first row has no {more[0]}", "Give every row the same names.", (position, more[0])
        )
    return {name: _cell(row[name], position, name) for name in first}


def _cell(value: Any, *at: str | int) -> str:
    """Return one cell as it is written."""
    try:
        return text(value)
    except WrongValue:
        raise wrong(value, "one value", *at) from None


def grid(value: Any) -> dict[str, Sequence[str]]:
    """Return the values of each name."""
    named = _named(value, "a mapping from names to values")
    return {name: _axis(name, entry) for name, entry in named.items()}


def zipped(value: Any) -> dict[str, Sequence[str]]:
    """Return the values of each name, which must be equally many: they are walked in step."""
    found = grid(value)
    lengths = {name: len(values) for name, values in found.items()}
    for name, length in lengths.items():
        first = next(iter(lengths))
        if length != lengths[first]:
            what = f"{first} has {lengths[first]} values, {name} has {length}"
            raise WrongValue(what, "Give both as many: zip goes along them in step.", (name,))
    return found


def _named(value: Any, wanted: str) -> Mapping[str, Any]:
    """Return a mapping whose keys are names that parameters may have."""
    for name in (table := mapping(value, wanted)):
        if fault := name_fault(name):
            raise WrongValue(fault, path=(name,))
    return table


def _axis(name: str, value: Any) -> Sequence[str]:
    """Return the values of one name: a list, or a range that makes its numbers when they are asked
    for.
    """
    wanted = "a list of values, or one of {range: […]}, {linspace: […]}, {logspace: […]}"
    if isinstance(value, Steps):
        return value
    if isinstance(value, (list, tuple)) and value:
        return tuple(_cell(entry, name, position) for position, entry in enumerate(value))
    if not isinstance(value, Mapping) or len(value) != 1:
        if not value:
            raise WrongValue(f"{name} has no values", path=(name,))
        raise wrong(value, wanted, name)
    # One key alone: two kinds of steps for one name would have no order.
    step, arguments = next(iter(value.items()))
    if step not in ("range", "linspace", "logspace"):
        near = difflib.get_close_matches(step, ("range", "linspace", "logspace"), 1)
        raise wrong(step, wanted, name, step, todo=did_you_mean(near))
    if not isinstance(arguments, (list, tuple)):
        raise wrong(arguments, "a list such as [1, 10]", name, step)
    try:
        return stepped(step, [_cell(entry, name, step) for entry in arguments])
    except WrongValue:
        raise
    except ValueError as error:
        raise WrongValue(f"{step}: {error}", path=(name, step)) from None


def later(value: Any) -> None:
    """Refuse a key that is reserved for a later version."""
    raise WrongValue("samplers are not yet available", "Use grid, zip or rows for now.")

"""Checks the blocks under `parameters:` in spe.yaml: rows, grid, zip.

The checks are as in values.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..record import record
from ..text import nearest
from .document import Quoted, YamlList
from .look_alikes import LookAlike, look_alike, right_yaml
from .parameter_names import name_fault
from .sequences import stepped
from .values import WrongValue, did_you_mean, mapping, text, wrong

_STEPS = ("range", "linspace", "logspace")
_GLOB = "glob"


@record
class Glob:
    """The files that match a pattern of names, as values of a parameter: each task gets its own."""

    pattern: str


Axis = Sequence[str] | Glob  # the values of one name


def rows(value: Any) -> str | tuple[dict[str, str], ...]:
    """Return the path of a parameter file, or rows that stand in spe.yaml."""
    wanted = "a parameter file, or a list of mappings such as - {x: 1, y: 2}"
    if not value or not isinstance(value, (str, list, tuple)):
        raise wrong(value, wanted)
    if isinstance(value, str):
        return value
    return tuple(_row(row, position, value[0]) for position, row in enumerate(value))


def _row(row: Any, position: int, first: Any) -> dict[str, str]:
    """Return one row, which must have the names of the first one."""
    if not isinstance(row, Mapping) or not row:
        raise wrong(row, "a mapping such as {x: 1, y: 2}", position)
    for name in row:
        if fault := name_fault(name):
            raise WrongValue(fault, path=(position, name))
    _check_same_names(row, first, position)
    # In the order of the first row: a row is told by its names, not by their order.
    return {name: _cell(row[name], position, name) for name in first}


def _check_same_names(row: Mapping[str, Any], first: Mapping[str, Any], position: int) -> None:
    """Raise WrongValue for a row with other names than the first one.

    A missing name is no empty cell: it is a slip as a rule, and the set would run all the same.
    """
    todo = "Give every row the same names."
    missing = next((name for name in first if name not in row), None)
    if missing is not None:
        raise WrongValue(f"this row has no {missing}, the first one has", todo, (position,))
    more = next((name for name in row if name not in first), None)
    if more is not None:
        raise WrongValue(f"the first row has no {more}", todo, (position, more))


def _cell(value: Any, *at: str | int) -> str:
    """Return one cell as it is written."""
    try:
        return text(value)
    except WrongValue:
        raise wrong(value, "one value", *at) from None


def grid(value: Any) -> dict[str, Axis]:
    """Return the values of each name."""
    named = _named(value, "a mapping from names to values")
    return {name: _axis(name, entry) for name, entry in named.items()}


def _named(value: Any, wanted: str) -> Mapping[str, Any]:
    """Return a mapping whose keys are names that parameters may have."""
    for name in (table := mapping(value, wanted)):
        if fault := name_fault(name):
            raise WrongValue(fault, path=(name,))
    return table


def _axis(name: str, value: Any) -> Axis:
    """Return the values of one name: a list, files that match, or a range that makes its numbers
    when they are asked for.
    """
    wanted = "a list of values, or one of {range: […]}, {linspace: […]}, {logspace: […]}, {glob: …}"
    if not value:
        raise WrongValue(f"{name} has no values", path=(name,))
    if isinstance(value, (list, tuple)):
        if isinstance(value, YamlList):  # -p has checked its own values
            _refuse_look_alike(name, value)
        return tuple(_cell(entry, name, position) for position, entry in enumerate(value))
    if isinstance(value, str):
        found = LookAlike("list", _split(value)) if "," in value else look_alike(value)
        raise wrong(value, wanted, name, todo=right_yaml(found, value))
    # One key alone: two kinds of steps for one name would have no order.
    if not isinstance(value, Mapping) or len(value) != 1:
        raise wrong(value, wanted, name)
    step, arguments = next(iter(value.items()))
    if step == _GLOB:
        return Glob(_cell(arguments, name, step))
    if step not in _STEPS:
        near = nearest(str(step), (*_STEPS, _GLOB))
        raise wrong(step, wanted, name, step, todo=did_you_mean(near))
    return _steps(name, step, arguments)


def _refuse_look_alike(name: str, values: Sequence[Any]) -> None:
    """Raise WrongValue for a list of one value without quotes that looks like several."""
    first = values[0]
    if len(values) > 1 or not isinstance(first, str) or isinstance(first, Quoted):
        return
    if found := look_alike(first):
        what = f"{first!r} is one value, and looks like {found.noun}"
        raise WrongValue(what, right_yaml(found, first), (name, 0))


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _steps(name: str, step: str, arguments: Any) -> Sequence[str]:
    """Return the numbers of `{step: [arguments]}`."""
    if not isinstance(arguments, (list, tuple)):
        raise wrong(arguments, "a list such as [1, 10]", name, step)
    try:
        return stepped(step, [_cell(entry, name, step) for entry in arguments])
    except WrongValue:
        raise  # WrongValue is a ValueError, too, and this one names the entry
    except ValueError as error:
        raise WrongValue(f"{step}: {error}", path=(name, step)) from None

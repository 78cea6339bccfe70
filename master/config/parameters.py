"""The blocks under `parameters:` in spe.yaml: rows, grid, zip. Of the same make as keys.py."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from .parameter_names import name_fault
from .sequences import Steps, stepped
from .values import Wanted, mapping, text, wrong


def rows(value: Any) -> str | tuple[dict[str, str], ...]:
    wanted = "a parameter file, or a list of mappings such as - {x: 1, y: 2}"
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, (list, tuple)) or not value:
        raise wrong(value, wanted)
    return tuple(_row(row, position, value[0]) for position, row in enumerate(value))


def _row(row: Any, position: int, first: Any) -> dict[str, str]:
    if not isinstance(row, Mapping) or not row:
        raise wrong(row, "a mapping such as {x: 1, y: 2}", position)
    for name in row:
        if fault := name_fault(name):
            raise Wanted(fault, path=(position, name))
    if missing := [name for name in first if name not in row]:
        raise Wanted(f"this row has no {missing[0]}, the first one has", "Give every row the same names.", (position,))
    if more := [name for name in row if name not in first]:
        raise Wanted(f"the first row has no {more[0]}", "Give every row the same names.", (position, more[0]))
    return {name: _cell(row[name], position, name) for name in first}


def _cell(value: Any, *at: str | int) -> str:
    try:
        return text(value)
    except Wanted:
        raise wrong(value, "one value", *at) from None


def grid(value: Any) -> dict[str, Sequence[str]]:
    return {name: _axis(name, entry) for name, entry in _named(value, "a mapping from names to values").items()}


def zipped(value: Any) -> dict[str, Sequence[str]]:
    found = grid(value)
    lengths = {name: len(values) for name, values in found.items()}
    for name, length in lengths.items():
        first = next(iter(lengths))
        if length != lengths[first]:
            what = f"{first} has {lengths[first]} values, {name} has {length}"
            raise Wanted(what, "Give both as many: zip goes along them in step.", (name,))
    return found


def _named(value: Any, wanted: str) -> Mapping[str, Any]:
    for name in (table := mapping(value, wanted)):
        if fault := name_fault(name):
            raise Wanted(fault, path=(name,))
    return table


def _axis(name: str, value: Any) -> Sequence[str]:
    wanted = "a list of values, or one of {range: […]}, {linspace: […]}, {logspace: […]}"
    if isinstance(value, Steps):
        return value
    if isinstance(value, (list, tuple)) and value:
        return tuple(_cell(entry, name, position) for position, entry in enumerate(value))
    if not isinstance(value, Mapping) or len(value) != 1:
        raise wrong(value, wanted, name) if value else Wanted(f"{name} has no values", path=(name,))
    step, arguments = next(iter(value.items()))
    if step not in ("range", "linspace", "logspace"):
        near = difflib.get_close_matches(step, ("range", "linspace", "logspace"), 1)
        raise wrong(step, wanted, name, step, todo=f"Did you mean {near[0]}?" if near else "")
    if not isinstance(arguments, (list, tuple)):
        raise wrong(arguments, "a list such as [1, 10]", name, step)
    try:
        return stepped(step, [_cell(entry, name, step) for entry in arguments])
    except Wanted:
        raise
    except ValueError as error:
        raise Wanted(f"{step}: {error}", path=(name, step)) from None


def later(value: Any) -> None:
    raise Wanted("samplers are not yet available", "Use grid, zip or rows for now.")

"""Checks `sample:` in spe.yaml: random and low-discrepancy points in a space of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..record import Word, record
from . import values
from .keys import block, key
from .parameter_names import name_fault
from .values import WrongValue, mapping, wrong

DIMENSIONS = 21_201  # of a Sobol sequence, by the direction numbers of Joe and Kuo


class Method(Word):
    """The samplers of scipy.stats.qmc that points come from, and plain random numbers."""

    LHS = "lhs"
    SOBOL = "sobol"
    HALTON = "halton"
    RANDOM = "random"


@record
class Interval:
    """The numbers between two ends; `is_log`: their logarithms are spread evenly."""

    low: float
    high: float
    is_log: bool = False


def method(value: Any) -> Method:
    """Return the sampler."""
    word = values.text(value, ", ".join(Method))
    if word not in list(Method):
        raise wrong(value, f"one of {', '.join(Method)}")
    return Method(word)


def space(value: Any) -> dict[str, Interval]:
    """Return the interval of each name."""
    found = {}
    for name, entry in mapping(
        value, "a mapping such as {x: [0, 1], k: {log: [0.001, 1]}}"
    ).items():
        if fault := name_fault(name):
            raise WrongValue(fault, path=(name,))
        found[name] = _interval(name, entry)
    if not found:
        todo = (
            "Give each sampled parameter an interval: x: [0, 1], or -p 'x=[0,1]' on a command line."
        )
        raise WrongValue("the space of the sampler has no parameter", todo)
    if len(found) > DIMENSIONS:
        raise WrongValue(f"{len(found)} parameters are more than {DIMENSIONS}")
    return found


def _interval(name: str, value: Any) -> Interval:
    wanted = "an interval such as [0, 1] or {log: [0.001, 1]}"
    is_log = isinstance(value, Mapping)
    if isinstance(value, Mapping):
        if list(value) != ["log"]:
            raise wrong(value, wanted, name)
        value = value["log"]
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise wrong(value, wanted, name)
    try:
        low, high = map(values.real, value)
    except WrongValue as fault:
        raise fault.below(name) from None
    if not low < high:
        raise WrongValue(f"the interval of {name} ends at {high:g}, before it begins", path=(name,))
    if is_log and low <= 0:
        todo = "Begin above 0, or leave out `log`."
        raise WrongValue(f"the logarithm of {low:g} is no number", todo, (name,))
    if not math.isfinite(high - low):
        raise WrongValue(f"the interval of {name} is too large", path=(name,))
    return Interval(low, high, is_log)


@record
class SampleSpec:
    """Points of a sampler in a space of parameters."""

    method: Method = key(method)
    n: int = key(values.count)
    space: dict[str, Interval] = key(space)
    seed: int = key(values.any_count, 0)  # the same seed gives the same points


sample = block(SampleSpec)

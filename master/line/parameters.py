"""The options for parameters, as the key `parameters` of spe.yaml: -p, --link, --params, --where,
--repeat, --sample.

A value of -p without quotes that is the only one of its parameter and looks like several is refused:
see config/look_alikes.py.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.look_alikes import is_several, look_alike, right_option
from ..config.parameter_names import name_fault
from ..config.sequences import is_number, stepped
from ..errors import UsageError
from ..record import record
from .listed import STANDARD_INPUT, read_values

Data = list[str] | dict[str, Any]  # what stands below a name of a grid in spe.yaml
Keys = dict[str, Any]
Options = dict[tuple[str | int, ...], str]

_FORM = "Write it like -p x=1:10 or -p y=a,b ."
_INTERVAL = re.compile(r"(log)?\[([^\[\],]+),([^\[\],]+)\]")
_SAMPLE = re.compile(r"(\w+):([0-9]+)(?::seed=([0-9]+))?")


@record
class ParameterOptions:
    """The options for parameters as they were typed; `folder` is the one that paths begin in."""

    values: tuple[str, ...] = ()  # of -p
    link: bool = False
    file: str | None = None  # of --params
    where: str | None = None
    repeat: str | None = None
    sample: str | None = None
    nul: bool = False  # -0
    folder: Path = Path()

    @property
    def used(self) -> list[str]:
        """Return the names of the options that were given."""
        given = {
            "-p": self.values,
            "--link": self.link,
            "--params": self.file,
            "--where": self.where,
            "--repeat": self.repeat,
            "--sample": self.sample,
            "-0": self.nul,
        }
        return [name for name, value in given.items() if value]


@record
class _Interval:
    """The interval of a sampled parameter: what stands below its name in the space of a sampler."""

    data: Data


def parameter_keys(given: ParameterOptions) -> tuple[Keys, Options]:
    """Return the key `parameters`, none without such an option, and the option of each part.

    Raises UsageError.
    """
    _check_together(given)
    found: Keys = {}
    options: Options = {}
    for option in given.values:
        name, value = _parameter(option, given)
        _check_name(name, option, found)
        block = "zip" if given.link else "grid"
        if isinstance(value, _Interval):
            block = "space"
        found.setdefault(block, {})[name] = value.data if isinstance(value, _Interval) else value
        options[_place(block, name)] = f"-p {option}"
    keys: Keys = {key: found[key] for key in ("grid", "zip") if key in found}
    for key, option, text in (
        ("rows", "--params", given.file),
        ("where", "--where", given.where),
        ("repeat", "--repeat", given.repeat),
    ):
        if text is not None:
            keys[key] = text
            options["parameters", key] = f"{option} {text}"
            options.setdefault(("parameters",), f"{option} {text}")  # its first one is the file
    if given.sample is not None:
        keys["sample"] = {**_sample(given.sample), "space": found.get("space", {})}
        options["parameters", "sample"] = f"--sample {given.sample}"
    return ({"parameters": keys} if keys else {}), options


def _place(block: str, name: str) -> tuple[str, ...]:
    if block == "space":
        return ("parameters", "sample", "space", name)
    return ("parameters", block, name)


def _check_together(given: ParameterOptions) -> None:
    """Raise UsageError for options that say nothing without others."""
    read = [option for option in given.values if _is_read(option)]
    if given.nul and not read:
        what = "-0 is for values that are read, and none are"
        raise UsageError(what, where="-0", todo="Read them by -p NAME=@- or -p NAME=@FILE.")
    if given.link and len(given.values) < 2:
        what = "--link goes along several -p in step, and there are fewer than two"
        raise UsageError(what, where="--link", todo="Leave it out, or give another -p.")
    inputs = [option for option in read if option.partition("=")[2] == f"@{STANDARD_INPUT}"]
    if len(inputs) > 1:
        todo = "Read one of them from a file: -p NAME=@FILE."
        raise UsageError("standard input is read twice", where=f"-p {inputs[1]}", todo=todo)
    if given.file == STANDARD_INPUT:
        todo = "Save it as a file, and name that; -p NAME=@- reads values of one parameter."
        raise UsageError("a parameter file is read more than once", where="--params -", todo=todo)


def _is_read(option: str) -> bool:
    return option.partition("=")[2].startswith("@")


def _check_name(name: str, option: str, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise UsageError for a name that none may have, or that is there already."""
    fault = name_fault(name)
    if any(name in block for block in found.values()):
        fault = f"the name {name} is there twice"
    if fault:
        todo = "Give each parameter once, under a name of its own."
        raise UsageError(fault, where=f"-p {option}", todo=todo)


def _parameter(option: str, given: ParameterOptions) -> tuple[str, Data | _Interval]:
    """Return name and values of one -p. Raises UsageError."""
    name, equals, text = option.partition("=")
    where = f"-p {option}"
    if not equals or not name.isidentifier():
        what = f"{option!r} is not NAME=VALUES, as in x=1:10 or y=a,b"
        raise UsageError(what, where=where, todo=_FORM)
    if given.sample is not None and (found := _INTERVAL.fullmatch(text)):
        ends = [found[2].strip(), found[3].strip()]
        return name, _Interval({"log": ends} if found[1] else ends)
    if text.startswith("@") and len(text) > 1:
        return name, read_values(text[1:], given.folder, given.nul, where)
    if text.startswith("glob:"):
        return name, {"glob": text.removeprefix("glob:")}
    try:
        return name, _written(name, text, where)
    except (ValueError, csv.Error) as error:
        raise UsageError(str(error), where=where, todo=_FORM) from error


def _written(name: str, text: str, where: str) -> Data:
    """Return values that stand in the option itself. Raises UsageError, ValueError, csv.Error.

    The forms are `1:10`, `1:10:2` (first:last:step, last included), `a,b` and `"a,b"`.
    """
    # Only where all parts are numbers: `t=a:b` is one text with a colon in it.
    parts = text.split(":")
    if len(parts) in (2, 3) and all(map(is_number, parts)):
        stepped("range", parts)  # raises here, where the option is known as it was typed
        return {"range": parts}
    values = next(csv.reader([text], strict=True)) if text else [""]
    _refuse_look_alike(name, text, values, where)
    return values


def _refuse_look_alike(name: str, text: str, values: list[str], where: str) -> None:
    """Raise UsageError for a single value without quotes that looks like several."""
    if text.startswith('"') or (len(values) != 1 and not is_several(text)):
        return
    if found := look_alike(text):
        what = f"{text!r} is one value, and looks like {found.noun}"
        raise UsageError(what, where=where, todo=right_option(name, found, text))


def _sample(text: str) -> Keys:
    """Return the sampler of `METHOD:N[:seed=S]`. Raises UsageError."""
    found = _SAMPLE.fullmatch(text)
    if not found:
        todo = "Write it like --sample sobol:64 or --sample lhs:100:seed=7 ."
        what = f"{text!r} is not METHOD:N or METHOD:N:seed=SEED"
        raise UsageError(what, where=f"--sample {text}", todo=todo)
    keys: Keys = {"method": found[1], "n": found[2]}
    if found[3]:
        keys["seed"] = found[3]
    return keys

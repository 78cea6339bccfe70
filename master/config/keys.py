"""Blocks of spe.yaml as records: a field knows its key, and how the text there becomes a value.

    @record
    class RetrySpec:
        timeout: int | None = key(values.count, None)

`read_block` makes such a record of a mapping and collects all faults in one Faults, so that a file
is mended in one go.

Why not pydantic, which did this before: all checks were functions of ours already, and to load and
build its models took a tenth of a run's start (docs/measurements.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import Field, field, fields
from typing import Any, TypeVar

from ..text import nearest
from .values import WrongValue, mapping, wrong

T = TypeVar("T")
Check = Callable[[Any], T]
_AT_ONCE = "Sets that run at the same time, over all hosts, are `at_once: 3`."
_LICENCES = "Licences that each running set takes are `licences: {abaqus: 1 of 3}`."
_ONE_BY_ONE = "A sweep waits for no other one. In a shell, `spe run && NEXT` runs NEXT when all sets are done."
_COMMAND = "The program and its arguments are one text: `command: ./simulate --seed {{ seed }}`."
_TIMEOUT = "The time that one attempt may take is `timeout: 2h`."
_ATTEMPTS = "All attempts of a set are `attempts:`, so two retries are `attempts: 3`."
_CORES = "The cores that one task takes are `cores: 2`."
_NOTIFY = "Who is told of the end of a run is `notify: mailto:ADDRESS`."
# Words of other tools for keys of ours, at the top of spe.yaml. In another block such a word means
# something else, as a `time` in a result does.
MEANT = {
    "environment": "Variables of the program are `env:`; a Python environment is `venv:`.",
    "conda": "Pack it with conda-pack, and write `venv: NAME.tar.gz`; or activate it in `setup:`.",
    "image": "An image for apptainer is `container:`.",
    "requirements": "A requirements file is named by `venv:`.",
    **dict.fromkeys(
        (
            *("max_parallel", "parallel", "max_jobs", "jobs", "concurrency", "max_concurrent"),
            *("max_running", "max_materialize", "throttle", "n_jobs", "num_workers", "workers"),
        ),
        _AT_ONCE,
    ),
    **dict.fromkeys(("licenses", "license", "licence", "concurrency_limits", "tokens"), _LICENCES),
    **dict.fromkeys(("depends", "depends_on", "dependency", "dependencies", "after"), _ONE_BY_ONE),
    **dict.fromkeys(("executable", "program", "arguments", "args", "script"), _COMMAND),
    **dict.fromkeys(("walltime", "time", "time_limit", "max_time"), _TIMEOUT),
    **dict.fromkeys(("max_retries", "retries"), _ATTEMPTS),
    **dict.fromkeys(("cpus", "cpus_per_task", "request_cpus", "threads", "ncpus"), _CORES),
    **dict.fromkeys(("mail", "email", "mail_user", "mail_type", "notification", "notify_user"), _NOTIFY),
    "array": "Values for the sets are `parameters: {grid: {seed: {range: [1, 100]}}}`.",
    "queue": "Values for the sets are `parameters: {grid: {seed: {range: [1, 100]}}}`.",
    "files": "Files that each task gets are `inputs:`, files that it writes are `results:`.",
    "outputs": "Files that the program writes are named by `results:`.",
    "output": "Files that the program writes are named by `results:`.",
}
# The same below `retry:`.
MEANT_BY_RETRY = dict.fromkeys(
    ("delay", "backoff", "back_off", "pause", "wait"),
    "The pause before the next attempt of a set is `after: 1min`.",
)
REQUIRED: Any = object()  # as a default: the key must be given


class Faults(ValueError):
    """All that is wrong in one block, in the order of its keys."""

    def __init__(self, found: Sequence[WrongValue]) -> None:
        super().__init__("; ".join(one.what for one in found))
        self.found = tuple(found)


class Missing(WrongValue):
    """The fault of a key that must be given and is not."""


def key(check: Check[T], default: Any = REQUIRED, *, name: str = "") -> T:
    """Return the field of a record that `check` makes of what stands under its key.

    `name` is the key where Python does not allow it as a field's name. Without a default the key
    must be given.
    """
    how = {"check": check, "key": name}
    if isinstance(default, dict):
        # A record must not share its mapping with all others, which dataclasses refuse anyway.
        made: Any = field(default_factory=default.copy, metadata=how)
    else:
        made = field(default=default, metadata=how)
    return made  # type: ignore[no-any-return]


def keys_of(block: type) -> dict[str, Field[Any]]:
    """Return the keys that may stand in a block, each with the field of its record."""
    return {one.metadata["key"] or one.name: one for one in fields(block)}


def block(
    record: type[T], short: Check[Any] | None = None, whole: Callable[[T], None] | None = None
) -> Check[T]:
    """Return the check of a block.

    `short` turns short forms into mappings, `whole` checks the keys together.
    """

    def check(value: Any) -> T:
        if short is not None:
            value = short(value)
        made = read_block(record, value)
        if whole is not None:
            whole(made)
        return made

    return check


def entries(check_name: Check[str], check: Check[T]) -> Check[dict[str, T]]:
    """Return the check of a mapping from names to entries of one kind."""

    def checked(value: Any) -> dict[str, T]:
        given = mapping(value, "a mapping from names to what they are")
        # Names first: the entries below a wrong name would only add noise.
        for name in given:
            _check_name(name, check_name)
        found: list[WrongValue] = []
        made = {name: _collected(check, entry, name, found) for name, entry in given.items()}
        if found:
            raise Faults(found)
        return made

    return checked


def read_block(record: type[T], value: Any) -> T:
    """Return the record of a mapping.

    Raises Faults for unknown keys, missing keys and values of the wrong kind.
    """
    given = mapping(value, "a mapping")
    known = keys_of(record)
    found: list[WrongValue] = []
    made = {}
    # By the keys of the record, not by those of the file: missing keys are found as well.
    for name, one in known.items():
        if name in given:
            made[one.name] = _collected(one.metadata["check"], given[name], name, found)
        elif one.default is REQUIRED:
            found.append(Missing(f"there is no {name}", path=(name,)))
    found += [unknown(name, list(known)) for name in given if name not in known]
    if found:
        raise Faults(found)
    return record(**made)


def _collected(check: Check[Any], value: Any, name: str, found: list[WrongValue]) -> Any:
    """Return the checked value; add its faults to `found`, each with the path from this block."""
    try:
        return check(value)
    except Faults as faults:
        found += [one.below(name) for one in faults.found]
    except WrongValue as fault:
        found.append(fault.below(name))
    return None


def _check_name(name: str, check: Check[str]) -> None:
    """Raise WrongValue, with the name as its place, for a name that may not be one."""
    try:
        if check(name) != name:
            raise wrong(name, f"{check(name)!r}")
    except WrongValue as fault:
        raise WrongValue(fault.what, fault.todo, (name,)) from None


def unknown(name: Any, known: Sequence[str]) -> WrongValue:
    """Return the fault of a key that nobody knows, with the known key that it may have meant."""
    # All keys are listed where none is near: the list is short, and the page may not be at hand.
    # A block is known by a key that it alone has.
    meant = MEANT if "command" in known else MEANT_BY_RETRY if "exit" in known else {}
    if name in meant:
        return WrongValue(f"unknown key {name!r}", meant[name], (name,))
    near = nearest(str(name), known)
    todo = f"Did you mean {near}?" if near else f"There are {', '.join(known)}."
    return WrongValue(f"unknown key {name!r}", todo, (name,))

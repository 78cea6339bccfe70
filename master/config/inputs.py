"""Checks `inputs` in spe.yaml: a mapping from names to what they are, or a list of paths.

Whether a path of the list is a file, a folder or a pattern of names is found by looking there, in
sweep/inputs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..record import record
from . import names, values
from .keys import Faults, block, key
from .values import WrongValue, wrong

KINDS = ("text", "file", "folder", "template")
_COPIED = ("file", "folder")
_MARKED = ("text", "template")


def marks(value: Any) -> tuple[str, str]:
    """Return the two marks around an expression, such as `<< >>`."""
    wanted = "two marks with a blank between them, such as '<< >>'"
    found = values.text(value, wanted).split()
    # A letter or a digit as a mark would stand in every word of the text.
    if len(found) != 2 or found[0] == found[1] or any(re.search(r"\w", one) for one in found):
        raise wrong(value, wanted)
    return found[0], found[1]


@record
class InputSpec:
    """An input: its text, a template with the text, or the file or folder that has its bytes."""

    text: str | None = key(values.text, None)
    file: str | None = key(names.path, None)
    folder: str | None = key(names.path, None)
    template: str | None = key(names.path, None)
    marks: tuple[str, str] | None = key(marks, None)
    copy: bool = key(values.flag, False)

    def check(self) -> None:
        """Raise WrongValue unless exactly one kind is given, with keys that it has a use for."""
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise WrongValue(
                f"found {' and '.join(given) or 'none of them'}, wanted one of {_listed(KINDS)}"
            )
        if self.marks and given[0] not in _MARKED:
            raise WrongValue("marks are for a text or a template", "Leave them out.", ("marks",))
        if self.copy and given[0] not in _COPIED:
            todo = "Leave it out: a text is each task's own file."
            raise WrongValue("copy is for a file or a folder", todo, ("copy",))


@record
class GivenInput:
    """An input as it stands in spe.yaml: `place` is its key, its number in the list.

    `path`: of a list, a file, a folder or a pattern of names. `name`: "" where it comes from the path.
    """

    place: str | int
    name: str = ""
    spec: InputSpec = InputSpec()
    path: str = ""


def _short(value: Any) -> Any:
    return values.mapping_or("text", value, "a text, or {file: PATH}")


_named = block(InputSpec, _short, InputSpec.check)
_unnamed = block(InputSpec, None, InputSpec.check)


def inputs(value: Any) -> tuple[GivenInput, ...]:
    """Return the inputs of a mapping or a list. Raises Faults."""
    if isinstance(value, (list, tuple)):
        return _each(_item, list(enumerate(value)))
    wanted = "a mapping from names to what they are, or a list of paths"
    return _each(_entry, list(values.mapping(value, wanted).items()))


def _entry(name: str, value: Any) -> GivenInput:
    # A name with a parameter is checked for each set.
    if "{{" not in name and names.file_path(name) != name:
        raise wrong(name, f"{names.file_path(name)!r}")
    return GivenInput(name, name, _named(value))


def _item(at: int, value: Any) -> GivenInput:
    if isinstance(value, Mapping):
        spec = _unnamed(value)
        if spec.text is not None:
            todo = "Write the inputs as a mapping: `NAME: TEXT`."
            raise WrongValue("a text in a list has no name", todo, ("text",))
        return GivenInput(at, spec=spec)
    return GivenInput(at, path=names.path(value))


def _each(
    check: Callable[[Any, Any], GivenInput], entries: list[tuple[Any, Any]]
) -> tuple[GivenInput, ...]:
    """Return the inputs at these places. Raises Faults with all that is wrong, each with its place."""
    made: list[GivenInput] = []
    found: list[WrongValue] = []
    for place, value in entries:
        try:
            made.append(check(place, value))
        except Faults as faults:
            found += [one.below(place) for one in faults.found]
        except WrongValue as fault:
            found.append(fault.below(place))
    if found:
        raise Faults(found)
    return tuple(made)


def _listed(kinds: tuple[str, ...]) -> str:
    return f"{', '.join(kinds[:-1])} and {kinds[-1]}"

"""Files that match a glob as values of a parameter, and the inputs that bring each task its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import ConfigError
from ..pattern import Pattern
from ..segments import Segment
from .listing import fixed_names
from .pattern import InputPattern, Source
from .tree import matches
from .trees import Trees


def matching_files(folder: Path, pattern: str) -> tuple[str, ...]:
    """Return the paths of all files that match, from the sweep's folder, sorted.

    Raises ConfigError without a match, and for files outside the folder.
    """
    if os.path.normpath(pattern).startswith(("/", "..")):
        what = (
            f"the files of {pattern} are outside this folder, and a task finds its own by its path"
        )
        raise ConfigError(what, todo="Go to a folder above them, or link them into this one.")
    found = sorted({os.path.normpath(one) for one in matches(folder, pattern, "a parameter")})
    files = tuple(one for one in found if os.path.isfile(folder / one))
    if not files:
        what = f"{pattern} matches folders only" if found else f"{pattern} matches no file"
        raise ConfigError(what, todo=f"Mend it: it is relative to {folder}.")
    return files


def matched_inputs(
    globs: Mapping[str, Sequence[str]], inputs: Sequence[InputPattern], trees: Trees
) -> tuple[InputPattern, ...]:
    """Return an input for each of these parameters: the file that is its value, under its path.

    None where tasks have all of the files already, or the sweep has an input of that name.
    """
    there = {name for one in inputs for name in (one.name, *fixed_names(one, trees))}
    made = []
    for name, files in globs.items():
        code = f"{{{{ {name} }}}}"
        if code in there or there.issuperset(files):
            continue
        place = ("parameters", "grid", name)
        pattern = Pattern([Segment(True, code)])
        made.append(InputPattern(code, pattern, Source.FILE, place, naming=pattern))
    return tuple(made)

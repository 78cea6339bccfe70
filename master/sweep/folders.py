"""Which folder below runs/ a command means: one rule for those that run and those that only read.

A sweep's database says how the sweep was made, in its table `meta`: `made`, one of the words below; `line`, words and
-p options of a one-liner, as JSON; `used`, the start of its last run. A name that the user gives (`name:`, -n) is
taken as it stands. Without one, a project folder that was renamed or copied finds its sweep under the old name,
one-liners are told apart by their words, and where there is no spe.yaml the sweep used last is meant.

The settings are read without the reader: a neighbour's database that is damaged or of a newer spe must not keep this
sweep from running.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..record import record
from ..store.database import read_settings
from ..text import clean_name

FILE = "file"  # made by a spe.yaml without a name
NAME = "name"  # by one with `name:`, or with -n
LINE = "line"  # by a one-liner: `spe run -p … -- COMMAND`
SHOWN = 100  # characters of a command line in a message
Line = tuple[list[str], list[str]]


@record
class ChosenFolder:
    """The folder of a sweep below runs/. `note` tells people what was chosen, "" where it is what they expect."""

    name: str
    note: str = ""
    line: Line | None = None  # of the one-liner whose folder it is, where there is no file
    others: tuple[str, ...] = ()  # the other sweeps that could have been meant there


@record
class KeptSweep:
    """What the database of a sweep says about its making."""

    name: str
    made: str
    line: Line | None
    used: float  # seconds since 1970


def choose_for_file(project: Path, name: str | None) -> ChosenFolder:
    """The folder of a spe.yaml in `project`, whose name or -n is `name`.

    Without a name it is that of the project folder. Where no sweep has this name, the only one that a file without a
    name made is meant: the project folder was renamed or copied. Raises UsageError when there are several.
    """
    if name:
        return ChosenFolder(name)
    today, runs = clean_name(project.name), project / "runs"
    here = read_kept(runs / today)
    if here and here.made != LINE:
        return ChosenFolder(today)
    others = [kept.name for kept in kept_sweeps(runs) if kept.made == FILE]
    if len(others) > 1:
        raise UsageError(
            f"no sweep in runs/ has the name of this folder, and any of these may be meant: {', '.join(others)}",
            where=str(project),
            todo=f"Write the one that you mean into spe.yaml, such as `name: {others[0]}`, or a new name.",
        )
    if others:
        return ChosenFolder(others[0], f"this folder was called {others[0]}: its sweep is in runs/{others[0]}/")
    return ChosenFolder(today)


def choose_for_line(project: Path, words: Sequence[str], name: str | None) -> ChosenFolder:
    """The folder of a one-liner: the one that has these words already, whatever its -p options, else a free one.

    The names are PROGRAM, PROGRAM-2, …. Folders of them that a file made are left alone.
    """
    if name:
        return ChosenFolder(name)
    program = clean_name(Path(words[0]).name)
    numbered = re.compile(re.escape(program) + r"(-([2-9]|[1-9][0-9]+))?")
    there = {kept.name: kept for kept in kept_sweeps(project / "runs") if numbered.fullmatch(kept.name)}
    own = [kept for kept in there.values() if kept.made == LINE and kept.line and kept.line[0] == list(words)]
    if own:
        found = max(own, key=lambda kept: kept.used).name
    else:
        found, number = program, 1
        while found in there:
            number += 1
            found = f"{program}-{number}"
    note = "" if found == program else f"this command's sweep is in runs/{found}/: runs/{program}/ is another one's"
    return ChosenFolder(found, note)


def choose_without_file(project: Path, name: str | None = None) -> ChosenFolder | None:
    """The sweep used last in a folder without spe.yaml, or the one of this name; None where nothing has run.

    Its note says which it is, and which others there are.
    """
    runs = project / "runs"
    if name:
        kept = read_kept(runs / name)
        return ChosenFolder(name, line=kept.line if kept else None)
    there = sorted(kept_sweeps(runs), key=lambda kept: kept.used)
    if not there:
        return None
    last, others = there[-1], tuple(sorted(kept.name for kept in there[:-1]))
    note = f"runs/{last.name}/ is meant, used last here"
    note += f": {_one_line(last.line[0])}" if last.line else ""
    note += f" (-n NAME for another one: {', '.join(others)})" if others else ""
    return ChosenFolder(last.name, note, last.line, others)


def _one_line(words: Sequence[str]) -> str:
    text = "".join(char if char.isprintable() else "·" for char in shlex.join(words))
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def kept_sweeps(runs: Path) -> list[KeptSweep]:
    """All sweeps below runs/, by name."""
    found = (read_kept(path.parent) for path in sorted(runs.glob("*/sweep.db")))
    return [kept for kept in found if kept]


def read_kept(folder: Path) -> KeptSweep | None:
    """How the sweep in runs/<name>/ was made; None where there is none, or its first run had not yet begun.

    A database that cannot be read counts as made by a file: who then uses it is told what is wrong with it, while to
    pass over it would run everything again.
    """
    path = folder / "sweep.db"
    try:
        changed = path.stat().st_mtime
    except OSError:
        return None
    meta = read_settings(path)
    if meta is None:
        return KeptSweep(folder.name, FILE, None, changed)
    line: Line | None = json.loads(meta.get("line", "null"))
    used = float(meta.get("used", changed))  # spe 0.1.0 did not write it
    # spe 0.1.0 did not write `made` either. `plan` is there as soon as there are sets.
    made = meta.get("made") or (LINE if line else FILE if "plan" in meta else "")
    return KeptSweep(folder.name, made, line, used) if made else None

"""Chooses the folder below runs/ that a command means, by one rule for commands that run and
commands that read.

The table `meta` of sweep.db says how a sweep was made: `made` is one of the words below, `line` the
command of a one-liner and the keys of its options as JSON, `used` the start of its last run.

A name that the user gives (`name:`, -n) is taken as it stands. Without one, a project folder that
was renamed or copied finds its sweep under the old name, one-liners are told apart by their words,
and where there is no spe.yaml the sweep used last is meant.

The settings are read without the reader of the store: a neighbour's database that is damaged or of
a newer spe must not keep this sweep from running.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..line.one_liner import OneLiner, from_json
from ..record import record
from ..store.database import read_settings
from ..text import clean_name, printable

FILE = "file"  # made by a spe.yaml without a name
NAME = "name"  # made by one with `name:`, or with -n
LINE = "line"  # made by a one-liner: `spe run -p … -- COMMAND`
SHOWN = 100  # characters of a command line in a message


@record
class ChosenFolder:
    """The folder of a sweep below runs/.

    `note` tells people what was chosen, where that may surprise them.
    """

    name: str
    note: str = ""
    line: OneLiner | None = None  # the one-liner that made the folder; None where a file did
    others: tuple[str, ...] = ()  # the other sweeps that could have been meant there


@record
class KeptSweep:
    """A sweep below runs/: how it was made, as its database says."""

    name: str
    made: str
    line: OneLiner | None
    used: float  # seconds since 1970


def choose_for_file(project: Path, name: str | None) -> ChosenFolder:
    """Return the folder of the spe.yaml in `project`, whose name or -n is `name`.

    Without a name it is that of the project folder. Where no sweep has that name, the only sweep
    that a file without a name made is meant: the project folder was renamed or copied. Raises
    UsageError when there are several.
    """
    if name:
        return ChosenFolder(name)
    today = clean_name(project.name)
    runs = project / "runs"
    # A folder of that name that a one-liner made is another sweep.
    here = read_kept(runs / today)
    if here and here.made != LINE:
        return ChosenFolder(today)
    # Neither one-liners nor sweeps with a name follow the name of the project folder.
    others = [kept.name for kept in kept_sweeps(runs) if kept.made == FILE]
    if not others:
        return ChosenFolder(today)
    # The one used last would be a guess, and a wrong one runs all sets again.
    if len(others) > 1:
        raise _any_of(others, project)
    note = f"this folder was called {others[0]}: its sweep is in runs/{others[0]}/"
    return ChosenFolder(others[0], note)


def _any_of(names: Sequence[str], project: Path) -> UsageError:
    """Return the error for a renamed project folder with several sweeps."""
    what = "no sweep in runs/ has the name of this folder, and any of these may be meant"
    return UsageError(
        f"{what}: {', '.join(names)}",
        where=str(project),
        todo=f"Write the one that you mean into spe.yaml, such as `name: {names[0]}`, or a new name.",
    )


def choose_for_line(
    project: Path, words: Sequence[str], name: str | None, in_shell: bool = False
) -> ChosenFolder:
    """Return the folder of a one-liner: the one with the same words, whatever its -p options, else
    a new one.

    `in_shell`: a shell reads the words, so the first one may be a whole command. New folders are
    called PROGRAM, PROGRAM-2, … Such folders that a file made are left alone.
    """
    if name:
        return ChosenFolder(name)
    first = words[0].split()[0] if in_shell and words[0].strip() else words[0]
    program = clean_name(Path(first).name)
    there = _of_program(program, project / "runs")
    own = [kept for kept in there if _has_words(kept, words)]
    # Several have the same words where a folder was copied: the one used last is meant.
    found = _first_free(program, {kept.name for kept in there})
    if own:
        found = max(own, key=lambda kept: kept.used).name
    note = ""
    if found != program:
        note = f"this command's sweep is in runs/{found}/: runs/{program}/ is another one's"
    return ChosenFolder(found, note)


def _of_program(program: str, runs: Path) -> list[KeptSweep]:
    """Return the sweeps in folders that one-liners of this program may have."""
    # PROGRAM-1 is never made: the first one has no number.
    numbered = re.compile(re.escape(program) + r"(-([2-9]|[1-9][0-9]+))?")
    return [kept for kept in kept_sweeps(runs) if numbered.fullmatch(kept.name)]


def _has_words(kept: KeptSweep, words: Sequence[str]) -> bool:
    """Tell whether a one-liner of these words made this sweep, whatever its -p options were."""
    return kept.made == LINE and kept.line is not None and kept.line.words == tuple(words)


def _first_free(program: str, taken: set[str]) -> str:
    """Return the first of PROGRAM, PROGRAM-2, … that no sweep has."""
    found = program
    number = 1
    while found in taken:
        number += 1
        found = f"{program}-{number}"
    return found


def choose_without_file(project: Path, name: str | None = None) -> ChosenFolder | None:
    """Return the sweep of this name, else the one used last in a folder without spe.yaml.

    None where nothing has run. The note says which sweep it is, and which others there are.
    """
    runs = project / "runs"
    if name:
        return _by_name(runs, name)
    there = sorted(kept_sweeps(runs), key=lambda kept: kept.used)
    if not there:
        return None
    last = there[-1]
    others = tuple(sorted(kept.name for kept in there[:-1]))
    return ChosenFolder(last.name, _note(last, others), last.line, others)


def _by_name(runs: Path, name: str) -> ChosenFolder:
    """Return the folder of -n, with the words of its sweep where a one-liner made it."""
    kept = read_kept(runs / name)
    return ChosenFolder(name, line=kept.line if kept else None)


def _note(last: KeptSweep, others: Sequence[str]) -> str:
    """Return which sweep is meant, and how to mean another one."""
    note = f"runs/{last.name}/ is meant, used last here"
    if last.line:
        note += f": {_one_line(last.line.words)}"
    if others:
        note += f" (-n NAME for another one: {', '.join(others)})"
    return note


def _one_line(words: Sequence[str]) -> str:
    # Words of a command may be whole scripts, with newlines and escape sequences.
    text = printable(shlex.join(words))
    if len(text) > SHOWN:
        return text[: SHOWN - 1] + "…"
    return text


def kept_sweeps(runs: Path) -> list[KeptSweep]:
    """Return all sweeps below runs/, by name."""
    found = (read_kept(path.parent) for path in sorted(runs.glob("*/sweep.db")))
    return [kept for kept in found if kept]


def read_kept(folder: Path) -> KeptSweep | None:
    """Return how the sweep in runs/<name>/ was made; None where there is none.

    None also before its first run. A database that cannot be read counts as made by a file. The
    command that then uses it says what is wrong; if it were passed over, everything would run
    again.
    """
    path = folder / "sweep.db"
    try:
        changed = path.stat().st_mtime
    except OSError:
        return None
    meta = read_settings(path)
    if meta is None:
        return KeptSweep(folder.name, FILE, None, changed)
    line = from_json(meta.get("line"))
    used = float(meta.get("used", changed))  # spe 0.1.0 did not write it
    made = meta.get("made") or _made_by_older_spe(meta, line)
    if not made:
        return None
    return KeptSweep(folder.name, made, line, used)


def _made_by_older_spe(meta: dict[str, str], line: OneLiner | None) -> str:
    """Return how a sweep of spe 0.1.0 was made, which did not write `made`.

    "" before its first run.
    """
    if line:
        return LINE
    return FILE if "plan" in meta else ""  # `plan` is there as soon as there are sets

"""The runs that there are below runs/, for whoever names one that is not there."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from ..text import named, nearest

DATABASE = "sweep.db"


def known_runs(runs: Path) -> list[str]:
    """Return the names of all sweeps below runs/ that have run."""
    return sorted(path.parent.name for path in runs.glob(f"*/{DATABASE}"))


def runs_there(runs: Path, name: str = "") -> str:
    """Return the sentence that names the runs below runs/, the near one first; "" without any."""
    known = known_runs(runs)
    if not known:
        return ""
    near = nearest(name, known)
    there = f"There are: {named(known)}."
    return f"Did you mean {near}? {there}" if near else there


def unknown_run(run: str, runs: Path) -> UsageError:
    """Return the error for a run that is not there: a name below `runs`, or a path."""
    path = Path(run)
    if path.name == DATABASE and path.is_file():
        todo = f"Name its folder: {path.parent}."
        return UsageError("this is a file of a run", where=run, todo=todo)
    # The folder of a project stands beside its runs.
    if not known_runs(runs) and known_runs(path / "runs"):
        runs = path / "runs"
    todo = runs_there(runs, path.name) or "Nothing has run here yet: `spe run`."
    return UsageError(f"there is no run {run}", where=f"{runs}/", todo=todo)

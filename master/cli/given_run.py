"""The run that `spe report` and `spe export` are given: a name, a folder, or the one of spe.yaml."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from ..text import named
from .common import folder_of


def given_run(run: str | None, file: Path) -> tuple[Path, Path]:
    """Return runs/<name>/ and the spe.yaml that belongs to it.

    `run`: a name below runs/, or the path of such a folder; None: the one of spe.yaml. Raises
    UsageError for an unknown one.
    """
    if run is None:
        return folder_of(file, None), file
    path = Path(run)
    if (path / "sweep.db").is_file():
        return path, path.absolute().parent.parent / "spe.yaml"
    folder = file.parent / "runs" / run
    if not (folder / "sweep.db").is_file():
        raise _unknown(run, file.parent / "runs")
    return folder, file


def _unknown(run: str, runs: Path) -> UsageError:
    there = sorted(one.parent.name for one in runs.glob("*/sweep.db"))
    todo = f"There are: {named(there)}." if there else "Nothing has run here yet: `spe run`."
    return UsageError(f"there is no run {run}", where=str(runs), todo=todo)

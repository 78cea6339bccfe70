"""The run that `spe report` and `spe export` are given: a name, a folder, or the one of spe.yaml."""

from __future__ import annotations

from pathlib import Path

from ..session.known_runs import unknown_run
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
        raise unknown_run(run, file.parent / "runs")
    return folder, file

"""`spe results --files`: result files of many sets, copied into one folder under their own names."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from ..disk_errors import reason
from ..errors import UsageError
from ..model import Kind
from ..record import record
from ..results.table_files import ResultRow
from ..results.trees import files_of, parents
from ..store.reader import Reader


@record
class Copy:
    """One file of a result: where it lies, and where its copy goes."""

    number: int  # of the set
    result: str
    file: str  # below runs/<name>/
    name: str  # its path in the task's directory
    size: int


@record
class Plan:
    """The files to copy, and a name that two sets have in common ("": none has)."""

    files: Sequence[Copy]
    clash: str

    def place(self, one: Copy) -> str:
        """Return the path of a copy below the folder."""
        # One rule for all of them: a folder in which some files have a number and some have none
        # is hard to read, for people and programs.
        return f"{one.number}/{one.name}" if self.clash else one.name


def plan_copies(reader: Reader, rows: Iterable[ResultRow]) -> Plan:
    """Return the files of these rows. Raises UsageError where no result is a file."""
    names = [name for name in reader.results if _is_file(reader.kinds.get(name))]
    if not names:
        todo = "A result that is a file: `--result plot.png`, or `plot: plot.png` in spe.yaml."
        raise UsageError("no result of this sweep is a file", where="--files", todo=todo)
    found: dict[str, Copy] = {}
    for row in rows:
        for name in names:
            for file, size in files_of(row.outputs[name]) if name in row.outputs else ():
                own = "/".join(PurePosixPath(file).parts[2:])  # without files/17/
                found.setdefault(file, Copy(row.number, name, file, own, size))
    files = list(found.values())
    return Plan(files, _clash(files))


def _is_file(kind: str | None) -> bool:
    # Databases of before schema 6 do not tell: then a result that lies in a file is one.
    return kind is None or Kind(kind).is_path


def _clash(files: Iterable[Copy]) -> str:
    """Return a name that files of two sets have, also as a folder of the other; else ""."""
    owners: dict[str, int] = {}
    folders: dict[str, int] = {}
    for one in files:
        if owners.setdefault(one.name, one.number) != one.number or one.name in folders:
            return one.name
        for folder in parents(one.name):
            if folder in owners:
                return folder
            folders[folder] = one.number
    return ""


def copy(plan: Plan, folder: Path, target: Path) -> None:
    """Copy the files from runs/<name>/, which is `folder`.

    A copy that is there already stays. Raises UsageError for another file in its place, before
    anything is copied, and where copying is impossible.
    """
    todo = [one for one in plan.files if not _is_there(folder / one.file, target / plan.place(one))]
    for one in todo:
        path = target / plan.place(one)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _copy(folder / one.file, path)
        except OSError as error:
            mend = "Mend what it says, and do it once more: what is copied is not copied again."
            what = f"{one.file} cannot be copied: {reason(error)}"
            raise UsageError(what, where=str(path), todo=mend) from error


def _is_there(source: Path, path: Path) -> bool:
    """Tell whether a copy is there already. Raises UsageError where something else is."""
    if not os.path.lexists(path):
        return False
    if path.is_file() and source.is_file() and filecmp.cmp(source, path, shallow=False):
        return True
    what = "another file is there already, and nothing was copied"
    raise UsageError(what, where=str(path), todo="Remove it, or name another folder with --files.")


def _copy(source: Path, path: Path) -> None:
    """Copy a file; half a copy is removed."""
    try:
        shutil.copyfile(source, path)
    except OSError:
        path.unlink(missing_ok=True)
        raise

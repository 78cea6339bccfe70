"""The run that is meant: is it over, is there anything to hand in?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..model import TaskState
from ..session.living import elsewhere, living
from ..session.runners import was_killed
from ..store.history import provenance
from ..text import sets

if TYPE_CHECKING:
    from ..store.reader import Reader


def check_is_over(folder: Path) -> None:
    """Raise UsageError while a run writes into runs/<name>/: what is handed in must not change."""
    if living(folder) is not None:
        todo = "Wait for its end (`spe attach` follows it), or end it: `spe stop`."
        raise UsageError("this run is still writing", where=str(folder), todo=todo)
    there = elsewhere(folder)
    if there is not None:
        todo = f"Wait for its end; if it was killed, `spe run` there ends it: process {there[0]}."
        raise UsageError(f"a run on {there[1]} may still write here", where=str(folder), todo=todo)


def check_has_rows(reader: Reader) -> None:
    """Raise UsageError where no set is finished: there is nothing to hand in."""
    if not provenance.has_rows(reader):
        todo = "Run it first: `spe run`; why sets failed is in `spe status`."
        raise UsageError("no set is finished yet", where=str(reader.folder), todo=todo)


def killed_note(reader: Reader) -> str:
    """Return a sentence about a run that was killed, so that it may lack sets; "" for others."""
    if not was_killed(reader.folder):
        return ""
    counts = reader.counts()
    left = counts[TaskState.WAITING] + counts[TaskState.RUNNING]
    note = f"{reader.folder}: this run was killed, or its machine went down"
    if not left:
        return f"{note}; all its sets had ended"
    return f"{note}, and is not complete: {sets(left)} did not end; `spe run` goes on with it"

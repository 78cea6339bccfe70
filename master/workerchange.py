"""The worker's executables during a sweep: a copy that no compiler overwrites; and what to do when they changed."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from .errors import ConfigError
from .model import Worker, WorkerFile


class ProgramChange(StrEnum):
    """What to do when finished sets were computed by another program."""

    ASK = "ask"
    KEEP = "keep"  # finished sets stay as they are
    FRESH = "fresh"  # all sets run again


def snapshot(worker: Worker | None, folder: Path) -> Worker | None:
    """The worker with copies of its files in `folder`: recompiling during the sweep changes nothing."""
    if worker is None:
        return None
    copies = {}
    for platform, file in worker.files.items():
        copy = folder / f"worker-{file.sha256}"
        if not copy.exists():
            temporary = copy.with_suffix(".part")
            shutil.copyfile(file.path, temporary)
            _check_same(temporary, file)
            temporary.replace(copy)
        copies[platform] = replace(file, path=copy)
    return Worker(worker.name, copies)


def _check_same(copy: Path, file: WorkerFile) -> None:
    with copy.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
            raise ConfigError(
                "the worker was changed while it was being read",
                where=str(file.path),
                todo="Wait until it is compiled, then `spe run` again.",
            )

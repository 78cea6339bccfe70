"""The worker's executables during a sweep: a copy that no compiler overwrites, and whether they have changed."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from .errors import ConfigError
from .model import Worker, WorkerFile


class WorkerChange(StrEnum):
    """What to do when finished sets were computed by another worker."""

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


def changed_workers(remembered: str, worker: Worker | None) -> list[str]:
    """The platforms whose executable is another one than finished sets were computed with, or is gone.

    One for a further platform changes nothing that was computed. `remembered` is what remember_workers made.
    """
    known: dict[str, str] = json.loads(remembered)
    files = worker.files if worker else {}
    return sorted(p for p, digest in known.items() if p not in files or files[p].sha256 != digest)


def remember_workers(worker: Worker | None) -> str:
    """What is to be remembered of today's worker."""
    return json.dumps({platform: file.sha256 for platform, file in worker.files.items()} if worker else {})

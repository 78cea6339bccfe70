"""The files of a program: the worker, digested; and copies that no compiler and no editor overwrites."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import ConfigError
from ..model import Worker, WorkerFile

_CHUNK = 1 << 20  # bytes read at once


def find_worker(
    name: str, paths: Mapping[str, str], folder: Path, where: Mapping[str, str]
) -> Worker:
    """Return the worker with these paths by platform. `where` tells for each where it is written.

    Raises ConfigError for a file that is missing, cannot be read, or is not executable.
    """
    found = {}
    for platform, path in paths.items():
        found[platform] = _digested(path, folder, where[platform])
    return Worker(name, found)


def _digested(written: str, folder: Path, where: str) -> WorkerFile:
    """Return one file of the worker with its digests."""
    path = folder / written
    _check(path, written, where)
    # Both in one reading: /config names both.
    md5 = hashlib.md5(usedforsecurity=False)
    sha256 = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            md5.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
    return WorkerFile(path, md5.hexdigest(), sha256.hexdigest(), size)


def _check(path: Path, written: str, where: str) -> None:
    # Asked one after another, so that each has the step that mends it.
    if not os.path.exists(path):  # not Path.exists, which raises for a path that is too long
        todo = "Give the path of the executable, relative to the sweep's folder."
        raise ConfigError(f"the worker {written} is not there", where=where, todo=todo)
    if not os.path.isfile(path):
        raise ConfigError(
            f"the worker {written} is not a file",
            where=where,
            todo="Give the path of the executable.",
        )
    if not os.access(path, os.R_OK):
        raise ConfigError(
            f"the worker {written} can't be read",
            where=where,
            todo=f"chmod +r {shlex.quote(written)}",
        )
    if not os.access(path, os.X_OK):
        raise ConfigError(
            f"the worker {written} is not executable",
            where=where,
            todo=f"chmod +x {shlex.quote(written)}",
        )


def snapshot(worker: Worker | None, folder: Path) -> Worker | None:
    """Return the worker with copies of its files in `folder`: recompiling changes nothing of this
    run.
    """
    if worker is None:
        return None
    copies = {}
    for platform, file in worker.files.items():
        copies[platform] = replace(file, path=copied(file.path, file.sha256, folder))
    return Worker(worker.name, copies)


def copied(path: Path, sha256: str, folder: Path) -> Path:
    """Return a copy of a program that has this digest.

    Raises ConfigError where the file has another one.
    """
    # By digest: platforms with the same file share a copy, and a resumed run finds its own again.
    copy = folder / f"program-{sha256}"
    if not copy.exists():
        # Under another name until it is whole: a run that goes on takes what has its digest's name.
        temporary = copy.with_suffix(".part")
        shutil.copyfile(path, temporary)
        with temporary.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != sha256:
            raise ConfigError(
                "this program was changed while it was being read",
                where=str(path),
                todo="Wait until it is compiled or saved, then `spe run` again.",
            )
        temporary.replace(copy)
    return copy

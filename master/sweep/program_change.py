"""Protects a sweep from changes of its programs: copies that no compiler and no editor overwrites."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from ..errors import ConfigError
from ..model import Worker
from .recipe import Recipe


class ProgramChange(StrEnum):
    """The decision about finished sets that were computed by another program."""

    ASK = "ask"
    KEEP = "keep"  # finished sets stay as they are
    FRESH = "fresh"  # all sets run again


def snapshot(worker: Worker | None, folder: Path) -> Worker | None:
    """Return the worker with copies of its files in `folder`: recompiling changes nothing of this
    run.
    """
    if worker is None:
        return None
    copies = {}
    for platform, file in worker.files.items():
        copies[platform] = replace(file, path=_copied(file.path, file.sha256, folder))
    return Worker(worker.name, copies)


def keep_programs(recipe: Recipe, folder: Path) -> None:
    """Copy the inputs that are programs into `folder`; they are read from these copies from now on."""
    for path in {one.pattern.literal or "" for one in recipe.programs}:
        digest = recipe.files.digest(path).hex()
        recipe.files.use_copy(path, _copied(recipe.folder / path, digest, folder))


def _copied(path: Path, sha256: str, folder: Path) -> Path:
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

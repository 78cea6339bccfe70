"""The user's executable: found, checked and digested. Where it goes on a host is the client's business."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError
from ..model import Worker, WorkerFile

_CHUNK = 1 << 20


def find_worker(name: str, paths: Mapping[str, str], folder: Path, where: Mapping[str, str]) -> Worker:
    """The worker of these paths by platform; `where` says where each one is written."""
    return Worker(name, {platform: _digested(path, folder, where[platform]) for platform, path in paths.items()})


def _digested(written: str, folder: Path, where: str) -> WorkerFile:
    path = folder / written
    _check(path, written, where)
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            md5.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
    return WorkerFile(path, md5.hexdigest(), sha256.hexdigest(), size)


def _check(path: Path, written: str, where: str) -> None:
    if not os.path.exists(path):  # not Path.exists, which raises for a path that is too long
        todo = "Give the path of the executable, relative to the sweep's folder."
        raise ConfigError(f"the worker {written} is not there", where=where, todo=todo)
    if not os.path.isfile(path):
        raise ConfigError(f"the worker {written} is not a file", where=where, todo="Give the path of the executable.")
    if not os.access(path, os.R_OK):
        raise ConfigError(f"the worker {written} can't be read", where=where, todo=f"chmod +r {shlex.quote(written)}")
    if not os.access(path, os.X_OK):
        raise ConfigError(
            f"the worker {written} is not executable", where=where, todo=f"chmod +x {shlex.quote(written)}"
        )

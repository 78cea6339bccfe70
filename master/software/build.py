"""Builds: folders that clients make once a home and share between tasks, such as an environment.

A build is plain data: files that a client fetches by their SHA-256, and a program that it runs in
the folder. What a virtual environment needs is known to venv.py and to its script, so the client
knows one thing only: how to make a folder once, however many hosts share the home.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from ..record import record

_CHUNK = 1 << 20  # bytes read at once


@record
class BuildFile:
    """A file of a build: where it lies here, its name in the build's folder, and its mode there."""

    name: str
    path: Path
    sha256: str
    size: int
    mode: int = 0o644


@record
class Build:
    """A folder to be made once on each home, and what tasks get of it."""

    kind: str  # venv, container or prepare
    shown: str  # as people wrote it: "venv: requirements.txt"
    files: tuple[BuildFile, ...]
    words: tuple[str, ...] = ()  # the program that makes the rest; {python} is the host's Python
    unpack: str = ""  # name of a tar archive among the files, which is unpacked and removed
    timeout: float = 1800.0  # seconds for the program
    keep: bool = False  # whether the folder stays on the hosts
    path: str = ""  # a folder in it that comes first in PATH
    variables: Mapping[str, str] = field(default_factory=dict)  # name -> path in the folder
    made_with: str = ""  # what else must be the same on hosts that share the folder
    programs: tuple[str, ...] = ()  # one of these must be on the host: it runs the command
    image: str = ""  # the file that this program is given

    @property
    def key(self) -> str:
        """Return what the build is found by again: equal keys mean equal folders."""
        files = [[one.name, one.sha256, one.mode] for one in self.files]
        made_of = [self.kind, files, self.words, self.unpack, self.made_with]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Return the build as /software tells it to clients."""
        return {
            "kind": self.kind,
            "key": self.key,
            "shown": self.shown,
            "files": [[one.name, one.sha256, one.mode] for one in self.files],
            "words": list(self.words),
            "unpack": self.unpack,
            "timeout": self.timeout,
            "keep": self.keep,
            "path": self.path,
            "variables": dict(self.variables),
            "programs": list(self.programs),
            "image": self.image,
        }


def file_of(path: Path, name: str, mode: int = 0o644) -> BuildFile:
    """Return a file of this machine as a file of a build. Raises OSError."""
    digest = hashlib.sha256()
    size = 0
    for chunk in _chunks(path):
        digest.update(chunk)
        size += len(chunk)
    return BuildFile(name, path, digest.hexdigest(), size, mode)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk

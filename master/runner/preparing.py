"""The files that `prepare:` works with: the worker, and the inputs without parameters."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from ..model import Worker
from ..software.build import BuildFile, file_of
from ..sweep.inputs.pattern import InputPattern
from ..sweep.recipe import Recipe


def files_to_prepare(
    recipe: Recipe, worker: Worker | None, folder: Path, platform: str
) -> list[BuildFile]:
    """Return the files for hosts of this platform. Texts are written below `folder`.

    Raises ConfigError for an input that is gone or changed.
    """
    found = []
    file = worker.for_platform(platform) if worker else None
    if worker and file:
        found.append(BuildFile(worker.name, file.path, file.sha256, file.size, 0o755))
    for one in recipe.inputs:
        if one.pattern.literal is not None and one.name != "stdin":
            found.append(_input(recipe, one, folder))
    return found


def _input(recipe: Recipe, one: InputPattern, folder: Path) -> BuildFile:
    text = one.pattern.literal or ""
    if not one.is_file:
        return _written(one.name, text.encode(errors="surrogateescape"), folder, 0o644)
    mode = stat.S_IMODE((recipe.folder / text).stat().st_mode) & 0o755 | 0o600
    made = recipe.files.input(one.name, text)
    if made.file:
        return BuildFile(one.name, made.file, made.sha256, made.size, mode)
    return _written(one.name, made.content, folder, mode)


def _written(name: str, content: bytes, folder: Path, mode: int) -> BuildFile:
    """Return a file with this content: the input's own may be edited while the sweep runs."""
    path = folder / f"prepare-{hashlib.sha256(content).hexdigest()}"
    if not path.exists():
        path.write_bytes(content)
    return file_of(path, name, mode)

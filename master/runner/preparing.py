"""The files that `prepare:` works with: the worker, and the inputs without parameters."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..model import Worker
from ..software.build import BuildFile, file_of
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
    for name, path in recipe.fixed.items():
        if name != "stdin":
            found.append(_file(recipe, name, path, folder))
    for one in recipe.inputs:
        text = None if one.is_file or one.is_tree or one.naming else one.pattern.literal
        if text is not None and one.name != "stdin":
            content = text.encode(errors="surrogateescape")
            found.append(_written(one.name, content, folder, one.mode or 0o644))
    return found


def _file(recipe: Recipe, name: str, path: str, folder: Path) -> BuildFile:
    made = recipe.files.input(name, path)
    mode = made.mode & 0o755 | 0o600
    if made.file:
        return BuildFile(name, made.file, made.sha256, made.size, mode)
    return _written(name, made.content, folder, mode)


def _written(name: str, content: bytes, folder: Path, mode: int) -> BuildFile:
    """Return a file with this content: the input's own may be edited while the sweep runs."""
    path = folder / f"prepare-{hashlib.sha256(content).hexdigest()}"
    if not path.exists():
        path.write_bytes(content)
    return file_of(path, name, mode)

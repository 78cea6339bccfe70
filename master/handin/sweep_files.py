"""The files that a sweep is made of, with their digests: what a zip takes along, or names.

Sets may name files of their own, so all sets are gone through. While that is done, today's sets
are compared with those of the last run: a zip whose spe.yaml is not the one of its rows would be of
no use.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..software import requirements
from ..store.history import provenance
from ..sweep.written import as_yaml
from .manifest import Role, SweepFile

if TYPE_CHECKING:
    from ..store.reader import Reader
    from ..sweep.plan import Sweep

FILE = "spe.yaml"


def sweep_text(sweep: Sweep, file: Path) -> bytes:
    """Return the spe.yaml of a sweep: its file, or what says the same as its command line."""
    if sweep.line is not None:
        return as_yaml(sweep.line, sweep.name).encode()
    return file.read_bytes()


def sweep_files(sweep: Sweep, reader: Reader, roles: Collection[Role]) -> list[SweepFile]:
    """Return all files of a sweep but spe.yaml, by path; those of `roles` are to be in the zip.

    Raises UsageError where today's spe.yaml is not that of the rows, ConfigError for a file that is
    gone.
    """
    found = dict(_fixed(sweep))
    for path in _files_of_sets(sweep, reader):
        found.setdefault(path, Role.INPUT)
    return [_described(sweep.folder, path, role, role in roles) for path, role in sorted(found.items())]


def _described(folder: Path, path: str, role: Role, wanted: bool) -> SweepFile:
    whole = folder / path
    sha256 = file_digest(whole)
    outside = path.startswith(("/", "../"))
    info = whole.stat()
    return SweepFile(path, role, sha256, info.st_size, permissions(info), wanted and not outside)


def permissions(info: os.stat_result) -> int:
    """Return the permissions of a file for the zip: never setuid, setgid or sticky."""
    # As tasks get them: whoever unpacks it owns the file, and must be able to read it.
    return stat.S_IMODE(info.st_mode) & 0o777 | stat.S_IRUSR


def empty_folders(sweep: Sweep) -> list[str]:
    """Return the empty folders of the inputs below the sweep's folder, by path.

    To be called after `sweep_files`, which looks at the inputs of all sets.
    """
    found = {os.path.normpath(one) for one in sweep.recipe.trees.empty_folders()}
    return sorted(one for one in found if not one.startswith(("/", "../")))


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fixed(sweep: Sweep) -> Iterator[tuple[str, Role]]:
    """Yield the files that are the same for all sets; a later role of one path stands."""
    config = sweep.config
    for path in sweep.recipe.fixed.values():
        yield os.path.normpath(path), Role.INPUT
    for one in sweep.recipe.inputs:
        if one.template:
            yield os.path.normpath(one.template), Role.INPUT
    if isinstance(config.parameters.rows, str):
        yield os.path.normpath(config.parameters.rows), Role.SWEEP
    for entry in (*config.validation, *config.collect):
        file, _, function = entry.partition(":")
        if function:
            yield os.path.normpath(file), Role.SWEEP
    for path in (*sweep.recipe.programs.values(), *_program_files(sweep)):
        yield os.path.normpath(path), Role.PROGRAM


def _program_files(sweep: Sweep) -> Iterator[str]:
    if sweep.worker:
        for file in sweep.worker.files.values():
            yield _relative(file.path, sweep.folder)
    software = sweep.software
    if software.venv and software.venv.is_archive:
        yield software.venv.written
    elif software.venv:
        for path in requirements.files(software.venv.path):
            yield _relative(path, sweep.folder)
    if software.container:
        yield software.container.written


def _relative(path: Path, folder: Path) -> str:
    """Return a path below the sweep's folder relative to it; others stay as they are."""
    normal = os.path.normpath(path)
    if Path(normal).is_relative_to(folder):
        return os.path.relpath(normal, folder)
    # A path such as ../bin/sim is written from the folder, so that it is found from there again.
    return os.path.relpath(normal, folder) if not os.path.isabs(str(path)) else normal


def _files_of_sets(sweep: Sweep, reader: Reader) -> Iterator[str]:
    """Yield the paths of inputs that sets name by their parameters.

    Raises UsageError where the rows are not those of today's sets, in their order.
    """
    recipe = sweep.recipe
    own = [one for one in recipe.inputs if (one.is_file or one.is_tree) and not one.is_fixed]
    rows = (one for one in provenance.known_sets(reader) if one.has_row)
    row = next(rows, None)
    for one in sweep.parameters:
        keys = (sweep.key(one.values), sweep.older_key(one.values))
        if row is not None and row.key in keys:
            row = next(rows, None)
        scope = recipe.scope(one.values)
        for pattern in own:
            path = pattern.pattern.fill(scope)
            if pattern.is_tree:
                listing = recipe.trees.tree(pattern, path).listing
                yield from (os.path.normpath(file.path) for file in listing.files)
            else:
                yield os.path.normpath(path)
    if row is not None:
        what = f"spe.yaml, its parameters or inputs are not those of set {row.number} any more"
        todo = "`spe run` makes the table of today's; or undo the change."
        raise UsageError(what, where=str(reader.folder), todo=todo)

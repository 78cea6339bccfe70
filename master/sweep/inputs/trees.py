"""The inputs that are many files: folders and globs, with their digests and their archives.

Up to MOST_SINGLE files are inputs like any others. More travel as one archive, which a client
unpacks once, however many tasks it runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ...errors import ConfigError
from ...model import Input
from . import archive
from .files import InputChanged, InputFiles
from .pattern import InputPattern, Source
from .tree import Found, Listing, files_of_folder, files_of_glob

MOST_SINGLE = 20  # files that travel one by one


class Tree:
    """The files of one folder or glob, as they are in this run."""

    def __init__(self, files: InputFiles, listing: Listing) -> None:
        self.listing = listing
        self.archive: archive.Archive | None = None
        self._files = files
        self._digests: dict[frozenset[str], bytes] = {}

    @property
    def is_packed(self) -> bool:
        """True when its files travel as an archive. Only an archive can hold an empty folder."""
        return len(self.listing.files) > MOST_SINGLE or bool(self.listing.empty)

    def digest(self, programs: frozenset[str] = frozenset()) -> bytes:
        """Return a digest of names and contents; the files at these paths are programs, no data."""
        if programs not in self._digests:
            self._digests[programs] = self._digest(programs)
        return self._digests[programs]

    def _digest(self, programs: frozenset[str]) -> bytes:
        digest = hashlib.sha256()
        for one in self.listing.files:
            if one.path not in programs:
                digest.update(f"{one.name}\0".encode(errors="surrogateescape"))
                digest.update(self._files.digest(one.path))
        digest.update("\0".join(self.listing.empty).encode(errors="surrogateescape"))
        return digest.digest()

    def inputs(self, name: str, copy: bool) -> Iterator[Input]:
        """Yield its files as inputs below `name`. Raises InputChanged."""
        for one in self.listing.files:
            yield self._files.input(under(name, one), one.path, copy)


class PackedTree:
    """The archive of a tree as an input of that name, in the form of model.Archive."""

    def __init__(
        self, files: InputFiles, tree: Tree, packed: archive.Archive, one: Input, folder: Path
    ) -> None:
        self._files, self._tree = files, tree
        self._packed, self._input, self._folder = packed, one, folder
        self.sha256 = packed.sha256

    def check(self) -> None:
        """Raise InputChanged when a file was changed before the archive was written."""
        if self._packed.is_written:
            return
        for one in self._tree.listing.files:
            if self._files.is_changed(one.path):
                raise InputChanged(one.path)

    def written(self) -> Path:
        """Return the archive on the disk. Raises ConfigError when a file was changed before."""
        try:
            return self._packed.written(self._folder)
        except (OSError, ValueError) as error:
            self.check()
            raise ConfigError(f"the inputs can't be packed: {error}") from error

    def inputs(self) -> Iterator[Input]:
        """Yield the files one by one."""
        name = self._input.name
        return self._tree.inputs("" if name == "." else name, self._input.copy)


class Trees:
    """The folders and globs of a sweep, each looked at once. Lives as long as the run."""

    def __init__(self, files: InputFiles) -> None:
        self.files = files
        self._trees: dict[tuple[Source, str], Tree] = {}
        self._folder: Path | None = None

    def pack_into(self, folder: Path) -> None:
        """Write archives into this folder from now on."""
        self._folder = folder

    def prepare(self, one: InputPattern, path: str) -> None:
        """Digest the archive of a tree, which takes its time. Raises InputChanged."""
        tree = self.tree(one, path)
        if tree.is_packed:
            self._archive(tree)

    def tree(self, one: InputPattern, path: str) -> Tree:
        """Return the files at this path. Raises ConfigError where there are none."""
        key = one.source, path
        if key not in self._trees:
            find = files_of_folder if one.source is Source.FOLDER else files_of_glob
            listing = find(self.files.folder, path, one.label)
            self.files.good.update(found.path for found in listing.files)
            self._trees[key] = Tree(self.files, listing)
        return self._trees[key]

    def empty_folders(self) -> set[str]:
        """Return the paths of the empty folders in all that was looked at so far."""
        return {path for one in self._trees.values() for path in one.listing.empty_paths}

    def inputs(self, one: InputPattern, name: str, path: str) -> Iterator[Input]:
        """Yield the inputs of a task: the files one by one, or their archive. Raises InputChanged."""
        tree = self.tree(one, path)
        if self._folder is None or not tree.is_packed:
            yield from tree.inputs(name, one.copy)
            return
        packed = self._archive(tree)
        made = Input(name or ".", sha256=packed.sha256, length=packed.size, copy=one.copy)
        whole = PackedTree(self.files, tree, packed, made, self._folder)
        whole.check()
        yield replace(made, archive=whole)

    def _archive(self, tree: Tree) -> archive.Archive:
        """Return the archive of a tree, of which the digest may be known from an earlier run."""
        if tree.archive is None:
            members = [self._member(one) for one in tree.listing.files]
            key = _key(tree, members)
            known = self.files.digests.of_archive(key)
            if known is None:
                known = self._digest(members, tree)
                self.files.digests.remember_archive(key, *known)
            tree.archive = archive.Archive(members, tree.listing.empty, *known)
        return tree.archive

    def _member(self, one: Found) -> archive.Member:
        path = self.files.source(one.path)
        return archive.Member(one.name, path, self.files.mode(one.path), self.files.size(one.path))

    def _digest(self, members: list[archive.Member], tree: Tree) -> tuple[str, int]:
        try:
            return archive.digest_of(members, tree.listing.empty)
        except (OSError, ValueError) as error:
            raise InputChanged(tree.listing.files[0].path) from error


def under(name: str, one: Found) -> str:
    """Return the name of a file of a tree in a task's directory."""
    return f"{name}/{one.name}" if name else one.name


def _key(tree: Tree, members: list[archive.Member]) -> str:
    """Return a digest of all that is in the archive."""
    modes = ",".join(str(one.mode) for one in members)
    return hashlib.sha256(tree.digest() + modes.encode()).hexdigest()

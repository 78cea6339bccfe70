"""A zip that others made: its names, sizes and digests are checked before anything of it is used.

Nobody knows where a zip comes from. So no name in it may lead out of a folder, nothing in it may be
a link, and all of it together may only be as large as the user allows, by the sizes that it declares:
zipfile reads no more of a file than that.
"""

from __future__ import annotations

import hashlib
import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from ..disk_errors import reason
from ..errors import UsageError
from ..text import printable, volume
from .manifest import (
    DIGESTS,
    FAILED,
    METADATA,
    NAME,
    SETS,
    SUMS,
    SWEEP,
    TABLE,
    Manifest,
    SweepFile,
    read_manifest,
)

CHUNK = 1 << 20
MOST_IN_MEMORY = 256 << 20  # bytes of SHA256SUMS and of spe.json: those of two million files
SHOWN = 12  # digits of a SHA-256 for people
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_TODO = "Ask for a zip that `spe export` wrote."
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class Archive:
    """A zip of `spe export` that is open, with what it declares; lives until `close`."""

    def __init__(self, path: Path, most: int) -> None:
        """Raise UsageError for all that is no such zip, or may do harm. `most`: bytes unpacked."""
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError as error:
            todo = "`spe export` writes one."
            raise UsageError("there is no such file", where=str(path), todo=todo) from error
        except OSError as error:
            what = f"it cannot be read: {reason(error)}"
            raise UsageError(what, where=str(path), todo="Name a zip of `spe export`.") from error
        except _DAMAGED as error:
            raise self.fault("it is no zip, or a damaged one") from error
        try:
            self._check_entries(most)
            self._sums = self._read_sums()
            self._check_digest(NAME, NAME)
            self.manifest: Manifest = read_manifest(self._bytes(NAME), str(path))
            self._check_manifest()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    # -- checks

    def fault(self, what: str, todo: str = _TODO) -> UsageError:
        """Return an error about this zip."""
        return UsageError(what, where=str(self.path), todo=todo)

    def _check_entries(self, most: int) -> None:
        seen: set[str] = set()
        size = 0
        for one in self._zip.infolist():
            if fault := _entry_fault(one) or ("is in it twice" if one.filename in seen else ""):
                raise self.fault(f"{printable(one.orig_filename)!r} {fault}; nothing was unpacked")
            seen.add(one.filename)
            size += one.file_size
        if size > most:
            what = f"it would unpack to {volume(size)}, and {volume(most)} are allowed"
            raise self.fault(what, "If you trust it, allow more: --max-size.")
        self._names = {one for one in seen if not one.endswith("/")}

    def _read_sums(self) -> dict[str, str]:
        if SUMS not in self._names:
            raise self.fault(f"it has no {SUMS}")
        found: dict[str, str] = {}
        for line in self._bytes(SUMS).decode("utf-8", "replace").splitlines():
            pair = _LINE.fullmatch(line)
            if pair is None:
                raise self.fault(f"{SUMS} in it is damaged: {printable(line[:100])!r}")
            found[pair[2]] = pair[1]
        for name in (NAME, TABLE, FAILED, SETS, DIGESTS, *found):
            if name not in self._names or name not in found:
                raise self.fault(f"{printable(name)} is missing from it")
        if more := sorted(self._names - {*found, SUMS, METADATA}):
            raise self.fault(f"{printable(more[0])} is in it, and {SUMS} does not know it")
        return found

    def _check_manifest(self) -> None:
        for one in self.manifest.files:
            if one.included and self._sums.get(SWEEP + one.path) != one.sha256:
                raise self.fault(f"{NAME} and {SUMS} disagree about the {one.called}")

    def check_digests(self) -> None:
        """Raise UsageError, which names the file, where one is not what the zip's digests say.

        Permissions count as well: spe.json has them.
        """
        called = {SWEEP + one.path: f"the {one.called}" for one in self.manifest.files}
        for name in self._sums:
            self._check_digest(name, called.get(name, name))
        for one in self.manifest.files:
            if one.included:
                self._check_mode(one)

    def _check_mode(self, one: SweepFile) -> None:
        attributes = self._zip.getinfo(SWEEP + one.path).external_attr >> 16
        # 0: packed again where files have no permissions. Those of spe.json are meant in any case.
        if attributes and stat.S_IMODE(attributes) != one.mode:
            found = f"{stat.S_IMODE(attributes):04o}, not {one.mode:04o}"
            what = f"the permissions of the {one.called} in it were changed: they are {found}"
            raise self.fault(what, "Ask for the zip as it was exported; nothing was run.")

    def _check_digest(self, name: str, called: str) -> None:
        digest = hashlib.sha256()
        for piece in self.pieces(name):
            digest.update(piece)
        if digest.hexdigest() != self._sums[name]:
            found, known = digest.hexdigest()[:SHOWN], self._sums[name][:SHOWN]
            what = f"{printable(called)} in it was changed: its SHA-256 is {found}…, not {known}…"
            raise self.fault(what, "Ask for the zip as it was exported; nothing was run.")

    # -- reading

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file. Raises UsageError for one that cannot be unpacked."""
        try:
            with self._zip.open(name) as stream:
                while chunk := stream.read(CHUNK):
                    yield chunk
        except _DAMAGED as error:
            raise self.fault(f"{printable(name)} in it is damaged: {error}") from error

    def _bytes(self, name: str) -> bytes:
        size = self._zip.getinfo(name).file_size
        if size > MOST_IN_MEMORY:
            what = f"{name} in it has {volume(size)}, and {volume(MOST_IN_MEMORY)} are allowed"
            raise self.fault(what)
        return b"".join(self.pieces(name))

    def text(self, name: str) -> io.TextIOWrapper:
        """Return a table of it, open for the csv module."""
        stream: Any = self._zip.open(name)
        return io.TextIOWrapper(stream, encoding="utf-8", newline="")

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the digests: it tells this zip from others."""
        return hashlib.sha256(self._bytes(SUMS)).hexdigest()

    @property
    def sums(self) -> Mapping[str, str]:
        """Return the SHA-256 of each file by its name in the zip."""
        return self._sums


def _entry_fault(one: zipfile.ZipInfo) -> str:
    """Return why an entry may not be in a zip, as words behind its name; "" for a good one."""
    name = one.orig_filename
    if name != one.filename or "\\" in name or not name.isprintable():
        return "is no name of a file"
    if name.startswith("/"):
        return "is an absolute path"
    if ".." in name.split("/"):
        return "leads out of the folder"
    if any(part in ("", ".") for part in name.removesuffix("/").split("/")):
        return "is no name of a file"
    kind = stat.S_IFMT(one.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is no regular file"
    if kind != stat.S_IFDIR and one.external_attr >> 16 & 0o7000:
        return "would be setuid, setgid or sticky"
    if one.flag_bits & 1:
        return "is encrypted"
    return ""

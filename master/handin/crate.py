"""Writes the zip of a run: its table, its files, its spe.yaml, and what else is asked for."""

from __future__ import annotations

import hashlib
import stat
import tempfile
import time
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..errors import UsageError
from ..model import Kind, ResultSpec
from ..results.table_files import (
    ResultRow,
    csv_line,
    result_cells,
    result_head,
)
from ..store.history import provenance
from .evidence import HEAD, files_of_row, inner_name, text_digest
from .facts import facts_of
from .manifest import (
    DIGESTS,
    FAILED,
    METADATA,
    NAME,
    REPORT,
    RESULTS,
    SETS,
    SUMS,
    SWEEP,
    TABLE,
    Manifest,
    Role,
)
from .program import check_program, programs_of
from .report import html_report
from .ro_crate import Credits, Packed, metadata
from .sweep_files import FILE, empty_folders, sweep_files, sweep_text

if TYPE_CHECKING:
    from ..store.reader import Reader
    from ..sweep.plan import Sweep

CHUNK = 1 << 20


def write_crate(
    path: Path,
    reader: Reader,
    sweep: Sweep,
    file: Path,
    roles: Collection[Role],
    credits: Credits,
) -> tuple[list[str], set[Role]]:
    """Write the zip of a run that is over.

    Return notes about what lies elsewhere, and the roles of files that the zip is without.

    `file`: spe.yaml; `roles`: of the sweep's files that are to be in the zip. Raises UsageError
    where that is impossible, OSError where a file cannot be read or written.
    """
    if Role.PROGRAM in roles:
        check_program(sweep, reader)
    files = sweep_files(sweep, reader, roles)
    facts = facts_of(reader)
    specs = {one.name: one for one in facts.results}
    kinds = {name: specs[name].kind if name in specs else Kind.TEXT for name in reader.results}
    text = sweep_text(sweep, file)
    manifest = Manifest(
        name=reader.folder.name,
        made=time.time(),
        parameters=reader.parameters,
        results=kinds,
        programs=programs_of(reader),
        files=files,
        folders=empty_folders(sweep),
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as made:
        crate = _Crate(made)
        crate.add_bytes(SWEEP + FILE, text, role=Role.SWEEP)
        for one in files:
            if one.included:
                source = sweep.folder / one.path
                crate.add(SWEEP + one.path, _pieces(source), one.mode, one.role, one.sha256)
        for folder in manifest.folders if Role.INPUT in roles else ():
            crate.add_folder(SWEEP + folder)
        _add_results(crate, reader, specs, path.parent)
        crate.add_bytes(REPORT, html_report(reader, text.decode("utf-8", "replace")).encode())
        crate.add_bytes(NAME, manifest.as_text().encode())
        sums = "".join(f"{one.sha256}  {one.name}\n" for one in crate.packed)
        known = list(crate.packed)
        crate.add_bytes(SUMS, sums.encode())
        crate.add_bytes(METADATA, metadata(facts, known, credits).encode())
    without = {one.role for one in files if not (one.included or one.is_outside)}
    notes = [
        f"{one.path} lies outside of the sweep's folder and is not in the zip; a replay needs it there"
        for one in files
        if one.is_outside and one.role in roles
    ]
    return notes, without


class _Crate:
    """A zip that is written, with the digests of what is in it."""

    def __init__(self, made: zipfile.ZipFile) -> None:
        self._zip = made
        self.packed: list[Packed] = []
        self._now = time.localtime()[:6]

    def add_bytes(self, name: str, content: bytes, role: Role | None = None) -> None:
        """Add a file with this content."""
        self.add(name, [content], role=role)

    def add(
        self,
        name: str,
        pieces: Iterable[bytes],
        mode: int = 0o644,
        role: Role | None = None,
        sha256: str = "",
    ) -> str:
        """Add a file; return its SHA-256. Raises UsageError where that is not `sha256`."""
        info = self._entry(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = (stat.S_IFREG | mode) << 16
        digest = hashlib.sha256()
        size = 0
        with self._zip.open(info, "w", force_zip64=True) as stream:
            for piece in pieces:
                stream.write(piece)
                digest.update(piece)
                size += len(piece)
        found = digest.hexdigest()
        if sha256 and found != sha256:
            what = "this file was changed while it was being read"
            raise UsageError(what, where=name, todo="Wait until it is saved, then export again.")
        self.packed.append(Packed(name, found, size, role))
        return found

    def add_folder(self, name: str) -> None:
        """Add an empty folder. It has no digest: spe.json, which has one, names it as well."""
        info = self._entry(f"{name}/")
        info.external_attr = (stat.S_IFDIR | 0o755) << 16 | 0x10  # 0x10: a folder on Windows
        self._zip.writestr(info, b"")

    def _entry(self, name: str) -> zipfile.ZipInfo:
        if not name.isprintable() or "\\" in name:
            # SHA256SUMS has a line a file, and Windows reads a backslash as a slash.
            what = "a zip cannot have this name: it has characters that are not printable, or a \\"
            raise UsageError(what, where=ascii(name), todo="Rename it, then `spe run` again.")
        return zipfile.ZipInfo(name, self._now)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from _rest(stream)


def _rest(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _add_results(
    crate: _Crate, reader: Reader, specs: Mapping[str, ResultSpec], scratch: Path
) -> None:
    """Add the result files, then the tables, for which the rows are gone through once."""
    head = result_head(reader.parameters, reader.results)
    # In files, not in memory: there may be a million rows, and a zip takes one file at a time. Beside
    # the zip, which needs the room anyway: the usual folder for them may be small, and in memory.
    with (
        tempfile.TemporaryFile(dir=scratch) as table,
        tempfile.TemporaryFile(dir=scratch) as digests,
    ):
        table.write(csv_line(head))
        digests.write(csv_line(HEAD))
        for row in reader.rows():
            table.write(csv_line(result_cells(row, reader.parameters, reader.results)))
            digests.writelines(map(csv_line, _digests(crate, reader.folder, row, specs)))
        for name, stream in ((TABLE, table), (DIGESTS, digests)):
            stream.seek(0)
            crate.add(name, _rest(stream))
    crate.add(FAILED, _failed(reader))
    crate.add(SETS, _sets(reader))


def _digests(
    crate: _Crate, folder: Path, row: ResultRow, specs: Mapping[str, ResultSpec]
) -> Iterator[Sequence[str]]:
    """Add the files of a row, and yield its rows of digests.csv."""
    number = str(row.number)
    for name, output in row.outputs.items():
        if digest := text_digest(output, specs.get(name), folder):
            yield number, name, "", digest
    for name, path, inner in files_of_row(row):
        spec = specs.get(name)
        if spec is None or not spec.kind.is_path:
            continue  # the bytes of a text, of which the digest says enough
        source = folder / path
        if not source.is_file():
            what = f"the file {inner_name(path)} of set {row.number} was removed"
            raise UsageError(what, where=str(source), todo="Put it back: it is one of the results.")
        yield number, name, inner, crate.add(RESULTS + path, _pieces(source))


def _failed(reader: Reader) -> Iterator[bytes]:
    yield csv_line(["number", *reader.parameters, "reason"])
    for row in reader.failed():
        values = [row.values.get(name, "") for name in reader.parameters]
        yield csv_line([str(row.number), *values, row.reason])


def _sets(reader: Reader) -> Iterator[bytes]:
    yield csv_line(["number", *reader.parameters])
    for one in provenance.known_sets(reader):
        values = [one.values.get(name, "") for name in reader.parameters]
        yield csv_line([str(one.number), *values])

"""What two results are compared by: the cell of the table, and digests of what a cell does not show.

A cell of text lacks its last newline, and the cell of a file is a path. So digests.csv has the
SHA-256 of texts that are not the cell and one newline, and of each file. Its file names begin at the
folder of the set, which has another number in another run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..model import Kind, Output, ResultSpec
from ..record import record
from ..results.extract import is_verbatim
from ..results.table_files import ResultRow, content
from ..results.trees import files_of

HEAD = ("number", "result", "file", "sha256")


@record
class Evidence:
    """One result. `digests`: file -> SHA-256; "" stands for the bytes of a text."""

    cell: str
    digests: Mapping[str, str]


def files_of_row(row: ResultRow) -> Iterator[tuple[str, str, str]]:
    """Yield (result, file below runs/<name>/, its name in the set's folder) for each file of a row."""
    for name, output in row.outputs.items():
        for path, _ in files_of(output):
            yield name, path, inner_name(path)


def inner_name(path: str) -> str:
    """Return `trace.csv` for `files/17/trace.csv`."""
    return "/".join(path.split("/")[2:])


def text_digest(output: Output, spec: ResultSpec | None, root: Path) -> str:
    """Return the SHA-256 of a text whose bytes are not its cell and one newline; "" for others."""
    if spec is None or spec.kind is not Kind.TEXT or not is_verbatim(spec):
        return ""  # what was found in its bytes is compared by its cell
    if output.raw is None and output.file is None:
        return ""
    digest = hashlib.sha256()
    for piece in content(output, spec, root):
        digest.update(piece)
    return digest.hexdigest()


def cell_of(cell: str, kind: Kind, number: int) -> str:
    """Return a cell of the table as it is compared: without what the number of its set makes of it."""
    if kind.is_path:
        return ""
    # Behind a text that is too long for a cell stands where all of it lies.
    return cell.replace(f", in files/{number}/", ", in ")


def evidence_of(
    row: ResultRow, results: Mapping[str, Kind], specs: Mapping[str, ResultSpec], root: Path
) -> dict[str, Evidence]:
    """Return the results of a row, with digests of its files in `root`, runs/<name>/."""
    found = {}
    for name, kind in results.items():
        output = row.outputs.get(name)
        if output is None:
            found[name] = Evidence("", {})
            continue
        digests = {}
        if kind.is_path:
            for path, _ in files_of(output):
                digests[inner_name(path)] = _digest_of(root / path)
        elif digest := text_digest(output, specs.get(name), root):
            digests[""] = digest
        found[name] = Evidence(cell_of(output.value, kind, row.number), digests)
    return found


def _digest_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return "the file was removed"

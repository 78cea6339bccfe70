"""The files that a sweep leaves: results.csv, failed.csv, <result>.txt.

The store yields the rows in their final order. Only one row is in memory at a time. No reader ever
sees half a file: each is written under another name, synced and renamed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from ..disk_errors import FULL, reason, remedy
from ..errors import ConfigError, StoreError
from ..model import Kind, Output, ResultSpec
from ..record import record
from .extract import CHUNK, is_verbatim
from .kept_files import sync_path

SPECIAL = re.compile(r'[,"\r\n]')
QUOTED = re.compile(r'["\r\n]')
PLAIN = re.compile(r"""[^\s"'\\=\x00-\x1f\x7f]+""")


class Mode(StrEnum):
    """Forms of <result>.txt; the table is made in any case."""

    CONCAT = "concat"
    CONCAT_NUMBERED = "concat_numbered"
    BLOCKS = "blocks"


@record
class ResultRow:
    """A row of results.csv: a finished task."""

    number: int
    values: Mapping[str, str]
    outputs: Mapping[str, Output]
    host: str
    seconds: float
    attempts: int


@record
class FailedRow:
    """A row of failed.csv: a task that failed or was cancelled."""

    number: int
    values: Mapping[str, str]
    reason: str
    cancelled: bool = False

    @property
    def sentence(self) -> str:
        """The end of the task in one line, as a clause without its subject."""
        reason = "".join(self.reason.splitlines()[:1])
        if self.cancelled:
            return f"was {reason}"
        return f"failed: {reason}"


def text_mode(collect: Sequence[str]) -> Mode | None:
    """Return the mode among the entries of `collect` that makes <result>.txt, if there is one.

    Raises ConfigError when there are several.
    """
    modes = [Mode(entry) for entry in collect if entry in set(Mode)]  # all other entries are hooks
    if len(set(modes)) > 1:
        # The last one could win, but then the user would miss a file that spe.yaml asks for.
        what = f"collect: {', '.join(modes)} would all write the same <result>.txt"
        raise ConfigError(what, where="spe.yaml", todo="Keep one of them.")
    return modes[0] if modes else None


def text_results(specs: Iterable[ResultSpec]) -> list[ResultSpec]:
    """Return the results that <result>.txt is made for."""
    return [spec for spec in specs if spec.kind is Kind.TEXT]


def write_results_csv(
    path: Path,
    parameters: Sequence[str],
    results: Sequence[str],
    rows: Iterable[ResultRow],
) -> int:
    """Write results.csv and return its number of rows."""
    head = result_head(parameters, results)
    return _write_csv(path, head, (result_cells(row, parameters, results) for row in rows))


def write_failed_csv(path: Path, parameters: Sequence[str], rows: Iterable[FailedRow]) -> int:
    """Write failed.csv and return its number of rows."""
    cells = ([str(row.number), *_values(row.values, parameters), row.reason] for row in rows)
    return _write_csv(path, ["number", *parameters, "reason"], cells)


def write_text(
    path: Path,
    mode: Mode,
    spec: ResultSpec,
    root: Path,
    rows: Iterable[ResultRow],
) -> int:
    """Write <result>.txt of one result and return its number of rows.

    `root` is runs/<name>/, where the outputs' files lie.
    """
    write = {Mode.CONCAT: _concat, Mode.CONCAT_NUMBERED: _numbered, Mode.BLOCKS: _block}[mode]
    count = 0
    with _replacing(path) as stream:
        for row in rows:
            pieces: Iterator[bytes] = iter(())
            if spec.name in row.outputs:  # not in a row that is older than the result
                pieces = content(row.outputs[spec.name], spec, root)
            write(stream, row, pieces, count == 0)
            count += 1
    return count


def content(output: Output, spec: ResultSpec, root: Path) -> Iterator[bytes]:
    """Yield the result in pieces: the program's bytes, or the line with what was found in them."""
    # The stored bytes of a searched result are the whole source, so its value is written instead.
    if not is_verbatim(spec) or (output.raw is None and output.file is None):
        yield output.value.encode() + b"\n"
    elif output.raw is not None:
        yield output.raw
    else:
        yield from _chunks(root / str(output.file))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def csv_line(cells: Iterable[str]) -> bytes:
    """Return a line as RFC 4180 has it, but with a plain newline at its end.

    Why not the csv module: up to Python 3.12 it leaves a carriage return inside a cell unquoted.
    """
    cells = list(cells)
    line = ",".join(cells)
    # Tested on the whole line first: cells to quote are rare, and a test for each cell is slow.
    if QUOTED.search(line) or line.count(",") >= len(cells):
        line = ",".join(map(_quoted, cells))
    return (line + "\n").encode("utf-8", "replace")


def row_as_json(head: Sequence[str], cells: Sequence[str]) -> bytes:
    """Return a row as a JSON object of texts, without a line end."""
    row = dict(zip(head, cells, strict=True))
    # A byte of a file's name that is not UTF-8 is a lone surrogate, which JSON spells as such.
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _quoted(cell: str) -> str:
    if not SPECIAL.search(cell):
        return cell
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'


def _write_csv(path: Path, head: Sequence[str], rows: Iterable[Iterable[str]]) -> int:
    count = 0
    with _replacing(path) as stream:
        stream.write(csv_line(head))
        for cells in rows:
            stream.write(csv_line(cells))
            count += 1
    return count


def result_head(parameters: Sequence[str], results: Sequence[str]) -> list[str]:
    """Return the names of the table's columns."""
    return ["number", *parameters, *results, "host", "seconds", "attempts"]


def result_cells(row: ResultRow, parameters: Sequence[str], results: Sequence[str]) -> list[str]:
    """Return one line of the table, in the order of its columns."""
    outputs = [row.outputs[name].value if name in row.outputs else "" for name in results]
    last = (row.host, f"{row.seconds:.3f}", str(row.attempts))
    return [str(row.number), *_values(row.values, parameters), *outputs, *last]


def _values(values: Mapping[str, str], parameters: Sequence[str]) -> list[str]:
    # A row that is older than a parameter has no value for it.
    return [values.get(name, "") for name in parameters]


def _concat(stream: BinaryIO, row: ResultRow, pieces: Iterator[bytes], first: bool) -> None:
    stream.writelines(pieces)


def _numbered(stream: BinaryIO, row: ResultRow, pieces: Iterator[bytes], first: bool) -> None:
    """Write each line behind the task's number and a tab."""
    prefix = b"%d\t" % row.number
    at_start = True
    for piece in filter(None, pieces):
        # No prefix behind the newline at the end of a piece: there may be no further line.
        inner = piece.removesuffix(b"\n").replace(b"\n", b"\n" + prefix)
        if at_start:
            inner = prefix + inner
        at_start = piece.endswith(b"\n")
        stream.write(inner + b"\n" * at_start)
    if not at_start:
        stream.write(b"\n")


def _block(stream: BinaryIO, row: ResultRow, pieces: Iterator[bytes], first: bool) -> None:
    """Write a head with number, names and values, then the result.

    An empty line separates two blocks.
    """
    words = [f"{name}={_word(value)}" for name, value in row.values.items()]
    head = " ".join([f"# {row.number}", *words])
    if not first:
        stream.write(b"\n")
    stream.write(head.encode("utf-8", "replace") + b"\n")
    last = b"\n"
    for piece in filter(None, pieces):
        stream.write(piece)
        last = piece[-1:]
    if last != b"\n":
        stream.write(b"\n")


def _word(value: str) -> str:
    """Return the value as one word on one line: as it is, or as a JSON string."""
    if PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a stream for the new content of a file, which appears all at once or not at all.

    Raises StoreError when the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb", buffering=CHUNK) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_path(path.parent)  # a power cut must not bring the old table back
    except OSError as fault:
        raise _cannot_be_made(path, fault) from fault
    finally:
        temporary.unlink(missing_ok=True)


def _cannot_be_made(path: Path, fault: OSError) -> StoreError:
    where = str(fault.filename or path)
    todo = ""
    if fault.errno in FULL:
        todo = "All results are in the database, "
        todo += f"and `spe collect` makes it later: {remedy(fault)}."
    return StoreError(f"{path.name} cannot be made: {reason(fault)}", where=where, todo=todo)


def files_made(root: Path, specs: Sequence[ResultSpec], collect: Sequence[str]) -> list[Path]:
    """Return the files that write_all writes."""
    files = [root / "results.csv", root / "failed.csv"]
    if text_mode(collect) is not None:
        files += [root / f"{spec.name}.txt" for spec in text_results(specs)]
    return files


Rows = Callable[[], Iterable[ResultRow]]


def write_all(
    root: Path,
    parameters: Sequence[str],
    specs: Sequence[ResultSpec],
    collect: Sequence[str],
    rows: Rows,
    failed: Iterable[FailedRow],
) -> int:
    """Write every file of a sweep's results and return the number of finished tasks.

    `rows` is called once for each file: all rows at once may not fit into memory.
    """
    count = write_results_csv(
        root / "results.csv", parameters, [spec.name for spec in specs], rows()
    )
    write_failed_csv(root / "failed.csv", parameters, failed)
    mode = text_mode(collect)
    if mode is not None:
        for spec in text_results(specs):
            write_text(root / f"{spec.name}.txt", mode, spec, root, rows())
    return count

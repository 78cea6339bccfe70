"""The files that a sweep leaves: results.csv, failed.csv, <result>.txt. Rows come in, in their final order.

Nothing is held in memory but a row; nothing is seen half written: each file is made under another name, synced
and renamed. Which rows there are and in which order is the store's affair.
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

SPECIAL = re.compile(r'[,"\r\n]')
QUOTED = re.compile(r'["\r\n]')
PLAIN = re.compile(r"""[^\s"'\\=\x00-\x1f\x7f]+""")


class Mode(StrEnum):
    """What <result>.txt is made of; the table is made in any case."""

    CONCAT = "concat"
    CONCAT_NUMBERED = "concat_numbered"
    BLOCKS = "blocks"


@record
class ResultRow:
    """One finished task."""

    number: int
    values: Mapping[str, str]
    outputs: Mapping[str, Output]
    host: str
    seconds: float
    attempts: int


@record
class FailedRow:
    """One failed task, or one that was cancelled."""

    number: int
    values: Mapping[str, str]
    reason: str
    cancelled: bool = False

    @property
    def sentence(self) -> str:
        """What became of it, in one line."""
        reason = self.reason.splitlines()[0] if self.reason else ""
        return f"was {reason}" if self.cancelled else f"failed: {reason}"


def text_mode(collect: Sequence[str]) -> Mode | None:
    """The one mode among the entries of `collect` that makes <result>.txt."""
    modes = [Mode(entry) for entry in collect if entry in set(Mode)]
    if len(set(modes)) > 1:
        what = f"collect: {', '.join(modes)} would all write the same <result>.txt"
        raise ConfigError(what, where="spe.yaml", todo="Keep one of them.")
    return modes[0] if modes else None


def text_results(specs: Iterable[ResultSpec]) -> list[ResultSpec]:
    """The results that <result>.txt is made for."""
    return [spec for spec in specs if spec.kind is Kind.TEXT]


def write_results_csv(path: Path, parameters: Sequence[str], results: Sequence[str], rows: Iterable[ResultRow]) -> int:
    """results.csv; gives the number of rows."""
    head = result_head(parameters, results)
    return _write_csv(path, head, (result_cells(row, parameters, results) for row in rows))


def write_failed_csv(path: Path, parameters: Sequence[str], rows: Iterable[FailedRow]) -> int:
    """failed.csv; gives the number of rows."""
    cells = ([str(row.number), *_values(row.values, parameters), row.reason] for row in rows)
    return _write_csv(path, ["number", *parameters, "reason"], cells)


def write_text(path: Path, mode: Mode, spec: ResultSpec, root: Path, rows: Iterable[ResultRow]) -> int:
    """<result>.txt of one result; `root` is runs/<name>/, where the outputs' files lie. Gives the number of rows."""
    write = {Mode.CONCAT: _concat, Mode.CONCAT_NUMBERED: _numbered, Mode.BLOCKS: _block}[mode]
    count = 0
    with _replacing(path) as stream:
        for row in rows:
            output = row.outputs.get(spec.name)  # the result may be younger than the row
            write(stream, row, content(output, spec, root) if output else iter(()), count == 0)
            count += 1
    return count


def content(output: Output, spec: ResultSpec, root: Path) -> Iterator[bytes]:
    """The result itself in pieces: the program's bytes, or the line with what was found in them."""
    if not is_verbatim(spec) or (output.raw is None and output.file is None):
        yield output.value.encode() + b"\n"
    elif output.raw is not None:
        yield output.raw
    else:
        with (root / str(output.file)).open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk


def csv_line(cells: Iterable[str]) -> bytes:
    """One line as RFC 4180 has it, but with a plain newline at its end.

    Not the csv module: up to Python 3.12 it leaves a carriage return inside a cell unquoted.
    """
    cells = list(cells)
    line = ",".join(cells)
    if QUOTED.search(line) or line.count(",") >= len(cells):  # rare, and looking at each cell is slow
        line = ",".join('"' + cell.replace('"', '""') + '"' if SPECIAL.search(cell) else cell for cell in cells)
    return (line + "\n").encode("utf-8", "replace")


def _write_csv(path: Path, head: Sequence[str], rows: Iterable[Iterable[str]]) -> int:
    count = 0
    with _replacing(path) as stream:
        stream.write(csv_line(head))
        for cells in rows:
            stream.write(csv_line(cells))
            count += 1
    return count


def result_head(parameters: Sequence[str], results: Sequence[str]) -> list[str]:
    """The columns of the table."""
    return ["number", *parameters, *results, "host", "seconds", "attempts"]


def result_cells(row: ResultRow, parameters: Sequence[str], results: Sequence[str]) -> list[str]:
    """One line of the table, in the order of its columns."""
    outputs = [row.outputs[name].value if name in row.outputs else "" for name in results]
    last = (row.host, f"{row.seconds:.3f}", str(row.attempts))
    return [str(row.number), *_values(row.values, parameters), *outputs, *last]


def _values(values: Mapping[str, str], parameters: Sequence[str]) -> list[str]:
    return [values.get(name, "") for name in parameters]  # a name may be younger than the row


def _concat(stream: BinaryIO, row: ResultRow, pieces: Iterator[bytes], first: bool) -> None:
    stream.writelines(pieces)


def _numbered(stream: BinaryIO, row: ResultRow, pieces: Iterator[bytes], first: bool) -> None:
    """Each line behind the task's number and a tab."""
    prefix = b"%d\t" % row.number
    at_start = True
    for piece in filter(None, pieces):
        ends = piece.endswith(b"\n")
        inner = piece[:-1] if ends else piece
        stream.write((prefix if at_start else b"") + inner.replace(b"\n", b"\n" + prefix) + (b"\n" if ends else b""))
        at_start = ends
    if not at_start:
        stream.write(b"\n")


def _block(stream: BinaryIO, row: ResultRow, pieces: Iterator[bytes], first: bool) -> None:
    """A head with number, names and values, then the result; an empty line between two blocks."""
    words = [f"{name}={_word(value)}" for name, value in row.values.items()]
    head = " ".join([f"# {row.number}", *words])
    stream.write((b"" if first else b"\n") + head.encode("utf-8", "replace") + b"\n")
    last = b"\n"
    for piece in filter(None, pieces):
        stream.write(piece)
        last = piece[-1:]
    if last != b"\n":
        stream.write(b"\n")


def _word(value: str) -> str:
    """A value that stays one word on one line: as it is, or as a JSON string."""
    return value if PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """The new content of a file, which appears all at once or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb", buffering=CHUNK) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as fault:
        where = str(fault.filename or path)
        what, todo = f"{path.name} cannot be made: {reason(fault)}", ""
        if fault.errno in FULL:
            todo = f"All results are in the database, and `spe collect` makes it later: {remedy(fault)}."
        raise StoreError(what, where=where, todo=todo) from fault
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """The new name is on disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def files_made(root: Path, specs: Sequence[ResultSpec], collect: Sequence[str]) -> list[Path]:
    """What write_all writes."""
    texts = text_results(specs) if text_mode(collect) is not None else []
    return [root / "results.csv", root / "failed.csv", *(root / f"{spec.name}.txt" for spec in texts)]


Rows = Callable[[], Iterable[ResultRow]]


def write_all(
    root: Path,
    parameters: Sequence[str],
    specs: Sequence[ResultSpec],
    collect: Sequence[str],
    rows: Rows,
    failed: Iterable[FailedRow],
) -> int:
    """Every file of a sweep's results; `rows` is called once per file. Gives the number of finished tasks."""
    count = write_results_csv(root / "results.csv", parameters, [spec.name for spec in specs], rows())
    write_failed_csv(root / "failed.csv", parameters, failed)
    mode = text_mode(collect)
    if mode is not None:
        for spec in text_results(specs):
            write_text(root / f"{spec.name}.txt", mode, spec, root, rows())
    return count

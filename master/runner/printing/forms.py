"""The forms in which `spe run` prints a set that has ended: what its program printed, or its row.

Each form reads from an open store, set by set, and holds one piece of an output at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from ...model import TaskState
from ...results.extract import CHUNK
from ...results.table_files import csv_line, result_cells, result_head, row_as_json
from ...session.run_folder import Folder, result_file
from ...store.printed.outputs import EndedSet, Printed, PrintedOutputs
from ...store.reader import Reader
from ..options import PrintOptions, Sink


class Stream:
    """Writes the outputs of sets one after another, so that each begins on a line of its own."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._is_open = False  # the last line has no end yet

    def write(self, pieces: Iterable[bytes], tag: bytes) -> None:
        """Write one output, which comes in pieces. `tag` stands before each of its lines."""
        # The newline is written before the next output, not behind this one: what the last set
        # printed stays as it was.
        begin = b"\n" if self._is_open else b""
        at_start = True
        for piece in filter(None, pieces):
            self._sink.write(begin + (_tagged(piece, tag, at_start) if tag else piece))
            begin = b""
            at_start = piece.endswith(b"\n")
            self._is_open = not at_start


def _tagged(piece: bytes, tag: bytes, at_start: bool) -> bytes:
    """Return a piece of an output with the tag before each line that begins in it."""
    # Behind the newline at the end of a piece there may be no further line.
    ended = piece.endswith(b"\n")
    inner = piece.removesuffix(b"\n").replace(b"\n", b"\n" + tag)
    return (tag if at_start else b"") + inner + b"\n" * ended


class Lines:
    """The outputs of programs: stdout to stdout, stderr to stderr."""

    def __init__(self, options: PrintOptions, folder: Folder) -> None:
        """`folder` is runs/<name>/."""
        self._tag, self._folder = options.tag, folder
        self._out, self._err = Stream(options.out), Stream(options.err)
        self.cut: list[int] = []  # sets of whose stdout only the end is stored
        self.gone: list[int] = []  # sets whose output was kept in a file that cannot be read

    def print(self, reader: Reader, ended: Sequence[EndedSet]) -> None:
        """Print these sets, one after another."""
        outputs = PrintedOutputs(reader.connection)
        for one in ended:
            stdout, stderr = outputs.of(one)
            if stdout.is_cut:
                self.cut.append(one.number)
            tag = self._tag_of(reader, one) if self._tag else b""
            self._write(self._out, one, stdout, tag)
            self._write(self._err, one, stderr, tag)

    def _tag_of(self, reader: Reader, one: EndedSet) -> bytes:
        values = json.loads(one.parameters)
        text = " ".join(values.get(name, "") for name in reader.parameters)
        return f"{text}\t".encode("utf-8", "replace")

    def _write(self, stream: Stream, one: EndedSet, printed: Printed, tag: bytes) -> None:
        try:
            stream.write(self._pieces(printed), tag)
        except OSError:
            self.gone.append(one.number)

    def _pieces(self, printed: Printed) -> Iterator[bytes]:
        """Yield an output in pieces: a tagged copy of all of it would be as large again."""
        if printed.file is None:
            for at in range(0, len(printed.raw), CHUNK):
                yield printed.raw[at : at + CHUNK]
            return
        with result_file(self._folder, printed.file).open("rb") as stream:
            while piece := stream.read(CHUNK):
                yield piece


class Rows:
    """The rows of the table: of sets that are done."""

    def __init__(self, options: PrintOptions) -> None:
        self._sink, self._form = options.out, options.form
        self._needs_head = options.form == "csv"

    def print(self, reader: Reader, ended: Sequence[EndedSet]) -> None:
        """Print the rows of these sets, in their order."""
        self.begin(reader)
        numbers = [one.number for one in ended if one.state is TaskState.DONE]
        if numbers:
            found = {row.number: row for row in reader.rows(numbers)}
            head = result_head(reader.parameters, reader.results)
            rows = [found[number] for number in numbers if number in found]
            cells = (result_cells(row, reader.parameters, reader.results) for row in rows)
            line = csv_line if self._form == "csv" else lambda one: row_as_json(head, one) + b"\n"
            for one in cells:
                self._sink.write(line(one))

    def begin(self, reader: Reader) -> None:
        """Print the head of the table, once; also where no set will have a row."""
        if self._needs_head:
            self._needs_head = False
            self._sink.write(csv_line(result_head(reader.parameters, reader.results)))

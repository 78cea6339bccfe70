"""Records of an extraction: a set as it is stored, and what becomes of it under other `results`.

A set whose outputs were made by another `results` is judged again: from its evidence (all bytes that
are stored of what its program wrote, by their source) come new outputs, and what stays kept for a
later `results`. A cell stays empty when its bytes were not stored. review.py and renewal.py decide
that, pure; extract_again.py reads, judges, moves the files and writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any
from urllib.parse import quote

from ..model import Kind, Output, ResultSpec, TaskState
from ..record import record
from .trees import files_in, folder_of, read_list

STDOUT = "stdout"
NONE = 0  # in place of a row of `specs`: the set has no outputs, all its evidence is kept
LONGEST = 200  # bytes of a file's name: file systems take 255


@record
class Evidence:
    """All bytes that a program wrote to one source; in `raw`, or in `file` below runs/<name>/.

    With both it is a tree of files: `file` is their folder, and `raw` their list (trees.py).
    """

    source: str  # stdout, stderr, or a ResultSpec's `origin`
    raw: bytes | None
    file: str | None
    size: int

    @property
    def is_tree(self) -> bool:
        """True for any number of files."""
        return self.file is not None and self.raw is not None

    @property
    def files(self) -> list[str]:
        """The paths of its files below runs/<name>/; none when its bytes are in `raw`."""
        return files_in(self.file, self.raw)

    def named_files(self) -> list[tuple[str, str, int]]:
        """Return (path below runs/<name>/, path in the task's directory, bytes) of its files."""
        if self.file is None:
            return []
        if not self.is_tree:
            return [(self.file, self.source, self.size)]
        kind = Kind.FILES if self.source.endswith("//") else Kind.FOLDER
        above = folder_of(ResultSpec("", self.source.rstrip("/"), kind))
        listed = read_list(self.raw or b"")
        pairs = zip(self.files, listed, strict=True)
        return [(path, f"{above}/{name}" if above else name, size) for path, (name, size) in pairs]

    def at(self, file: str | None) -> Evidence:
        """Return the same bytes in another file or folder."""
        return replace(self, file=file)


@record
class StoredSet:
    """A set with a result, as it stands in the store."""

    number: int
    state: TaskState
    ticket: int
    accepted: bool  # False: a hook could not judge the result, and the set counts as failed
    # Row of `specs` that its outputs were made by; None: before there were such rows.
    spec: int | None
    reason: str | None
    outputs: Mapping[str, Output]
    kept: Mapping[str, Evidence]
    stdout: bytes | None  # as it is kept with the attempt; None: not stored, or cut
    values: Mapping[str, str] = field(default_factory=dict)  # its parameters
    has_gap: bool = False


@record
class Move:
    """A file to be made before the commit: `target` with the bytes of `file`, or with `raw`.

    Both names are below runs/<name>/.
    """

    target: str
    file: str | None
    raw: bytes | None


@record
class Renewal:
    """The future of one set: its rows, and what happens to its files before and after the commit."""

    before: StoredSet
    state: TaskState
    ticket: int | None
    reason: str | None
    spec: int
    outputs: tuple[Output, ...] = ()  # new ones; others of the same names are replaced
    gone: tuple[str, ...] = ()  # names of outputs that are removed
    kept: tuple[Evidence, ...] = ()  # all that is kept afterwards
    gap: bool = False
    moves: tuple[Move, ...] = ()
    rubbish: tuple[str, ...] = ()  # files that nothing refers to once this is committed
    halfway: bool = (
        False  # True: all evidence was moved out of the way, the set needs a second turn
    )

    @property
    def is_adoption(self) -> bool:
        """True when nothing changes but the note by which `results` the outputs were made."""
        before = self.before
        if any((self.outputs, self.gone, self.moves, self.rubbish, self.gap, before.has_gap)):
            return False
        kept = {one.source: one for one in self.kept}
        was = (before.state, before.ticket, before.reason, dict(before.kept))
        return was == (self.state, self.ticket, self.reason, kept)


def canonical(specs: Sequence[ResultSpec]) -> str:
    """Return the `results` of spe.yaml as they stand in the store: equal texts extract the same."""
    by_name = sorted(specs, key=lambda one: one.name)
    return json.dumps([_plain(spec) for spec in by_name], ensure_ascii=False)


def _plain(spec: ResultSpec) -> dict[str, object]:
    found: dict[str, object] = {"name": spec.name, "from": spec.source, "as": spec.kind.value}
    more = {"regex": spec.regex, "path": spec.path, "min": spec.minimum, "max": spec.maximum}
    # Unset ones are left out, so that a new key of spe.yaml does not make old texts differ.
    return found | {key: value for key, value in more.items() if value is not None}


def parsed(text: str) -> tuple[ResultSpec, ...]:
    """Return the results whose `canonical` text this is."""
    return tuple(_spec(one) for one in json.loads(text))


def _spec(one: Mapping[str, Any]) -> ResultSpec:
    return ResultSpec(
        name=one["name"],
        source=one["from"],
        kind=Kind(one["as"]),
        regex=one.get("regex"),
        path=one.get("path"),
        minimum=one.get("min"),
        maximum=one.get("max"),
    )


def kept_file(number: int, source: str) -> str:
    """Return where a source is kept that no result is made of: a file, or the folder of a tree.

    No result has a name that begins with a dot, so `.kept` never collides with one.
    """
    name = quote(source, safe=" ")
    # Quoted names keep the source readable; only very long ones become a checksum.
    if len(name) > LONGEST:
        name = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()
    return f"files/{number}/.kept/{name}"

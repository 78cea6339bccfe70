"""spe.json: what a zip is made of, as `spe export` writes it and `spe replay` reads it.

The zip comes from anywhere, so each value is checked when it is read.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..model import Kind
from ..record import Word, record
from ..version import __version__

FORMAT = 1
NAME = "spe.json"
SUMS = "SHA256SUMS"
METADATA = "ro-crate-metadata.json"
SWEEP = "sweep/"  # the folder of the sweep's files
RESULTS = "results/"
TABLE, FAILED, SETS, DIGESTS = (
    f"{RESULTS}{name}.csv" for name in ("results", "failed", "parameters", "digests")
)
REPORT = "report.html"
_MODE = re.compile("0[0-7]{3}")  # no setuid, setgid or sticky: a zip could give rights by them


class Role(Word):
    """What a file of a sweep is to it."""

    SWEEP = "sweep"  # spe.yaml, the parameter file, hooks
    PROGRAM = "program"
    INPUT = "input"


@record
class SweepFile:
    """A file that a sweep needs. `path`: from the sweep's folder, as spe.yaml writes it."""

    path: str
    role: Role
    sha256: str
    size: int
    mode: int  # permissions, at most 0o777
    included: bool  # in the zip

    @property
    def is_outside(self) -> bool:
        """True for a file outside of the sweep's folder: it is never in a zip."""
        return self.path.startswith(("/", "../"))

    @property
    def called(self) -> str:
        """Return what messages call it."""
        return f"{'file' if self.role is Role.SWEEP else self.role} {self.path}"


@record
class Program:
    """A program that made rows. `parts`: file -> SHA-256; None: not recorded.

    `numbers`: the sets that it made; None for the program of all others.
    """

    parts: Mapping[str, str] | None
    sets: int
    numbers: Sequence[int] | None = None


@record
class Manifest:
    """What a zip is made of."""

    name: str
    made: float
    parameters: Sequence[str]
    results: Mapping[str, Kind]
    programs: Sequence[Program]
    files: Sequence[SweepFile]
    folders: Sequence[str] = ()  # the empty ones of the inputs, from the sweep's folder
    spe: str = __version__

    def as_text(self) -> str:
        """Return the text of spe.json."""
        return json.dumps(
            {
                "format": FORMAT,
                "spe": self.spe,
                "name": self.name,
                "made": self.made,
                "parameters": list(self.parameters),
                "results": {name: kind.value for name, kind in self.results.items()},
                "programs": [_program_record(one) for one in self.programs],
                "files": [
                    {
                        "path": one.path,
                        "role": one.role.value,
                        "sha256": one.sha256,
                        "bytes": one.size,
                        "mode": f"{one.mode:04o}",
                        "included": one.included,
                    }
                    for one in self.files
                ],
                "folders": list(self.folders),
            },
            indent=1,
        )


def _program_record(one: Program) -> dict[str, Any]:
    numbers = None if one.numbers is None else list(one.numbers)
    parts = None if one.parts is None else dict(one.parts)
    return {"parts": parts, "sets": one.sets, "numbers": numbers}


def read_manifest(text: bytes, where: str) -> Manifest:
    """Return what a spe.json says. Raises UsageError for one that `spe export` did not write."""
    try:
        found = json.loads(text)
        newest = found["format"]
        if newest != FORMAT:
            what = f"{NAME} has format {newest!r}, and this spe knows format {FORMAT}"
            raise UsageError(what, where=where, todo="Update spe.")
        return Manifest(
            name=_text(found["name"]),
            made=float(found["made"]),
            parameters=[_text(one) for one in found["parameters"]],
            results={_text(name): Kind(kind) for name, kind in found["results"].items()},
            programs=[_read_program(one) for one in found["programs"]],
            files=[_read_file(one) for one in found["files"]],
            folders=[_below(one) for one in found.get("folders", ())],
            spe=_text(found["spe"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        todo = "Ask for a zip that `spe export` wrote."
        raise UsageError(f"{NAME} in it is damaged: {error}", where=where, todo=todo) from error


def _text(value: object) -> str:
    # Messages show these texts on a terminal, which others must not steer.
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{value!r} is no printable text")
    return value


def _read_program(found: Mapping[str, Any]) -> Program:
    parts, numbers = found["parts"], found["numbers"]
    return Program(
        None if parts is None else {_text(name): _text(one) for name, one in parts.items()},
        int(found["sets"]),
        None if numbers is None else [int(one) for one in numbers],
    )


def _read_file(found: Mapping[str, Any]) -> SweepFile:
    one = SweepFile(
        path=_text(found["path"]),
        role=Role(found["role"]),
        sha256=_text(found["sha256"]),
        size=int(found["bytes"]),
        mode=_mode(found),
        included=bool(found["included"]),
    )
    if one.path != posixpath.normpath(one.path):
        raise ValueError(f"{one.path!r} is no path")
    if one.included and one.is_outside:
        raise ValueError(f"{one.path!r} leads out of the folder")
    return one


def _mode(found: Mapping[str, Any]) -> int:
    if "mode" not in found:  # a zip that an earlier spe wrote
        return 0o755 if found["executable"] else 0o644
    text = _text(found["mode"])
    if not _MODE.fullmatch(text):
        raise ValueError(f"{text!r} are no permissions of a file")
    return int(text, 8)


def _below(value: object) -> str:
    """Return the path of a folder below that of the sweep."""
    path = _text(value)
    if path != posixpath.normpath(path) or path == "." or path.split("/")[0] in ("", ".."):
        raise ValueError(f"{path!r} is no folder of the sweep")
    return path

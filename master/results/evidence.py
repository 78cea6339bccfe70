"""What a client reports beside the results, read with suspicion: exit code, usage, ends of the output, files there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from ..model import Failure, Output, Usage
from ..text import printable
from .extract import Part
from .leftovers import Leftovers, parse

KEPT = 64 * 1024  # bytes of stdout and stderr that are kept of an attempt
USED = ("wall", "user", "system", "memory", "read", "written")  # seconds, bytes
LARGEST, LONGEST = 10**18, 10**9  # of each of them, and of the seconds `wall`: thirty years
NUMBERS = frozenset((int, float))  # float() takes more that JSON has: true, "5", "1_0"
WHOLE = "-"  # `-stdout` is the part with all of stdout: no result has a name that begins so
_EXIT_CODE = re.compile(rb"\s*(-?[0-9]{1,10})\s*")
_decoded = json.JSONDecoder().decode


def tail_of(parts: Mapping[str, Part], name: str) -> bytes:
    """The end of one part, empty when it is not there."""
    part = parts.get(name)
    if part is None:
        return b""
    return part.read()[-KEPT:] if part.data is not None else _file_tail(part)


def printed(parts: Mapping[str, Part], name: str) -> bytes:
    """The end of stdout or stderr; the client may have brought all of it (`keep_output: all`)."""
    return tail_of(parts, WHOLE + name if WHOLE + name in parts else name)


def whole_outputs(parts: Mapping[str, Part], folder: str) -> tuple[Output, ...]:
    """What was brought whole because of `keep_output: all` and is more than the store keeps in any case. `folder`:
    where the task's files lie, below runs/<name>/."""
    found = []
    for name in ("stdout", "stderr"):
        part = parts.get(WHOLE + name)
        if part is not None and part.size >= KEPT:
            file = f"{folder}/.kept/{name}" if part.path else None
            found.append(Output(WHOLE + name, "", part.data, file, part.size))
    return tuple(found)


def _file_tail(part: Part) -> bytes:
    if part.path is None:
        return b""
    with part.path.open("rb") as file:
        file.seek(max(0, part.size - KEPT))
        return file.read()


def exit_code_of(parts: Mapping[str, Part]) -> int | None:
    """The program's exit code, None when the client did not say or said nonsense."""
    part = parts.get("exit-code")
    found = _EXIT_CODE.fullmatch(part.read()) if part is not None and part.size <= 20 else None
    code = int(found[1]) if found else 0
    return code if found and abs(code) < 2**32 else None  # Windows has codes of 32 bits; what is more fits no column


def bad_exit_code(parts: Mapping[str, Part]) -> str | None:
    """Why a result is refused of which exit_code_of knows no exit code; None where its client told none."""
    said = tail_of(parts, "exit-code").strip()
    return None if not said else f"exit code {printable(said[:40].decode('utf-8', 'replace'))!r} is none"


def usage_of(parts: Mapping[str, Part], wall: float) -> Usage:
    """What the attempt used; `wall` is the master's own measure, for clients that tell nothing."""
    part = parts.get("usage")
    if part is None or part.size > 4096:
        return Usage(wall=round(wall, 6))
    try:
        told = _decoded(part.read().decode())  # what json.loads does beside is more than the reading itself
        said = [told.get(key, 0) for key in USED]
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError):
        return Usage(wall=round(wall, 6))
    if not NUMBERS.issuperset(map(type, said)) or [one for one in said if not 0 <= one <= LARGEST]:  # nor nan
        return Usage(wall=round(wall, 6))
    if said[0] > LONGEST:
        return Usage(wall=round(wall, 6))
    memory, read, written = map(int, said[3:])
    moved = (read if "read" in told else None, written if "written" in told else None)
    return Usage(float(said[0]) or round(wall, 6), float(said[1]), float(said[2]), memory, *moved)


def files_of(parts: Mapping[str, Part]) -> Leftovers | None:
    """The files that were in its directory; None when the client did not say."""
    return parse(tail_of(parts, "files").decode("utf-8", "replace"))


def failure_of(reason: str, exit_code: int | None, stderr: bytes, files: Leftovers | None = None) -> Failure:
    """The class of a failure, for `retry`, and its sentence, for people."""
    text = stderr.decode("utf-8", "replace")
    sentence = reason or (f"exit code {exit_code}" if exit_code is not None else "the client gave no reason")
    said = printable(_with_last_line(sentence, text))
    return Failure(_kind(sentence, exit_code), said, exit_code, text, str(files) if files else None)


# The sentences of a client (its report.py, attempt.py and directory.py), as docs/protocol.md has them.
_KINDS = {
    "timeout": re.compile(r"timeout"),
    "missing": re.compile(r"result file .* (was not written|cannot be read|is not a regular file)"),
    "start": re.compile(r"program '.*(not found on|not executable on|cannot be started on)|cannot make '"),
}


def _kind(reason: str, exit_code: int | None) -> str:
    for kind, sentence in _KINDS.items():
        if sentence.match(reason):
            return kind
    if exit_code is not None and exit_code > 0:
        return f"exit:{exit_code}"
    found = re.match(r"(?:exit code|killed by signal) (\d+)", reason)
    if found:
        return ("exit:" if reason.startswith("exit") else "signal:") + found.group(1)
    return "other"


def _with_last_line(sentence: str, stderr: str) -> str:
    lines = stderr.strip().splitlines()
    return f"{sentence}: {lines[-1].strip()[:300]}" if lines else sentence

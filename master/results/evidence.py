"""Reports of a client beside the results: exit code, usage, ends of the output, files there.

All of it is read with suspicion: a client may be of another version, broken, or a stranger's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..model import Failure, Output, Usage
from ..text import printable
from .extract import Part
from .leftovers import Leftovers, parse

KEPT = 64 * 1024  # bytes of stdout and stderr that are kept of an attempt
USED = ("wall", "user", "system", "memory", "read", "written")  # seconds, bytes
LARGEST = 10**18  # largest value of each figure of USED
LONGEST = 10**9  # seconds of `wall`: thirty years
NUMBERS = frozenset((int, float))  # float() accepts more that JSON has: true, "5", "1_0"
WHOLE = "-"  # `-stdout` is the part with all of stdout: no result has a name that begins so
_MOST_USAGE = 4096  # bytes of the part `usage`
_MOST_EXIT_CODE = 20  # bytes of the part `exit-code`
_EXIT_CODES = 2**32  # Windows has codes of 32 bits; larger ones fit no column of the database
_EXIT_CODE = re.compile(rb"\s*(-?[0-9]{1,10})\s*")
# Not json.loads: the work around its decoder takes longer than decoding these few bytes.
_decoded = json.JSONDecoder().decode


def tail_of(parts: Mapping[str, Part], name: str) -> bytes:
    """Return the last KEPT bytes of a part, empty when it is not there."""
    part = parts.get(name)
    if part is None:
        return b""
    # Only the end is read of a file, which may have gigabytes.
    if part.data is not None:
        return part.read()[-KEPT:]
    return _file_tail(part)


def printed(parts: Mapping[str, Part], name: str) -> bytes:
    """Return the end of stdout or stderr; the client may have sent all of it (`keep_output: all`)."""
    if WHOLE + name in parts:
        name = WHOLE + name
    return tail_of(parts, name)


def whole_outputs(parts: Mapping[str, Part], folder: str) -> tuple[Output, ...]:
    """Return stdout and stderr as outputs, where the client sent all and more than KEPT bytes.

    `folder`: where the task's files lie, below runs/<name>/.
    """
    names = [name for name in ("stdout", "stderr") if WHOLE + name in parts]
    if not names:  # the usual case, without `keep_output: all`
        return ()
    return tuple(filter(None, (_whole_output(parts[WHOLE + name], name, folder) for name in names)))


def _whole_output(part: Part, name: str, folder: str) -> Output | None:
    if part.size < KEPT:  # the log of the attempt has it all already
        return None
    file = f"{folder}/.kept/{name}" if part.path else None
    return Output(WHOLE + name, "", raw=part.data, file=file, size=part.size)


def _file_tail(part: Part) -> bytes:
    if part.path is None:
        return b""
    with part.path.open("rb") as file:
        file.seek(max(0, part.size - KEPT))
        return file.read()


def exit_code_of(parts: Mapping[str, Part]) -> int | None:
    """Return the program's exit code, None when the client sent none or nonsense."""
    part = parts.get("exit-code")
    if part is None or part.size > _MOST_EXIT_CODE:
        return None
    found = _EXIT_CODE.fullmatch(part.read())
    if found is None:
        return None
    code = int(found[1])
    return code if abs(code) < _EXIT_CODES else None


def bad_exit_code(parts: Mapping[str, Part]) -> str | None:
    """Return why a result is refused whose exit_code_of is None; None when the client sent none."""
    said = tail_of(parts, "exit-code").strip()
    if not said:
        return None
    return f"exit code {printable(said[:40].decode('utf-8', 'replace'))!r} is none"


def usage_of(parts: Mapping[str, Part], wall: float) -> Usage:
    """Return the resources that the attempt used.

    `wall`: seconds as the master measured them, for clients that report nothing credible.
    """
    measured = round(wall, 6)
    part = parts.get("usage")
    if part is None or part.size > _MOST_USAGE:
        return Usage(wall=measured)
    return _reported_usage(part, measured) or Usage(wall=measured)


def _reported_usage(part: Part, measured: float) -> Usage | None:
    """Return the usage that the client reports, None when it is not credible."""
    try:
        told = _decoded(part.read().decode())
        figures = [told.get(key, 0) for key in USED]
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError):
        return None
    if not _are_credible(figures):
        return None
    wall, user, system, memory, *_ = figures
    return Usage(
        wall=float(wall) or measured,
        user=float(user),
        system=float(system),
        memory=int(memory),
        # None and 0 bytes differ: many systems do not count what a process reads.
        read=_moved_bytes(told, "read"),
        written=_moved_bytes(told, "written"),
    )


def _moved_bytes(told: Mapping[str, Any], key: str) -> int | None:
    if key not in told:
        return None
    return int(told[key])


def _are_credible(figures: Sequence[Any]) -> bool:
    # By type and not isinstance(): true and false are ints in Python.
    if not NUMBERS.issuperset(map(type, figures)):
        return False
    # A list and not all(): a generator takes half a microsecond more. NaN is in no range.
    if [one for one in figures if not 0 <= one <= LARGEST]:
        return False
    return bool(figures[0] <= LONGEST)


def files_of(parts: Mapping[str, Part]) -> Leftovers | None:
    """Return the files that were in the task's directory; None when the client sent no list."""
    return parse(tail_of(parts, "files").decode("utf-8", "replace"))


def failure_of(
    reason: str,
    exit_code: int | None,
    stderr: bytes,
    files: Leftovers | None = None,
) -> Failure:
    """Return the failure: its kind, which `retry` matches, and its sentence for people."""
    text = stderr.decode("utf-8", "replace")
    sentence = reason or _sentence_of(exit_code)
    said = printable(_with_last_line(sentence, text))
    listed = str(files) if files else None
    return Failure(_kind(sentence, exit_code), said, exit_code, text, listed)


def _sentence_of(exit_code: int | None) -> str:
    if exit_code is None:
        return "the client gave no reason"
    return f"exit code {exit_code}"


# The sentences of a client (its report.py, attempt.py and directory.py), as docs/protocol.md has them.
_KINDS = {
    "timeout": re.compile(r"timeout"),
    "missing": re.compile(
        r"result (file|files|folder) .* "
        r"(was not written|were not written|cannot be read|is not a regular file|is a link to)"
    ),
    "start": re.compile(
        r"program '.*(not found on|not executable on|cannot be started on)|cannot make '"
    ),
}
_NUMBERED = {
    "exit": re.compile(r"exit code (\d+)"),
    "signal": re.compile(r"killed by signal (\d+)"),
}


def _kind(reason: str, exit_code: int | None) -> str:
    """Return the kind of a failure: "timeout", "missing", "start", "exit:N", "signal:N" or "other"."""
    # The sentence counts more than the code: a program that was killed at its limit has a code too.
    for kind, sentence in _KINDS.items():
        if sentence.match(reason):
            return kind
    # A code of 0 with a reason is no exit status: the client found another fault.
    if exit_code is not None and exit_code > 0:
        return f"exit:{exit_code}"
    return _numbered_kind(reason)


def _numbered_kind(reason: str) -> str:
    for kind, sentence in _NUMBERED.items():
        found = sentence.match(reason)
        if found:
            return f"{kind}:{found[1]}"
    return "other"


def _with_last_line(sentence: str, stderr: str) -> str:
    lines = stderr.strip().splitlines()
    if not lines:
        return sentence
    # The last line only: there a Python traceback and most other programs name the error.
    return f"{sentence}: {lines[-1].strip()[:300]}"

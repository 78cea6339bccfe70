"""The reason in what pip prints when it fails, in one line."""

from __future__ import annotations

import re

MOST = 600  # characters of a reason
MOST_INNER = 2  # last lines of a program that pip has run
# pip tells a program that failed twice, the second time with "See above for output".
_PROGRAM = re.compile(
    r"^\s*× (?P<what>[^\n]+)\n\s*│ (?P<code>[^\n]+)\n\s*╰─> \[\d+ lines of output\]\n"
    r"(?P<output>.*?)^\s*\[end of output\]",
    re.MULTILINE | re.DOTALL,
)
_ERROR = re.compile(r"^(?:ERROR|.*?\berror): (.+)$", re.MULTILINE)
_STATUS = re.compile(r"\b([45]\d\d) (?:Client|Server) Error: (.*?) for url")
_SYSTEM = re.compile(r"\[Errno -?\d+\] ([^'\")>]+)")
_NO_REASON = ("Exception:", "subprocess-exited-with-error")


def reason(said: str) -> str:
    """Return what failed, from the output of a pip that has failed."""
    program = _PROGRAM.search(said)
    if program:
        inner = [line.strip() for line in program["output"].splitlines() if line.strip()]
        return _cut(f"{program['what']} ({program['code']}) {' '.join(inner[-MOST_INNER:])}")
    errors = [one for one in dict.fromkeys(_ERROR.findall(said)) if one not in _NO_REASON]
    if errors:
        return _cut(" / ".join(errors))
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("WARNING")]
    return _cut(lines[-1].strip()) if lines else "it said nothing"


def index_fault(said: str) -> str:
    """Return why an index does not answer: `Connection refused`, `401 Unauthorized`."""
    status = _STATUS.search(said)
    if status:
        return f"{status[1]} {status[2]}".strip()
    system = _SYSTEM.findall(said)
    if system:
        return _cut(str(system[-1]))
    return _cut(said.removeprefix("connection error: "))


def _cut(text: str) -> str:
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"

"""What the master and the hook process say to each other: pickled tuples with their length in front.

Both ends are this program, of this user, on this machine, and one starts the other: no version, no credential.
It leaves the process to child.py and the waiting to call_queue.py.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..model import ResultSpec
from ..record import record
from ..results.extract import Part
from ..results.judge import Judgement

LENGTH = struct.Struct(">I")


@record
class Setup:
    """The first message: what this process is for."""

    folder: Path  # of the sweep: its working directory, and the first place where it looks for modules
    functions: tuple[str, ...]  # FILE.py:FUNCTION
    specs: tuple[ResultSpec, ...]
    validators: tuple[str, ...]
    scratch: Path  # for files that are made on demand, and made with the first one
    limit: float  # seconds, after which a call is killed by the kernel even when the master is gone


@record
class Given:
    """One result on its way to a function. Without a `value` the text is that of the bytes.

    The bytes lie in `file`, or are `raw`, or are the value and a newline.
    """

    name: str
    value: str | None
    raw: bytes | None
    file: str | None
    file_name: str


@record
class Call:
    """Call one of the functions."""

    function: int
    number: int
    parameters: Mapping[str, str]
    results: tuple[Given, ...]
    exit_code: int | None
    stderr: str
    host: str
    seconds: float
    wants_verdict: bool


@record
class Judge:
    """Judge one report (judge.py), because its specifications have a regex."""

    parts: Mapping[str, Part]
    exit_code: int | None
    folder: str
    again: bool = False  # from what is stored: what has no part is left out, and no validation is held


@record
class Trouble:
    """A function, or the import of its file, went wrong."""

    what: str  # one line
    traceback: str = ""
    file: str = ""
    line: int = 0
    todo: str = ""


@record
class Answer:
    """The reply to the setup (after the imports) and to each call: all well unless there is trouble."""

    trouble: Trouble | None = None
    reason: str | None = None  # why a function said no
    judgement: Judgement | None = None


def pack(message: object) -> bytes:
    """One message as it goes over a pipe."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(body)) + body


def receive(stream: BinaryIO) -> Any:
    """The next message, or None when the other end is gone."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    return pickle.loads(body) if len(body) == length else None

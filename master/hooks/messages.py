"""The messages between the master and the hook process: pickled records with their length in front.

Both ends are this program, of this user, on this machine, and one starts the other: so there is no
version and no credential. The process is child.py's business, the waiting call_queue.py's.
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
class HookSetup:
    """The first message: what the process is for."""

    # Folder of the sweep: the working directory, and the first place where Python looks for modules
    folder: Path
    functions: tuple[str, ...]  # FILE.py:FUNCTION
    specs: tuple[ResultSpec, ...]
    validators: tuple[str, ...]
    scratch: Path  # for files that are made on demand, and made with the first one
    limit: float  # seconds, after which a call is killed by the kernel even when the master is gone


@record
class Given:
    """A result on its way to a function; `file` may be a folder. Without a `value` the text is that of the bytes.

    The bytes are in `file`, or they are `raw`, or they are the value and a newline.
    """

    name: str
    value: str | None
    raw: bytes | None
    file: str | None
    file_name: str
    # Of a result of several files whose folder is not made yet: (path below it, where it lies now).
    tree: tuple[tuple[str, str], ...] = ()


@record
class Call:
    """The call of one function."""

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
    """The call to judge one report (judge.py), because its specifications have a regex."""

    parts: Mapping[str, Part]
    exit_code: int | None
    folder: str
    specs: tuple[ResultSpec, ...]  # as they are for this set
    again: bool = False  # a stored result: what has no part is left out, and nothing is validated


@record
class Trouble:
    """The fault of a function, or of the import of its file."""

    what: str  # one line
    traceback: str = ""
    file: str = ""
    line: int = 0
    todo: str = ""


@record
class Answer:
    """The reply to the setup (after the imports) and to each call: all is well unless there is
    trouble.
    """

    trouble: Trouble | None = None
    reason: str | None = None  # reason that a function gave for its no
    judgement: Judgement | None = None


def pack(message: object) -> bytes:
    """Return one message as it goes over a pipe."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(body)) + body


def receive(stream: BinaryIO) -> Any:
    """Return the next message, or None when the other end is gone."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    if len(body) < length:
        return None
    return pickle.loads(body)

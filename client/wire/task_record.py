"""Reads task records off the wire. Pure: bytes in, Tasks out. The form is in docs/protocol.md."""

import os
import re
from functools import lru_cache
from typing import Any, Dict, List, Match, NamedTuple, Optional, Tuple

LINE_END = ord("\n")
BEGIN, END = b"--begin content--\n", b"\n--end content--"

# One piece of a word as a POSIX shell quotes it: '...', "...", \x, or plain characters.
_PIECE = re.compile(rb"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^ \t\n'"\\]+)""", re.DOTALL)
_IN_DOUBLE = re.compile(rb'\\([$`"\\\n])')
_RESULT = re.compile(rb"(?:(?:Name|File)=[^\n]*(?:\n|\Z))*")


class BadRecord(Exception):
    """What came is not a task record."""


class Input(NamedTuple):
    """A file for the task's directory: its content, or the checksum under which it can be fetched."""

    name: str
    content: bytes
    sha256: str
    length: int


class Result(NamedTuple):
    """A named result and the file that it is in (`stdout`: what the program printed)."""

    name: str
    file: str


class Task(NamedTuple):
    """One task as the master gave it out."""

    ticket: int
    number: str
    timeout: float
    words: List[bytes]
    env: Dict[bytes, bytes]
    inputs: List[Input]
    results: List[Result]


def to_plain(task: Task) -> Tuple[Any, ...]:
    """The same, of nothing but Python's own tuples, lists and dictionaries."""
    return (*task[:5], [tuple(one) for one in task.inputs], [tuple(one) for one in task.results])


def from_plain(plain: Tuple[Any, ...]) -> Task:
    """What `to_plain` was given."""
    ticket, number, timeout, words, env, inputs, results = plain
    return Task(ticket, number, timeout, words, env, [Input(*one) for one in inputs], [Result(*one) for one in results])


def parse_tasks(data: bytes) -> List[Task]:
    """All records of one reply."""
    tasks, at = [], 0
    while at < len(data):
        if data[at] == LINE_END:
            at += 1
            continue
        task, at = _parse_task(data, at)
        tasks.append(task)
    return tasks


def parse_words(data: bytes, at: int = 0) -> Tuple[List[bytes], int]:
    """Words quoted as a POSIX shell reads them, up to the first line end outside quotes; and where that is."""
    words: List[bytes] = []
    word: Optional[bytes] = None
    while at < len(data) and data[at] != LINE_END:
        piece = _PIECE.match(data, at)
        if piece:
            word = (word or b"") + _unquoted(piece)
            at = piece.end()
        elif data[at : at + 1] in (b" ", b"\t"):
            words, word, at = _with(words, word), None, at + 1
        else:
            raise BadRecord("a quote is opened and not closed")
    return _with(words, word), at


def _with(words: List[bytes], word: Optional[bytes]) -> List[bytes]:
    return words if word is None else [*words, word]


def _unquoted(piece: Match[bytes]) -> bytes:
    single, double, escaped, plain = piece.groups()
    if single is not None:
        return bytes(single)
    if double is not None:
        return _IN_DOUBLE.sub(lambda found: b"" if found.group(1) == b"\n" else found.group(1), double)
    if escaped is not None:
        return b"" if escaped == b"\n" else bytes(escaped)  # a backslash before a line end joins the lines
    return bytes(plain)


def _parse_task(data: bytes, at: int) -> Tuple[Task, int]:
    head: Dict[bytes, bytes] = {}
    words: List[bytes] = []
    env: Dict[bytes, bytes] = {}
    inputs: List[Input] = []
    results: List[Result] = []
    while at < len(data) and data[at] != LINE_END:
        line, after = _line(data, at)
        key, _, value = line.partition(b"=")
        if key == b"CommandLine":
            words, at = _words_at(data, at + 12)
        elif key == b"Env":
            pairs, at = _words_at(data, at + 4)
            env.update(pair.partition(b"=")[::2] for pair in pairs)
        elif line == b"[Input]":
            one, at = _parse_input(data, after)
            inputs.append(one)
        elif line == b"[Result]":
            keys = _RESULT.match(data, after)
            results.append(_parse_result(keys.group() if keys else b""))
            at = keys.end() if keys else after
        else:
            head[key], at = value, after
    ticket, timeout = _ticket_and_timeout(head)
    number = head.get(b"Task", b"").decode("ascii", "replace")
    return Task(ticket, number, timeout, words, env, inputs, results), at


def _ticket_and_timeout(head: Dict[bytes, bytes]) -> Tuple[int, float]:
    try:
        return int(head[b"Ticket"]), float(head.get(b"Timeout", b"0"))
    except (KeyError, ValueError):
        raise BadRecord("a task record without a good Ticket= or Timeout=")


def _words_at(data: bytes, at: int) -> Tuple[List[bytes], int]:
    words, at = parse_words(data, at)
    return words, at + 1


def _parse_input(data: bytes, at: int) -> Tuple[Input, int]:
    keys, at = _keys(data, at, (b"File", b"Length", b"SHA256"))
    length = int(keys[b"Length"]) if keys.get(b"Length", b"").isdigit() else -1
    sha256 = keys.get(b"SHA256", b"").decode("ascii", "replace")
    content = b""
    if data[at : at + len(BEGIN)] == BEGIN:
        start = at + len(BEGIN)
        if length < 0 or data[start + length : start + length + len(END)] != END:
            raise BadRecord("the content of an input is not as long as its Length= says")
        content, (_, at) = data[start : start + length], _line(data, start + length + 1)
    elif not sha256:
        raise BadRecord("an input without its content")
    return Input(os.fsdecode(keys.get(b"File", b"")), content, sha256, length), at


@lru_cache(maxsize=100)
def _parse_result(lines: bytes) -> Result:
    """All tasks of a sweep have the same results."""
    keys, _ = _keys(lines, 0, (b"Name", b"File"))
    return Result(os.fsdecode(keys.get(b"Name", b"")), os.fsdecode(keys.get(b"File", b"")))


def _keys(data: bytes, at: int, known: Tuple[bytes, ...]) -> Tuple[Dict[bytes, bytes], int]:
    """The Key=Value lines of a section, each known key once; stops before anything else."""
    keys: Dict[bytes, bytes] = {}
    while at < len(data):
        line, after = _line(data, at)
        key, found, value = line.partition(b"=")
        if not found or key not in known or key in keys:
            break
        keys[key], at = value, after
    return keys, at


def _line(data: bytes, at: int) -> Tuple[bytes, int]:
    end = data.find(b"\n", at)
    end = len(data) if end < 0 else end
    return data[at:end], end + 1

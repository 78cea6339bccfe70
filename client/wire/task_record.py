"""Task records as the master sends them: bytes in, Tasks out. docs/protocol.md has the form."""

import os
import re
from functools import lru_cache
from typing import Any, Dict, List, Match, NamedTuple, Optional, Tuple

LINE_END = ord("\n")
ARCHIVE, EXECUTABLE = ".tar", ".x"  # end the keys of such originals
BEGIN, END = b"--begin content--\n", b"\n--end content--"

# One piece of a word as a POSIX shell quotes it: '...', "...", \x, or plain characters. shlex was
# rejected: it takes text, not bytes, and more than twice as long.
_PIECE = re.compile(rb"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^ \t\n'"\\]+)""", re.DOTALL)
_IN_DOUBLE = re.compile(rb'\\([$`"\\\n])')
_RESULT = re.compile(rb"(?:(?:Name|File|Kind)=[^\n]*(?:\n|\Z))*")


class BadRecord(Exception):
    """Raised when what came is not a task record."""


class Input(NamedTuple):
    """A file for the task's directory: its content, or the checksum under which it can be fetched.

    An archive is many files: `name` is the folder for them, "." the directory itself.
    """

    name: str
    content: bytes
    sha256: str
    length: int
    mode: int = 0  # permissions, 0: as this host makes files
    is_own: bool = False  # each task gets a copy, which it may write
    is_archive: bool = False

    @property
    def key(self) -> str:
        """Return the key of the original that tasks share; "" for what comes with its content."""
        if self.is_archive:
            return self.sha256 + ARCHIVE
        # The same bytes with and without the right to execute them are two files.
        return self.sha256 + EXECUTABLE if self.sha256 and self.mode & 0o111 else self.sha256


class Result(NamedTuple):
    """A named result and the file that it is in (`stdout`: what the program printed).

    Where it has several files, `kind` is `files` and `file` a pattern, or `folder` and a folder.
    """

    name: str
    file: str
    kind: str = ""


class Task(NamedTuple):
    """A task as the master gave it out."""

    ticket: int
    number: str
    timeout: float
    words: List[bytes]
    env: Dict[bytes, bytes]
    inputs: List[Input]
    results: List[Result]


def to_plain(task: Task) -> Tuple[Any, ...]:
    """Return a task as tuples, lists and dictionaries alone, which marshal can pack."""
    return (*task[:5], [tuple(one) for one in task.inputs], [tuple(one) for one in task.results])


def from_plain(plain: Tuple[Any, ...]) -> Task:
    """Return the task of which `to_plain` made this."""
    ticket, number, timeout, words, env, inputs, results = plain
    inputs = [Input(*one) for one in inputs]
    results = [Result(*one) for one in results]
    return Task(ticket, number, timeout, words, env, inputs, results)


def parse_tasks(data: bytes) -> List[Task]:
    """Return the tasks of all records in one answer. Raises BadRecord."""
    tasks, at = [], 0
    while at < len(data):
        if data[at] == LINE_END:
            at += 1
            continue
        task, at = _parse_task(data, at)
        tasks.append(task)
    return tasks


def parse_words(data: bytes, at: int = 0) -> Tuple[List[bytes], int]:
    """Return (words, position of the line end): words quoted as a POSIX shell reads them.

    They end at the first line end outside quotes. Raises BadRecord for an open quote.
    """
    words: List[bytes] = []
    word: Optional[bytes] = None
    while at < len(data) and data[at] != LINE_END:
        piece = _PIECE.match(data, at)
        if piece:
            word = (word or b"") + _unquoted(piece)
            at = piece.end()
        elif data[at : at + 1] in (b" ", b"\t"):
            if word is not None:
                words.append(word)
            word = None
            at += 1
        else:
            raise BadRecord("a quote is opened and not closed")
    if word is not None:
        words.append(word)
    return words, at


def _unquoted(piece: Match[bytes]) -> bytes:
    single, double, escaped, plain = piece.groups()
    if single is not None:
        return bytes(single)
    if double is not None:
        return _IN_DOUBLE.sub(lambda found: _escaped(found.group(1)), double)
    if escaped is not None:
        return _escaped(escaped)
    return bytes(plain)


def _escaped(letter: bytes) -> bytes:
    """Return what a backslash and this letter mean. Before a line end it joins the lines."""
    return b"" if letter == b"\n" else letter


def _parse_task(data: bytes, at: int) -> Tuple[Task, int]:
    # Keys that are unknown go to `head` and are ignored: a newer master may send more.
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
            end = _end_of_result(data, after)
            results.append(_parse_result(data[after:end]))
            at = end
        else:
            head[key], at = value, after
    ticket, timeout = _ticket_and_timeout(head)
    number = head.get(b"Task", b"").decode("ascii", "replace")
    return Task(ticket, number, timeout, words, env, inputs, results), at


def _end_of_result(data: bytes, at: int) -> int:
    keys = _RESULT.match(data, at)
    return keys.end() if keys else at


def _ticket_and_timeout(head: Dict[bytes, bytes]) -> Tuple[int, float]:
    try:
        return int(head[b"Ticket"]), float(head.get(b"Timeout", b"0"))
    except (KeyError, ValueError):
        raise BadRecord("a task record without a good Ticket= or Timeout=")


def _words_at(data: bytes, at: int) -> Tuple[List[bytes], int]:
    words, at = parse_words(data, at)
    return words, at + 1


def _parse_input(data: bytes, at: int) -> Tuple[Input, int]:
    keys, at = _keys(data, at, (b"File", b"Length", b"SHA256", b"Mode", b"Copy", b"Archive"))
    length = int(keys[b"Length"]) if keys.get(b"Length", b"").isdigit() else -1
    sha256 = keys.get(b"SHA256", b"").decode("ascii", "replace")
    content = b""
    if data[at : at + len(BEGIN)] == BEGIN:
        start = at + len(BEGIN)
        if length < 0 or data[start + length : start + length + len(END)] != END:
            raise BadRecord("the content of an input is not as long as its Length= says")
        content = data[start : start + length]
        _, at = _line(data, start + length + 1)
    elif not sha256:
        raise BadRecord("an input without its content")
    name, mode = os.fsdecode(keys.get(b"File", b"")), _mode(keys.get(b"Mode", b""))
    is_own, is_archive = keys.get(b"Copy") == b"Yes", keys.get(b"Archive") == b"tar"
    return Input(name, content, sha256, length, mode, is_own, is_archive), at


def _mode(text: bytes) -> int:
    try:
        # Its owner can always read it, or the program could not.
        return int(text, 8) & 0o777 | 0o400 if text else 0
    except ValueError:
        raise BadRecord("an input with Mode=%s" % text.decode("ascii", "replace"))


@lru_cache(maxsize=100)
def _parse_result(lines: bytes) -> Result:
    """Return the result that these lines describe.

    All tasks of a sweep have the same: they are cached.
    """
    keys, _ = _keys(lines, 0, (b"Name", b"File", b"Kind"))
    found = [os.fsdecode(keys.get(key, b"")) for key in (b"Name", b"File", b"Kind")]
    return Result(*found)


def _keys(data: bytes, at: int, known: Tuple[bytes, ...]) -> Tuple[Dict[bytes, bytes], int]:
    """Return (keys, position behind them) of the Key=Value lines of a section, each known key once.

    Anything else ends the section.
    """
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

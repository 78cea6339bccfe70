"""The program of a sweep: its worker, and the input files that are programs themselves.

Sets are told apart by what they compute from (command, data, parameters), not by the program: after
a change of the program the user is asked whether finished sets stay. So each ticket records the
program that it ran, by the digests of its files.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path, PurePosixPath

from .pattern import Pattern

# (word, the word behind it, files of the task) -> files that are read; None for another word.
_ProgramOption = Callable[[str, str, frozenset[str]], "list[str] | None"]
Parts = Mapping[str, str]  # "worker linux-x86_64" or "input s.py" -> SHA-256

INTERPRETER = re.compile(
    r"(?:pythonw?|pypy|perl|ruby|Rscript|julia|octave(?:-cli)?|node(?:js)?|lua(?:jit)?|tclsh|php"
    r"|sh|bash|dash|ash|ksh|mksh|zsh|fish|csh|tcsh)[-.0-9]*"
)
SHELL = re.compile(r"(?:sh|bash|dash|ash|ksh|mksh|zsh|fish|csh|tcsh)[-.0-9]*")
_AWK = re.compile(r"(?:g|m|n)?awk[-.0-9]*")
#: Options behind which an interpreter finds its program's text on the command line, in place of a
#: file.
_GIVEN_HERE = {
    "python": ("-c",),
    "pypy": ("-c",),
    "perl": ("-e", "-E"),
    "ruby": ("-e",),
    "Rscript": ("-e",),
    "lua": ("-e",),
    "julia": ("-e", "-E", "--eval", "--print"),
    "node": ("-e", "-p", "--eval", "--print"),
    "octave": ("--eval",),
    "php": ("-r", "--run"),
}
_FILLED = "\0"  # stands for an expression in a word
_SEPARATORS = ";|&()\n"


class ProgramChange(StrEnum):
    """The decision about finished sets that were computed by another program."""

    ASK = "ask"
    KEEP = "keep"  # finished sets stay as they are
    FRESH = "fresh"  # all sets run again


def part_of_worker(platform: str) -> str:
    """Return the name under which the worker's file for a platform is recorded."""
    return f"worker {platform}"


def part_of_input(name: str) -> str:
    """Return the name under which an input that is a program is recorded."""
    return f"input {name}"


def changed_parts(before: Parts, now: Parts) -> list[str]:
    """Return the names of the files that have changed, sorted.

    A worker that is gone counts as changed.

    A worker for a further platform changes nothing that was computed, unless the hosts of that
    platform ran another file until now: that of `any`, or of their system. An input that came or
    went makes other sets, so nobody needs to be asked about it.
    """
    # Not inputs: one that came or went makes other sets.
    gone = [name for name in before if name not in now and not _is_input(name)]
    came = [name for name in now if name not in before and not _is_input(name)]
    new = [name for name in came if _is_other(name, before, now)]
    other = [name for name in before if name in now and now[name] != before[name]]
    return sorted([*gone, *new, *other])


def _is_input(name: str) -> bool:
    return name.startswith(part_of_input(""))


def _is_other(name: str, before: Parts, now: Parts) -> bool:
    """Tell whether this part, which is new, changes what was computed before."""
    if name.startswith(part_of_worker("")):
        return _served_before(name, before) not in (None, now[name])
    return True  # an environment, an image, a command that prepares


def _served_before(worker: str, before: Parts) -> str | None:
    """Return the file that hosts of this worker's platform ran before.

    It is looked up as for a client: `linux-x86_64`, then `linux`, then `any`.
    """
    return before.get(worker.partition("-")[0]) or before.get(part_of_worker("any"))


def as_text(parts: Parts) -> str:
    """Return the parts as they are stored: equal texts mean equal programs."""
    return json.dumps(parts, sort_keys=True, ensure_ascii=False)


def from_text(text: str) -> dict[str, str]:
    """Return the parts that as_text wrote."""
    parts: dict[str, str] = json.loads(text)
    return parts


def named(parts: Sequence[str]) -> str:
    """Return what messages call these parts: `the worker`, or `the program`."""
    if all(part.startswith(part_of_worker("")) for part in parts):
        return "the worker"
    return "the program"


def names_of(parts: Sequence[str], worker: str = "") -> str:
    """Return the files of these parts for people: `linux-x86_64, s.py`.

    A worker for all platforms by its name, and as `worker` where today's sweep has none: `any` is
    no platform that a user wrote.
    """
    names = {part_of_worker("any"): worker or "worker"}
    return ", ".join(names.get(part, part.partition(" ")[2]) for part in parts)


def is_executable(path: Path) -> bool:
    """Tell whether a file has an executable bit, or begins with `#!`."""

    with path.open("rb") as file:
        return bool(os.fstat(file.fileno()).st_mode & 0o111) or file.read(2) == b"#!"


def scripts(words: Sequence[Pattern], shell: bool, files: frozenset[str]) -> set[str]:
    """Return the names among `files` that an interpreter of the command reads as its program.

    `python3 s.py data.txt` reads s.py: the first file after the interpreter. `files` are the names
    of the files in the task's directory. With `shell` the one word is a text for a shell.
    """
    texts = [_text(word) for word in words]
    commands = _commands(texts[0]) if shell and texts else [texts]
    return set(_scripts_of_all(commands, files))


def _scripts_of_all(commands: Iterable[Sequence[str]], files: frozenset[str]) -> Iterator[str]:
    """Yield the files that the interpreters in these commands read as programs."""
    for command in commands:
        yield from _scripts(command, files)


def suffixes(names: set[str]) -> set[str]:
    """Return the suffixes of these scripts: other inputs with such a suffix are their modules."""
    return {PurePosixPath(name).suffix for name in names} - {""}


def _text(word: Pattern) -> str:
    return "".join(_FILLED if segment.code else segment.text for segment in word.segments)


def _commands(text: str) -> list[list[str]]:
    """Return the simple commands of a shell's text, as lists of words.

    Roughly: a text that no shell would read has words, too, and the shell will say what is wrong
    with it.
    """
    lexer = shlex.shlex(text, posix=True, punctuation_chars=_SEPARATORS)
    lexer.whitespace_split = True
    lexer.whitespace = " \t\r"
    try:
        words = list(lexer)
    except ValueError:  # a quote without its end
        words = text.split()
    commands: list[list[str]] = [[]]
    for word in words:
        # Several signs may stand together, as in `&&` and `);`.
        if word.strip(_SEPARATORS):
            commands[-1].append(word)
        else:
            commands.append([])
    return commands


def _scripts(words: Sequence[str], files: frozenset[str]) -> Iterator[str]:
    """Yield the files that the interpreters in one command read as programs."""
    for at, word in enumerate(words):
        name = word.rpartition("/")[2]
        rest = words[at + 1 :]
        if _AWK.fullmatch(name):
            yield from _behind_f(rest, files)
        # Anywhere in the command: env, nice, mpirun or time may stand before the interpreter.
        elif INTERPRETER.fullmatch(name):
            yield from _read_by(rest, files, name)


def _behind_f(words: Sequence[str], files: frozenset[str]) -> Iterator[str]:
    """Yield the files that awk reads as programs: those behind -f."""
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word in ("-f", "--file"):
            yield from _among(following, files)
        elif word.startswith("-f"):
            yield from _among(word[2:], files)


def _read_by(words: Sequence[str], files: frozenset[str], interpreter: str) -> list[str]:
    """Return the first file behind an interpreter.

    For `sh -c TEXT` the files that the commands in TEXT read.
    """
    program = _program_option(interpreter)
    given = _given_here(interpreter)
    for word, following in zip(words, [*words[1:], ""], strict=False):
        found = program(word, following, files)
        if found is not None:
            return found
        if word in given or _names_a_script_of_each_set(word):
            return []
        if word_files := list(_among(word, files)):
            return word_files
    return []


def _program_option(interpreter: str) -> _ProgramOption:
    """Return what reads the option of an interpreter that names its program: -c of shells, or -m."""
    # One by one: `sh -m` is job control, and `python3 -c` has text that no file of ours is in.
    return _program_of_shell if SHELL.fullmatch(interpreter) else _program_of_language


def _given_here(interpreter: str) -> tuple[str, ...]:
    """Return the options of an interpreter behind which its program's text stands."""
    # By the beginning of its name: python3.11 and lua5.4 have the options of python and lua.
    found = (options for name, options in _GIVEN_HERE.items() if interpreter.startswith(name))
    return next(found, ())


def _program_of_shell(word: str, following: str, files: frozenset[str]) -> list[str] | None:
    """Return the files that `sh -c TEXT` reads; None where this word is not -c, as in -ec."""
    if not re.fullmatch(r"-[a-z]*c", word):
        return None
    return list(_scripts_of_all(_commands(following), files))


def _program_of_language(word: str, following: str, files: frozenset[str]) -> list[str] | None:
    """Return the file of `python3 -m package.module`; None where this word is not -m."""
    if word != "-m":
        return None
    return list(_among(f"{following.replace('.', '/')}.py", files))


def _names_a_script_of_each_set(word: str) -> bool:
    """Tell whether each set may name another script: those files are data."""
    return _FILLED in word and not word.startswith("-")


def _among(word: str, files: frozenset[str]) -> Iterator[str]:
    """Yield the file of this name, if it is one of these."""
    # `./s.py` and `s.py` are one file of the task's directory.
    if word and os.path.normpath(word) in files:
        yield os.path.normpath(word)

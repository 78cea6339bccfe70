"""The shell lines that run one set by hand, as a client would run it: to be pasted in any folder."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from ..record import record
from .paste_words import PasteWords, lines_that_write

WIDTH = 100  # characters of a line of the command, where its words allow that
STDIN = "stdin"
# Behind the program: `| sh` would end without a word about the place of its files. On stderr, since
# stdout is the program's.
_END = ("code=$?", "printf 'it ran in %s\\n' \"$PWD\" >&2", '(exit "$code")', "}")


@record
class HandFile:
    """A file of a task's directory: with the file here that has its bytes, or with the bytes alone."""

    name: str
    content: bytes
    source: Path | None = None
    executable: bool = False


@record
class HandRun:
    """Everything that one run of a program needs."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    files: tuple[HandFile, ...]


def hand_script(run: HandRun) -> str:
    """Return the lines: they make a fresh directory, fill it, start the program there, and say where.

    They are one list joined by `&&`, so that after a failure nothing is written into another
    folder, and the shell that they are pasted into is then in the fresh directory. The exit code is
    the program's.
    """
    words = PasteWords()
    body = [*_folders(run, words), *_files(run, words)]
    command = "\n".join(["{", _command(run, words), *_END])
    begin = ['task=$(mktemp -d) && cd "$task"']
    if _has_stdin(run):
        # Beside the directory, as on a host: the program finds no file of that name.
        begin = ['task=$(mktemp -d) && mkdir "$task/work" && cd "$task/work"']
    return " &&\n".join([*begin, *words.lines, *body, command]) + "\n"


def _folders(run: HandRun, words: PasteWords) -> Iterator[str]:
    """Yield the commands that make the folders of the files."""
    folders = dict.fromkeys(str(PurePosixPath(one.name).parent) for one in run.files)
    folders.pop(".", None)
    for folder in folders:
        yield f"mkdir -p {words.path(folder)}"


def _files(run: HandRun, words: PasteWords) -> Iterator[str]:
    """Yield the commands that put the files there."""
    for file in run.files:
        name = words.path(f"../{STDIN}" if file.name == STDIN else file.name)
        if file.source:
            yield f"cp {words.path(str(file.source))} {name}"
        else:
            yield from lines_that_write(file.content, name)
        if missing := _missing_mode(file):
            yield f"chmod {missing} {name}"


def _missing_mode(file: HandFile) -> str:
    """Return what its owner may not do with the file that was made, for chmod; "" where nothing is."""
    has = stat.S_IRUSR | stat.S_IWUSR
    if file.source:
        has = file.source.stat().st_mode  # a copy has the mode of its source
    # On a host the program may write into it.
    if file.executable and not has & stat.S_IXUSR:
        return "u+rwx"
    return "" if has & stat.S_IWUSR else "u+rw"


def _command(run: HandRun, words: PasteWords) -> str:
    """Return the last command: the program with its variables and its standard input."""
    # By env: a word such as `echo`, `time` or `if` is something else to a shell.
    given = ["env", *(f"{name}={words.word(value)}" for name, value in run.environment.items())]
    started: list[str] = []
    first = run.words[0]
    if "=" in first or first.startswith("-"):
        started += ["sh", "-c", "'exec \"$@\"'", "sh"]  # env itself would take the word for its own
    started += map(words.word, run.words)
    started.append("< ../stdin" if _has_stdin(run) else "< /dev/null")
    return " \\\n  ".join([*_packed(given), *_packed(started)])


def _packed(words: list[str]) -> Iterator[str]:
    """Yield lines of these words: a terminal without line editing cuts long ones."""
    line = words[0]
    for word in words[1:]:
        if len(line) + len(word) >= WIDTH:
            yield line
            line = word
        else:
            line += f" {word}"
    yield line


def _has_stdin(run: HandRun) -> bool:
    return any(file.name == STDIN for file in run.files)

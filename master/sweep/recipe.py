"""What one parameter set runs: the patterns of command, inputs and environment, filled with its values.

Where the patterns come from is sweep.py; how sets are told apart is identity.py.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ..errors import ConfigError
from ..model import Input, Work
from ..record import record
from . import program
from .pattern import Pattern, Values
from .segments import Segment

#: Linux takes no longer argument, its closing NUL included (MAX_ARG_STRLEN).
LONGEST_ARGUMENT = 128 * 1024
_KEPT_BYTES = 64 << 20
_CHUNK = 1 << 20


class InputChanged(ConfigError):
    """An input file is not what it was when the sets were told apart: its sets wait for another run."""

    def __init__(self, path: str) -> None:
        todo = "`spe run` again, once it is as you want it: it runs the sets with the file as it is then."
        super().__init__("this input file was changed while the sweep runs", where=path, todo=todo)


@record
class InputPattern:
    """One input: its text, or the path of the file that has its bytes."""

    name: str
    pattern: Pattern
    is_file: bool


@record
class Recipe:
    """The patterns of a sweep, ready to be filled."""

    words: tuple[Pattern, ...]
    inputs: tuple[InputPattern, ...]
    env: Mapping[str, Pattern]
    folder: Path
    names: tuple[str, ...]  # of the parameters
    shell: bool = False
    worker: str | None = None
    files: Files = field(init=False, repr=False)
    programs: tuple[InputPattern, ...] = field(init=False, repr=False, default=())  # inputs that are programs

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", Files(self.folder))

    def find_programs(self) -> None:
        """Look which inputs are programs; to be called once the input files are known to be there."""
        names = frozenset(one.name for one in self.inputs) | ({self.worker} if self.worker else set())
        words = [self._with_worker(word) for word in self.words]
        read = program.scripts(words, self.shell, names)
        endings = program.suffixes(read)
        found = [one for one in self.inputs if self._is_program(one, read, endings)]
        object.__setattr__(self, "programs", tuple(found))

    def _with_worker(self, word: Pattern) -> Pattern:
        """`{{ worker }}` alone is the name of a file; what depends on parameters stays open."""
        if self.worker is None or word.names != {"worker"}:
            return word
        return Pattern([Segment(False, word.fill({"worker": self.worker}))])  # a name is text, also one with {{

    def _is_program(self, one: InputPattern, read: set[str], endings: set[str]) -> bool:
        path = one.pattern.literal if one.is_file else None
        if path is None:
            return False
        if one.name in read or PurePosixPath(one.name).suffix in endings:
            return True
        return program.is_executable(self.folder / path)

    def program_parts(self) -> dict[str, str]:
        """The inputs that are programs, by the names under which tickets record them, with their digests."""
        return {program.part_of_input(one.name): self.files.digest(one.pattern.literal or "").hex()
                for one in self.programs}  # fmt: skip

    @property
    def runs_worker(self) -> bool:
        """Whether the command begins with the worker itself, not with a program that reads it."""
        first = self.words[0]
        if self.worker is None or self.shell or not first.names <= {"worker"}:
            return False
        return first.fill({"worker": self.worker}) == f"./{self.worker}"

    def work(self, values: Values) -> Work:
        """What a client runs for these values; raises ConfigError when an input file is gone or changed."""
        scope = self.scope(values)
        words = tuple(self.work_words(values))
        inputs = tuple([self._input(one, scope) for one in self.inputs])
        env = {name: pattern.fill(scope) for name, pattern in self.env.items()}
        return Work(("/bin/sh", "-c", words[0]) if self.shell else words, inputs, env)

    def work_words(self, values: Values) -> list[str]:
        """The words of the command alone, as `spe check` shows them."""
        scope = self.scope(values)
        return [word.fill(scope) for word in self.words]

    def patterns(self) -> Iterator[tuple[tuple[str, ...], Pattern]]:
        """Every pattern, and the key where it stands."""
        yield from ((("command",), word) for word in self.words)
        yield from ((("inputs", one.name), one.pattern) for one in self.inputs)
        yield from ((("env", name), pattern) for name, pattern in self.env.items())

    def examine(self, values: Values) -> None:
        """Raise ConfigError when these values can't be run: an argument too long, an input file not there."""
        scope = self.scope(values)
        for word in self.words:
            _check_argument(word.fill(scope), f"the argument {word}")
        for name, pattern in self.env.items():
            _check_argument(f"{name}={pattern.fill(scope)}", f"the variable {name}")
        for one in self.inputs:
            self._examine_input(one, scope)

    def quick_examination(self) -> Callable[[Values], None] | None:
        """The same for values that are short and without NUL, where most patterns can't fail; None: none can."""
        words = [word for word in self.words if not word.simple]
        env = [(name, pattern) for name, pattern in self.env.items() if not pattern.simple]
        inputs = [one for one in self.inputs if not one.pattern.simple or (one.is_file and one.pattern.names)]
        if not (words or env or inputs):
            return None
        return replace(self, words=tuple(words), env=dict(env), inputs=tuple(inputs)).examine

    def _examine_input(self, one: InputPattern, scope: Values) -> None:
        text = one.pattern.fill(scope)
        if one.is_file and text not in self.files.good:
            self.files.check(text, one.name)

    @property
    def characters(self) -> int:
        """With so many characters in all its values, a set can't make an argument too long."""
        patterns = [*self.words, *self.env.values()]
        literal = max((len(str(pattern).encode()) for pattern in patterns), default=0)
        often = max((pattern.weight(name) for pattern in patterns for name in pattern.names), default=1)
        return max(0, (LONGEST_ARGUMENT - literal - 256) // (4 * max(1, often)))  # 4: UTF-8 needs no more

    def scope(self, values: Values) -> Values:
        """What patterns are filled with: the parameters, and the name of the worker."""
        return values if self.worker is None else {**values, "worker": self.worker}

    def _input(self, one: InputPattern, scope: Values) -> Input:
        text = one.pattern.fill(scope)
        if one.is_file:
            return self.files.input(one.name, text)
        return Input(one.name, text.encode(errors="surrogateescape"))


class Files:
    """The input files of a sweep by their paths as written: each is digested once, and must then stay as it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.good: set[str] = set()
        self._digests: dict[str, bytes] = {}
        self._stamps: dict[str, tuple[int, int]] = {}
        self._contents: dict[str, bytes] = {}
        self._copies: dict[str, Path] = {}  # of programs: who edits one changes nothing of the sweep that runs

    def use_copy(self, path: str, copy: Path) -> None:
        """From now on the bytes of this file are read from `copy`, which has the same content."""
        self._copies[path] = copy

    def check(self, path: str, name: str) -> None:
        """Raise ConfigError unless there is such a file; asked once a path."""
        whole = self.folder / path
        if not os.path.isfile(whole):  # not Path.is_file, which raises for a path that is too long
            what = "is not a file" if os.path.exists(whole) else "is not there"
            raise ConfigError(f"the input file {path} of inputs.{name} {what}", todo="Make it, or mend its path.")
        if not os.access(whole, os.R_OK):
            raise ConfigError(f"the input file {path} of inputs.{name} can't be read", todo=f"chmod +r {path}")
        self.good.add(path)

    def digest(self, path: str) -> bytes:
        """SHA-256 of the content."""
        if path not in self._digests:
            digest = hashlib.sha256()
            self._stamps[path] = _stamp(self.folder / path)
            with _opened(self.folder / path) as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
            self._digests[path] = digest.digest()
        return self._digests[path]

    def input(self, name: str, path: str) -> Input:
        """The file as an input of that name; raises InputChanged if it is not what was first seen in this run.

        A large file is not read: its digest is known from the keys of the sets, and that it is the same since then
        from its stamp. To read and digest 300 MB for each task took a second of the event loop.
        """
        source = self._copies.get(path)
        stamp = _stamp(source or self.folder / path)
        if source is None:
            source = self.folder / path
            if self._stamps.setdefault(path, stamp) != stamp:
                raise InputChanged(path)
        sha256 = self.digest(path).hex()
        if stamp[1] > _KEPT_BYTES // 4:
            return Input(name, sha256=sha256, file=source, length=stamp[1])
        return Input(name, self._content(path, source), sha256)

    def _content(self, path: str, source: Path) -> bytes:
        if path not in self._contents:
            with _opened(source) as file:
                content = file.read()
            if hashlib.sha256(content).digest() != self.digest(path):  # changed between two looks at its stamp
                raise InputChanged(path)
            self._keep(path, content)
            return content
        return self._contents[path]

    def _keep(self, path: str, content: bytes) -> None:
        """The last few contents are kept, because sets near each other often share a file."""
        self._contents[path] = content
        while sum(map(len, self._contents.values())) > _KEPT_BYTES:
            del self._contents[next(iter(self._contents))]


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise _vanished(path, error) from error


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise _vanished(path, error) from error
    return found.st_mtime_ns, found.st_size


def _vanished(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"this input file can't be read: {error.strerror}", where=str(path), todo="Put it back.")


def _check_argument(text: str, what: str) -> None:
    if "\0" in text:
        raise ConfigError(f"{what} has a NUL byte", todo="No program can be given one; use an input file.")
    if 4 * len(text) >= LONGEST_ARGUMENT and (size := len(text.encode(errors="surrogateescape"))) >= LONGEST_ARGUMENT:
        todo = "Give long values to the program in a file: see inputs."
        raise ConfigError(f"{what} has {size} bytes, and must have less than {LONGEST_ARGUMENT}", todo=todo)

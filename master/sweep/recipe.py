"""The recipe of a sweep: the patterns of command, inputs and environment, filled with the values of
one set.

Where the patterns come from is sweep.py's business; how sets are told apart is identity.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path, PurePosixPath

from ..errors import ConfigError
from ..model import Input, Work
from ..record import record
from . import program
from .input_files import InputFiles
from .pattern import Pattern, Values
from .segments import Segment

LONGEST_ARGUMENT = 128 * 1024  # bytes with the closing NUL: Linux's MAX_ARG_STRLEN


@record
class InputPattern:
    """A pattern of one input: its text, or the path of the file that has its bytes."""

    name: str
    pattern: Pattern
    is_file: bool


@record
class Recipe:
    """The patterns of a sweep, ready to be filled. Lives as long as the run."""

    words: tuple[Pattern, ...]
    inputs: tuple[InputPattern, ...]
    env: Mapping[str, Pattern]
    folder: Path
    names: tuple[str, ...]  # names of the parameters
    shell: bool = False
    worker: str | None = None
    files: InputFiles = field(init=False, repr=False)
    # Inputs that are programs.
    programs: tuple[InputPattern, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        # A record is frozen for the type checker; this is its one way round.
        object.__setattr__(self, "files", InputFiles(self.folder))

    def find_programs(self) -> None:
        """Find the inputs that are programs. Called once the input files are known to be there."""
        words = [self._with_worker(word) for word in self.words]
        read = program.scripts(words, self.shell, self._names_there())
        endings = program.suffixes(read)
        found = [one for one in self.inputs if self._is_program(one, read, endings)]
        object.__setattr__(self, "programs", tuple(found))

    def _names_there(self) -> frozenset[str]:
        """Return the names of the files that are in the directory of each task."""
        names = {one.name for one in self.inputs}
        if self.worker:
            names.add(self.worker)
        return frozenset(names)

    def _with_worker(self, word: Pattern) -> Pattern:
        """Return the word with the worker's name filled in; what depends on parameters stays open."""
        if self.worker is None or word.names != {"worker"}:
            return word
        # A segment, not a pattern to be parsed: a name that holds `{{` is still text.
        return Pattern([Segment(False, word.fill({"worker": self.worker}))])

    def _is_program(self, one: InputPattern, read: set[str], endings: set[str]) -> bool:
        """Tell whether an input is read by an interpreter, is a module of such a script, or is
        executable.
        """
        # A path with a parameter in it names many files: those are data, one for each set.
        path = one.pattern.literal
        if path is None or not one.is_file:
            return False
        if one.name in read or PurePosixPath(one.name).suffix in endings:
            return True
        return program.is_executable(self.folder / path)

    def program_parts(self) -> dict[str, str]:
        """Return the digests of the inputs that are programs, by the names under which tickets
        record them.
        """
        parts = {}
        for one in self.programs:
            digest = self.files.digest(one.pattern.literal or "")
            parts[program.part_of_input(one.name)] = digest.hex()
        return parts

    def keep_programs(self, folder: Path) -> None:
        """Copy the inputs that are programs into `folder`; they are read from there from now on."""
        for path in {one.pattern.literal or "" for one in self.programs}:
            self.files.keep_copy(path, folder)

    @property
    def runs_worker(self) -> bool:
        """Tell whether the command begins with the worker itself, not with a program that reads it."""
        first = self.words[0]
        if self.worker is None or self.shell or not first.names <= {"worker"}:
            return False
        return first.fill({"worker": self.worker}) == f"./{self.worker}"

    def work(self, values: Values) -> Work:
        """Return what a client runs for these values.

        Raises ConfigError when an input file is gone or changed.
        """
        # A list and no generator inside tuple(): this runs for each task that is handed out.
        scope = self.scope(values)
        words = tuple(self.work_words(values))
        inputs = tuple([self._input(one, scope) for one in self.inputs])
        env = {name: pattern.fill(scope) for name, pattern in self.env.items()}
        if self.shell:
            words = ("/bin/sh", "-c", words[0])
        return Work(words, inputs, env)

    def work_words(self, values: Values) -> list[str]:
        """Return the words of the command alone, as `spe check` shows them."""
        scope = self.scope(values)
        return [word.fill(scope) for word in self.words]

    def patterns(self) -> Iterator[tuple[tuple[str, ...], Pattern]]:
        """Yield every pattern, and the key under which it stands."""
        yield from ((("command",), word) for word in self.words)
        yield from ((("inputs", one.name), one.pattern) for one in self.inputs)
        yield from ((("env", name), pattern) for name, pattern in self.env.items())

    def examine(self, values: Values) -> None:
        """Raise ConfigError when these values can't be run: an argument too long, an input file not
        there.
        """
        scope = self.scope(values)
        for word in self.words:
            _check_argument(word.fill(scope), f"the argument {word}")
        for name, pattern in self.env.items():
            _check_argument(f"{name}={pattern.fill(scope)}", f"the variable {name}")
        for one in self.inputs:
            self._examine_input(one, scope)

    def quick_examination(self) -> Callable[[Values], None] | None:
        """Return the same check for values that are short and without NUL.

        None where no pattern can fail then.
        """
        # Plain names cannot fail for such values, and a million sets go through this.
        words = tuple(word for word in self.words if not word.simple)
        env = {name: pattern for name, pattern in self.env.items() if not pattern.simple}
        inputs = tuple(filter(_may_fail, self.inputs))
        if not (words or env or inputs):
            return None
        return replace(self, words=words, env=env, inputs=inputs).examine

    def _examine_input(self, one: InputPattern, scope: Values) -> None:
        """Raise ConfigError when the input file of these values is not there."""
        # Asked once for each path: a million sets may name one file, and a call of the system for
        # each of them would take longer than all else here.
        text = one.pattern.fill(scope)
        if one.is_file and text not in self.files.good:
            self.files.check(text, one.name)

    @property
    def characters(self) -> int:
        """Return how many characters all values of a set may have without making any argument too
        long.
        """
        patterns = [*self.words, *self.env.values()]
        literal = max((len(str(pattern).encode()) for pattern in patterns), default=0)
        often = max(
            (pattern.weight(name) for pattern in patterns for name in pattern.names), default=1
        )
        # A character has at most 4 bytes in UTF-8; 256 are for the names of variables.
        return max(0, (LONGEST_ARGUMENT - literal - 256) // (4 * max(1, often)))

    def scope(self, values: Values) -> Values:
        """Return what patterns are filled with: the parameters, and the name of the worker."""
        if self.worker is None:
            return values
        return {**values, "worker": self.worker}

    def _input(self, one: InputPattern, scope: Values) -> Input:
        """Return one input with its content, or with its file where that is large."""
        text = one.pattern.fill(scope)
        if one.is_file:
            return self.files.input(one.name, text)
        return Input(one.name, text.encode(errors="surrogateescape"))


def _may_fail(one: InputPattern) -> bool:
    """Tell whether an input can be wrong for short values: by its expression, or by its path."""
    return not one.pattern.simple or (one.is_file and bool(one.pattern.names))


def _check_argument(text: str, what: str) -> None:
    """Raise ConfigError for an argument that Linux does not take."""
    if "\0" in text:
        raise ConfigError(
            f"{what} has a NUL byte", todo="No program can be given one; use an input file."
        )
    if 4 * len(text) < LONGEST_ARGUMENT:
        return  # short enough in any encoding, which is cheaper to ask
    # The kernel would say "Argument list too long", on the host and for each set.
    size = len(text.encode(errors="surrogateescape"))
    if size >= LONGEST_ARGUMENT:
        todo = "Give long values to the program in a file: see inputs."
        what = f"{what} has {size} bytes, and must have less than {LONGEST_ARGUMENT}"
        raise ConfigError(what, todo=todo)

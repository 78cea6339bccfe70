"""The recipe of a sweep: the patterns of command, inputs and environment, filled with the values of
one set.

Where the patterns come from is sweep.py's business; how sets are told apart is identity.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path, PurePosixPath

from ..config.names import safe
from ..errors import ConfigError
from ..model import Input, Work
from ..record import record
from ..results.trees import clash
from . import program
from .inputs.files import InputFiles
from .inputs.pattern import InputPattern
from .inputs.trees import Trees, under
from .pattern import Pattern, Values
from .segments import Segment

LONGEST_ARGUMENT = 128 * 1024  # bytes with the closing NUL: Linux's MAX_ARG_STRLEN


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
    trees: Trees = field(kw_only=True, repr=False)
    # Files without a parameter in their names or paths: name in a task -> path.
    fixed: Mapping[str, str] = field(init=False, repr=False)
    programs: Mapping[str, str] = field(init=False, repr=False)  # those that are programs

    def __post_init__(self) -> None:
        # A record is frozen for the type checker; this is its one way round.
        object.__setattr__(self, "fixed", dict(self._fixed_files()))
        object.__setattr__(self, "programs", dict(self._programs()))

    @property
    def files(self) -> InputFiles:
        """Return the input files by their paths."""
        return self.trees.files

    def _fixed_files(self) -> Iterator[tuple[str, str]]:
        for one in self.inputs:
            path = one.pattern.literal
            if one.naming is not None or path is None:
                continue
            if one.is_file:
                yield one.name, path
            elif one.is_tree:
                for file in self.trees.tree(one, path).listing.files:
                    yield under(one.name, file), file.path

    def _programs(self) -> Iterator[tuple[str, str]]:
        """Yield the inputs that are programs."""
        read = self.scripts_read()
        endings = program.suffixes(read)
        for name, path in self.fixed.items():
            if self._is_program(name, path, read, endings):
                yield name, path

    def scripts_read(self) -> set[str]:
        """Return the names of the files that an interpreter of the command reads as its program."""
        words = [self._with_worker(word) for word in self.words]
        return program.scripts(words, self.shell, frozenset(self.fixed_names()))

    def fixed_names(self) -> Iterator[str]:
        """Yield the names of the files that are in the directory of each task."""
        yield from self.fixed
        yield from (one.name for one in self.inputs if not one.is_tree)
        if self.worker:
            yield self.worker

    def _with_worker(self, word: Pattern) -> Pattern:
        """Return the word with the worker's name filled in; what depends on parameters stays open."""
        if self.worker is None or word.names != {"worker"}:
            return word
        # A segment, not a pattern to be parsed: a name that holds `{{` is still text.
        return Pattern([Segment(False, word.fill({"worker": self.worker}))])

    def _is_program(self, name: str, path: str, read: set[str], endings: set[str]) -> bool:
        """Tell whether an input is read by an interpreter, is a module of such a script, or is
        executable.
        """
        # Files with a parameter in their path are data, one for each set: they are not asked about.
        if name in read or PurePosixPath(name).suffix in endings:
            return True
        return program.is_executable(self.folder / path)

    def program_parts(self) -> dict[str, str]:
        """Return the digests of the inputs that are programs, by the names under which tickets
        record them.
        """
        parts = {}
        for name, path in self.programs.items():
            parts[program.part_of_input(name)] = self.files.digest(path).hex()
        return parts

    def keep_programs(self, folder: Path) -> None:
        """Copy the inputs that are programs into `folder`; they are read from there from now on.

        What is packed goes there, too.
        """
        for path in set(self.programs.values()):
            self.files.keep_copy(path, folder)
        self.trees.pack_into(folder)
        for one in self.inputs:
            if one.is_tree and one.pattern.literal is not None:
                self.trees.prepare(
                    one, one.pattern.literal
                )  # now, and not when a task waits for it

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
        scope = self.scope(values)
        inputs: list[Input] = []
        for one in self.inputs:
            inputs += self._inputs(one, scope)
        env = {name: pattern.fill(scope) for name, pattern in self.env.items()}
        return Work(self.started_words(values), tuple(inputs), env)

    def started_words(self, values: Values) -> tuple[str, ...]:
        """Return the words that a client starts. No input is looked at."""
        words = tuple(self.work_words(values))
        return ("/bin/sh", "-c", words[0]) if self.shell else words

    def work_words(self, values: Values) -> list[str]:
        """Return the words of the command alone, as `spe check` shows them."""
        scope = self.scope(values)
        return [word.fill(scope) for word in self.words]

    def patterns(self) -> Iterator[tuple[tuple[str | int, ...], Pattern]]:
        """Yield every pattern, and the key under which it stands."""
        yield from ((("command",), word) for word in self.words)
        yield from ((one.place, one.pattern) for one in self.inputs)
        yield from ((one.place, one.naming) for one in self.inputs if one.naming)
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
        if any(one.naming for one in self.inputs):
            self._examine_names(scope)

    def quick_examination(self) -> Callable[[Values], None] | None:
        """Return the same check for values that are short and without NUL.

        None where no pattern can fail then.
        """
        # Plain names cannot fail for such values, and a million sets go through this.
        words = tuple(word for word in self.words if not word.simple)
        env = {name: pattern for name, pattern in self.env.items() if not pattern.simple}
        inputs = tuple(filter(_may_fail, self.inputs))
        if any(one.naming for one in inputs):
            inputs = self.inputs  # a filled name may be that of any other
        if not (words or env or inputs):
            return None
        return replace(self, words=words, env=env, inputs=inputs).examine

    def _examine_input(self, one: InputPattern, scope: Values) -> None:
        """Raise ConfigError when the input file of these values is not there."""
        # Asked once for each path: a million sets may name one file, and a call of the system for
        # each of them would take longer than all else here.
        text = one.pattern.fill(scope)
        if one.is_tree:
            self.trees.tree(one, text)
        elif one.is_file and text not in self.files.good:
            self.files.check(text, one.label)

    def _examine_names(self, scope: Values) -> None:
        """Raise ConfigError for a filled name that can't be one, or that another input has."""
        taken = set(self.fixed_names())
        for one in self.inputs:
            if one.naming is None:
                continue
            name = one.naming.fill(scope)
            if fault := safe(name):
                what = f"the name {name!r} of {one.label} can't be used"
                raise ConfigError(what, todo=f"It is to be {fault}.")
            if name in taken:
                what = f"two inputs have the name {name}"
                todo = "Give one of them another name."
                if name == self.worker:
                    what = f"{name} is the program, and an input has its name, too"
                    of = one.naming.segments[0].name
                    if of and len(one.naming.segments) == 1:
                        todo = f"Leave it out: `where: {of} != '{name}'` (--where)."
                raise ConfigError(what, todo=todo)
            taken.add(name)
        if both := clash(taken):
            what = f"the input {both} is a file, and another one would lie in it"
            raise ConfigError(what, todo="Give one of them another name.")

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

    def _inputs(self, one: InputPattern, scope: Values) -> Iterable[Input]:
        """Return one input with its content, or with its file where that is large; a tree's files."""
        name, text = one.name_for(scope), one.pattern.fill(scope)
        if one.is_file:
            return (self.files.input(name, text, one.copy),)
        if one.is_tree:
            return self.trees.inputs(one, name, text)
        return (Input(name, text.encode(errors="surrogateescape"), mode=one.mode),)


def _may_fail(one: InputPattern) -> bool:
    """Tell whether an input can be wrong for short values: by its expression, its path or name."""
    has_path = one.is_file or one.is_tree
    return not one.pattern.simple or bool(one.naming) or (has_path and bool(one.pattern.names))


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

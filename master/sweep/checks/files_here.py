"""Words of the command that are files here, and will not be in the directory of a task.

A program that does not find its file fails, or counts 0 lines without a word. So a word that names
such a file in every set is a mistake, found in the first pass over the sets; a folder, or a file
that only some sets name, is a warning.
"""

from __future__ import annotations

import os
import posixpath
import shlex
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch

from ...config.config import Config
from ...config.document import Document
from ...config.result_sources import ResultSources
from ...errors import ConfigError
from ...record import record
from ...results.trees import belongs
from ..inputs.pattern import Source
from ..pattern import Pattern, Values
from ..recipe import Recipe
from .shell_words import shell_words, text_of_shell, written_words

_NAMED = 5  # files in one message
_LONGEST = 1000  # characters; a longer word is no path
_KEPT = 10_000  # paths that are remembered: a million sets may name a few files
# Behind these a program writes: what lies here is left over from a try by hand.
_WRITTEN = frozenset(
    (
        "-o",
        "-out",
        "--out",
        "--output",
        "--outfile",
        "--out-file",
        "--output-file",
        "--log",
        "--logfile",
        "of",
    )
)
_LEFT = "but will not be in the task's directory"


@record
class _Word:
    """A word of the command: its pattern, whether a shell reads it, whether the program writes it."""

    pattern: Pattern
    in_shell: bool
    written: bool


class FilesHere:
    """Looks at the words of all sets. Lives for one reading of them."""

    def __init__(
        self, recipe: Recipe, sources: ResultSources, config: Config, document: Document
    ) -> None:
        self._recipe, self._sources = recipe, sources
        self._has_own_results = bool(sources.patterns) or any(
            one.kind.is_tree for one in sources.specs
        )
        self._folder = str(recipe.folder)
        self._listed = _listed(recipe, config)
        self._varied_inputs = [one for one in recipe.inputs if not one.is_fixed]
        self._where = document.where("command")
        self._is_file = bool(document.data)  # else a sweep of the command line
        self._words = [*_words(recipe)]
        self._kinds: dict[str, int] = {}  # path -> type of the file, 0 for none
        self._always: list[_Word] = []  # words that named a file in each set so far
        self._varied: list[_Word] = []  # of these, the ones that a set may change
        self._found: dict[_Word, list[str]] = {}  # paths of the first set, then of the last

    def begin(self, values: Values) -> None:
        """Look at all words of the first set."""
        for word in self._words:
            files = self._files(word, values)
            if files:
                self._found[word] = files
            if not word.written and any(self._is_surely_read(path) for path in files):
                self._always.append(word)
        self._varied = [word for word in self._always if word.pattern.names & {*values}]

    def look(self, names: Sequence[str], rows: Sequence[tuple[Sequence[str], int]]) -> None:
        """Look at the next sets. Costs nothing but this call where the first set named no file."""
        if not self._varied:
            return
        for cells, _ in rows:
            values = dict(zip(names, cells, strict=True))
            for word in self._varied[:]:
                if not any(self._is_regular(path) for path in self._files(word, values)):
                    self._varied.remove(word)
                    self._always.remove(word)
            if not self._varied:
                return

    def end(self, values: Values) -> None:
        """Look at the last set: a word may name a file there alone."""
        for word in self._words:
            if files := self._files(word, values):
                self._found.setdefault(word, files)

    def mistakes(self) -> Iterator[ConfigError]:
        """Yield one error for all words that name a file in every set."""
        files = dict.fromkeys(path for word in self._always for path in self._found[word])
        if files:
            named = [*files][:_NAMED]
            more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
            is_file = "is a file here" if len(files) == 1 else "are files here"
            each = " (or another file, in each set)" if self._varied else ""
            what = f"{', '.join(named)}{more} {is_file}{each}, {_LEFT}"
            todo = f"{self._what_to_add(named)}; `--anyway` runs all the same."
            yield ConfigError(what, where=self._where, todo=todo)

    def warnings(self) -> Iterator[str]:
        """Yield a line for each file or folder that is no mistake for sure."""
        told = {path for word in self._always for path in self._found[word]}
        for word, paths in self._found.items():
            for path in paths:
                if path not in told:
                    told.add(path)
                    yield f"{self._where}: {path} is a {self._noun(path)} here, {_LEFT}; {self._name_it(word, path)}"

    def _name_it(self, word: _Word, path: str) -> str:
        if not self._is_file:
            varies = bool(word.pattern.names)
            name = shlex.quote(_path_of(word.pattern) if varies else path)
            return f"add --input {name} if the program reads it"
        if not self._is_regular(path):
            return f"name it under inputs: {{{_name(path)}: {{folder: {path}}}}}"
        if word.written:
            return "name it under results: if the program writes it, under inputs: if it reads it"
        return f"name it under inputs: {{{_entry(path)}}}"

    def _what_to_add(self, paths: Sequence[str]) -> str:
        """Return the lines for spe.yaml that bring these files along."""
        varied = {path for word in self._varied for path in self._found[word]}
        programs = [path for path in paths if self._is_program(path)]
        fixed = [path for path in paths if path not in varied and path not in programs]
        if not self._is_file:
            return self._options_to_add([*fixed, *programs], bool(varied))
        entries = [_entry(path) for path in fixed]
        if varied:
            entries.append(f'data: {{file: "{_path_of(self._varied[0].pattern)}"}}')
        lines = [f"`inputs: {{{', '.join(entries)}}}`"] if entries else []
        lines += [f"`worker: {posixpath.normpath(path)}`" for path in programs]
        in_command = ", with `data` in the command" if varied else ""
        return f"Add {' and '.join(lines)}{in_command}"

    def _options_to_add(self, paths: Sequence[str], is_varied: bool) -> str:
        """Return the options that bring these files along, and each set's own where they differ."""
        names = list(paths)
        if is_varied:
            names.append(_path_of(self._varied[0].pattern))
        return f"Add {' '.join(f'--input {shlex.quote(name)}' for name in names)}"

    def _is_program(self, path: str) -> bool:
        """Tell whether the file is started by its path, as in `sh -c "./sim 1"`."""
        return path.startswith("./") and os.access(os.path.join(self._folder, path), os.X_OK)

    def _noun(self, path: str) -> str:
        return "file" if self._is_regular(path) else "folder"

    def _files(self, word: _Word, values: Values) -> list[str]:
        """Return the files and folders here that the word names in this set and no key lists."""
        try:
            filled = word.pattern.fill(self._recipe.scope(values))
        except ConfigError:  # told by the check of the sets, with its line
            return []
        found = dict.fromkeys(path for path in _paths(filled, word.in_shell) if self._is_left(path))
        if found and self._varied_inputs:
            found = {path: None for path in found if not self._is_brought(path, values)}
        if found and self._has_own_results:
            return [path for path in found if not self._is_result(path, values)]
        return [*found]

    def _is_brought(self, path: str, values: Values) -> bool:
        """Tell whether an input with a parameter in its name or path brings this file or folder."""
        scope, path = self._recipe.scope(values), posixpath.normpath(path)
        for one in self._varied_inputs:
            if one.source is Source.GLOB:
                pattern = posixpath.normpath(one.pattern.fill(scope))
                if fnmatch(path, pattern) or posixpath.dirname(pattern) == path:
                    return True
                continue
            name = posixpath.normpath(one.name_for(scope))
            if path == name or path.startswith(name + "/") or name.startswith(path + "/"):
                return True
        return False

    def _is_result(self, path: str, values: Values) -> bool:
        """Tell whether the program writes this file: what lies here is left over from a try by hand."""
        name = posixpath.normpath(path)
        specs = self._sources.of(self._recipe.scope(values))
        return any(belongs(one, name) if one.kind.is_tree else one.source == name for one in specs)

    def _is_left(self, path: str) -> bool:
        if not path or len(path) > _LONGEST or path.startswith(("/", "-")) or "\0" in path:
            return False
        return self._kind(path) != 0 and posixpath.normpath(path) not in self._listed

    def _is_surely_read(self, path: str) -> bool:
        """Tell whether a word can mean nothing but this file: `euler` may be a method, too."""
        return self._is_regular(path) and ("." in path or "/" in path)

    def _is_regular(self, path: str) -> bool:
        return stat.S_ISREG(self._kind(path))

    def _kind(self, path: str) -> int:
        if path not in self._kinds:
            if len(self._kinds) > _KEPT:
                self._kinds.clear()
            self._kinds[path] = _kind(f"{self._folder}/{path}")
        return self._kinds[path]


def _kind(path: str) -> int:
    """Return the type of a regular file or a folder; 0 for all else."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return 0
    return stat.S_IFMT(mode) if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else 0


def _entry(path: str) -> str:
    """Return the entry of `inputs:` for a file; one from outside this folder gets its own name."""
    return f"{_name(path)}: {{file: {path}}}"


def _name(path: str) -> str:
    name = posixpath.normpath(path)
    return posixpath.basename(name) if name.startswith("../") else name


def _path_of(pattern: Pattern) -> str:
    """Return the pattern of a path: what follows the `=` of `--mesh={{ x }}.dat`."""
    first = pattern.segments[0]
    if first.code:
        return str(pattern)
    return str(pattern).removeprefix(first.text[: first.text.rfind("=") + 1])


def _listed(recipe: Recipe, config: Config) -> set[str]:
    """Return the names that are in the task's directory at the start or at the end, or no data."""
    there = {*recipe.fixed_names(), *(one.name for one in recipe.inputs)}
    # The program writes these itself. What lies here is left over from a try by hand.
    there |= {entry.source for entry in config.results.values()}
    there |= {folder for name in there for folder in _folders_above(name)}
    there |= {name for name in (recipe.worker, config.venv) if name}
    # These are the task's own directory and the one above it, whatever lies here.
    return {posixpath.normpath(name) for name in there if name} | {".", ".."}


def _folders_above(name: str) -> Iterator[str]:
    while name := posixpath.dirname(name):
        yield name


def _words(recipe: Recipe) -> Iterator[_Word]:
    """Yield the words of the command behind its first one, those of `sh -c TEXT` one by one."""
    at = 0 if recipe.shell else text_of_shell(recipe.words)
    for place, pattern in enumerate(recipe.words):
        if place == at:
            made = written_words(pattern)
            words = _unwritten(shell_words(pattern))
            yield from (_Word(word, True, str(word) in made) for word in words)
        elif place:
            yield _Word(pattern, False, _is_written(recipe.words[place - 1], pattern))


def _unwritten(words: Sequence[Pattern]) -> Iterator[Pattern]:
    """Yield the words of a shell's text that no option for an output stands before."""
    for before, word in zip((Pattern([]), *words), words, strict=False):
        if not _is_written(before, word):
            yield word


def _is_written(before: Pattern, word: Pattern) -> bool:
    """Tell whether the program writes the file of this word: `-o FILE`, `--output=FILE`."""
    return before.literal in _WRITTEN or str(word).partition("=")[0] in _WRITTEN


def _paths(filled: str, in_shell: bool) -> Iterator[str]:
    """Yield the paths that an argument may be: itself, or what follows a `=`."""
    yield filled
    yield filled.rpartition("=")[2]
    # A value in a shell's text may be several words, or one in quotes.
    if in_shell and (" " in filled or "'" in filled):
        try:
            yield from shlex.split(filled)
        except ValueError:
            return

"""Warnings about likely mistakes in one sweep.

A warning is one line about what is allowed but likely not meant. It never changes the exit code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...config.config import Config
from ...config.document import Document
from ..parameters import Parameters
from ..pattern import Pattern, Values
from ..recipe import Recipe

_DOLLAR = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
# Words that have a meaning for a shell alone, which no command goes through unless it asks for one.
_OPERATORS = frozenset(("|", ">", ">>", "<", "&&", "||", "&", ";", "2>", "2>&1"))


def warnings(
    recipe: Recipe, parameters: Parameters, config: Config, document: Document
) -> list[str]:
    """Return the warnings that need no look at the sets."""
    return [
        *_dollars(recipe, config, document),
        *_operators(recipe, document),
        *_unused(recipe, parameters, config),
    ]


def warnings_of_first(
    values: Values, recipe: Recipe, config: Config, document: Document
) -> list[str]:
    """Return the warnings about the first set: arguments that are files here, but not in the task's
    directory.
    """
    words = recipe.work_words(values)
    key = "inputs:"
    if recipe.shell:
        words = words[0].split()  # roughly: a shell would read it otherwise, but this only warns
        key = "worker: or inputs:"
    else:
        words = words[1:]
    where = document.where("command")
    return [
        f"{where}: {path} is a file here, but will not be in the task's directory; name it under {key}"
        for path in _files_left_here(words, recipe, config)
    ]


def _files_left_here(words: Sequence[str], recipe: Recipe, config: Config) -> list[str]:
    """Return the paths in these arguments that are files here and not in the task's directory."""
    there = _files_of_task(recipe, config)
    found = dict.fromkeys(path for word in words for path in _files(word, recipe.folder))
    return [path for path in found if Path(path).as_posix() not in there]


def _files_of_task(recipe: Recipe, config: Config) -> set[str]:
    """Return the names that a file in the task's directory has, at the start or at the end."""
    there = {one.name for one in recipe.inputs}
    # The program writes these itself. What lies here is left over from a try by hand.
    there |= {entry.source for entry in config.results.values()}
    if recipe.worker:
        there.add(recipe.worker)
    return there


def _dollars(recipe: Recipe, config: Config, document: Document) -> Iterator[str]:
    """Warn about `$name` where name is a parameter: no shell fills it in."""
    for path, pattern in recipe.patterns():
        for name in dict.fromkeys(_dollar_names(pattern)):
            # A variable under `env:` is there for the program and its shell to fill in.
            if name in recipe.names and name not in config.env:
                yield f"{document.where(*path)}: ${name} is not filled in; write {{{{ {name} }}}}"


def _dollar_names(pattern: Pattern) -> Iterator[str]:
    for segment in pattern.segments:
        if not segment.code:
            yield from (match[1] or match[2] for match in _DOLLAR.finditer(segment.text))


def _operators(recipe: Recipe, document: Document) -> Iterator[str]:
    """Warn about the first word that only a shell would understand, such as `|` or `>`."""
    if recipe.shell:
        return
    for word in recipe.words[1:]:
        if word.literal in _OPERATORS:
            what = "is given to the program as an argument; `shell: true` asks for a shell"
            yield f"{document.where('command')}: {word} {what}"
            return  # one such warning says it all


def _unused(recipe: Recipe, parameters: Parameters, config: Config) -> Iterator[str]:
    """Warn about parameters that command, inputs, env, where and hooks do not use."""
    used = _used_names(recipe, parameters, config)
    hooks = _hooks_text(config, recipe.folder)
    for name in parameters.names:
        if name not in used and not re.search(rf"\b{re.escape(name)}\b", hooks):
            yield f"{parameters.source}: the parameter {name} is used nowhere: not in command, inputs or env"


def _used_names(recipe: Recipe, parameters: Parameters, config: Config) -> set[str]:
    """Return the names that patterns and `where` use."""
    used = {name for _, pattern in recipe.patterns() for name in pattern.names}
    if parameters.where:
        used |= parameters.where.names
    if config.parameters.repeat:
        used.add("rep")  # made by spe, so nobody has to use it
    return used


def _hooks_text(config: Config, folder: Path) -> str:
    """Return the text of all hooks files.

    Hooks may use a parameter too. Its name in their text is taken for a use, so that the warning is
    never wrong about them.
    """
    files = {
        entry.partition(":")[0]
        for entry in (*config.validation, *config.collect)
        if ".py:" in entry
    }
    found = [folder / name for name in sorted(files) if (folder / name).is_file()]
    return "\n".join(path.read_text(errors="replace") for path in found)


def _files(word: str, folder: Path) -> Iterator[str]:
    """Yield the paths in an argument (`mesh.dat`, `--mesh=mesh.dat`) that are files here."""
    for path in dict.fromkeys((word, word.rpartition("=")[2])):
        # A longer one is no path, and os.path.isfile would take time for nothing.
        if 0 < len(path) < 1000 and not path.startswith("/") and os.path.isfile(folder / path):
            yield path

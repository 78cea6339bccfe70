"""What is allowed but likely not meant: warnings, one line each, which never change the exit code."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..config.config import Config
from ..config.document import Document
from .parameters import Parameters
from .pattern import Pattern, Values
from .recipe import Recipe

_DOLLAR = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_OPERATORS = frozenset(("|", ">", ">>", "<", "&&", "||", "&", ";", "2>", "2>&1"))


def about(recipe: Recipe, parameters: Parameters, config: Config, document: Document) -> list[str]:
    """Warnings that need no look at the sets."""
    return [
        *_dollars(recipe, config, document),
        *_operators(recipe, document),
        *_unused(recipe, parameters, config),
    ]


def about_first(values: Values, recipe: Recipe, config: Config, document: Document) -> list[str]:
    """Warnings about the first set: arguments that are files here and will not be there."""
    words = recipe.work_words(values)
    words = words[0].split() if recipe.shell else words[1:]
    there = {one.name for one in recipe.inputs} | {entry.source for entry in config.results.values()}
    there |= {recipe.worker} if recipe.worker else set()
    missing = dict.fromkeys(
        path for word in words for path in _files(word, recipe.folder) if Path(path).as_posix() not in there
    )
    where = document.where("command")
    key = "worker: or inputs:" if recipe.shell else "inputs:"
    return [
        f"{where}: {path} is a file here, but will not be in the task's directory; name it under {key}"
        for path in missing
    ]


def there_are(name: str, known: Sequence[str]) -> str:
    """`Did you mean samples? There are samples, seed.`"""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {{{{ {near[0]} }}}}? " if near else ""
    if name == "worker" and "worker" not in known:
        hint = "There is no worker: in the file. "
    names = "There are no parameters." if not known else f"There {'are' if known[1:] else 'is'} {', '.join(known)}."
    return hint + names


def _dollars(recipe: Recipe, config: Config, document: Document) -> Iterator[str]:
    for path, pattern in recipe.patterns():
        for name in dict.fromkeys(_dollar_names(pattern)):
            if name in recipe.names and name not in config.env:
                yield f"{document.where(*path)}: ${name} is not filled in; write {{{{ {name} }}}}"


def _dollar_names(pattern: Pattern) -> Iterator[str]:
    for segment in pattern.segments:
        if not segment.code:
            yield from (match[1] or match[2] for match in _DOLLAR.finditer(segment.text))


def _operators(recipe: Recipe, document: Document) -> Iterator[str]:
    if recipe.shell:
        return
    for word in recipe.words[1:]:
        if word.literal in _OPERATORS:
            what = "is given to the program as an argument; `shell: true` asks for a shell"
            yield f"{document.where('command')}: {word} {what}"
            return


def _unused(recipe: Recipe, parameters: Parameters, config: Config) -> Iterator[str]:
    used = {name for _, pattern in recipe.patterns() for name in pattern.names}
    used |= parameters.where.names if parameters.where else set()
    used |= {"rep"} if config.parameters.repeat else set()
    hooks = _hooks_text(config, recipe.folder)
    for name in parameters.names:
        if name not in used and not re.search(rf"\b{re.escape(name)}\b", hooks):
            yield f"{parameters.source}: the parameter {name} is used nowhere: not in command, inputs or env"


def _hooks_text(config: Config, folder: Path) -> str:
    """The hooks may use a parameter too; whether they do is only guessed at, by its name in their text."""
    files = {entry.partition(":")[0] for entry in (*config.validation, *config.collect) if ".py:" in entry}
    found = [folder / name for name in sorted(files) if (folder / name).is_file()]
    return "\n".join(path.read_text(errors="replace") for path in found)


def _files(word: str, folder: Path) -> Iterator[str]:
    """The paths in an argument (`mesh.dat`, `--mesh=mesh.dat`) that are files here."""
    for path in dict.fromkeys((word, word.rpartition("=")[2])):
        if 0 < len(path) < 1000 and not path.startswith("/") and os.path.isfile(folder / path):
            yield path

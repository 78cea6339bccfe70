"""Warnings about likely mistakes in one sweep.

A warning is one line about what is allowed but likely not meant. It never changes the exit code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...config.config import Config
from ...config.document import Document
from ...config.result_sources import ResultSources
from ..parameters import Parameters
from ..pattern import Pattern
from ..recipe import Recipe

_OF_SPE = re.compile(r"\$\{?(SPE_(?:TASK|SLOT|TICKET))\b")
_DOLLAR = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_BRACES = re.compile(r"(?<![{$%\\])\{(\w+)\}(?!\})")
# Variables that every shell has, and that a program does not look for in its own variables.
_OF_SHELLS = frozenset(
    (
        "PWD",
        "HOME",
        "USER",
        "PATH",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "SPE_TASK",
        "SPE_SLOT",
    )
)
# Words that have a meaning for a shell alone, which no command goes through unless it asks for one.
_OPERATORS = frozenset(("|", ">", ">>", "<", "&&", "||", "&", ";", "2>", "2>&1"))


def warnings(
    recipe: Recipe,
    parameters: Parameters,
    sources: ResultSources,
    config: Config,
    document: Document,
) -> list[str]:
    """Return the warnings that need no look at the sets."""
    return [
        *_dollars(recipe, config, document),
        *_single_braces(recipe, sources, document),
        *_unexpanded(recipe, document),
        *_names_of_results(config, document),
        *_variables_of_spe(recipe, document),
        *_operators(recipe, document),
        *_unused(recipe, parameters, sources, config),
    ]


def _dollars(recipe: Recipe, config: Config, document: Document) -> Iterator[str]:
    """Warn about `$name` where name is a parameter: no shell fills it in."""
    for path, pattern in recipe.patterns():
        for name in dict.fromkeys(_dollar_names(pattern)):
            # A variable under `env:` is there for the program and its shell to fill in.
            if name in recipe.names and name not in config.env:
                yield f"{document.where(*path)}: ${name} is not filled in; write {{{{ {name} }}}}"


def _single_braces(recipe: Recipe, sources: ResultSources, document: Document) -> Iterator[str]:
    """Warn about `{name}` where name is a parameter, in the command or in the path of a result."""
    used = {name for _, pattern in recipe.patterns() for name in pattern.names}
    places: list[tuple[tuple[str, ...], str]] = [
        (("command",), "".join(one.text for one in word.segments if not one.code))
        for word in recipe.words
    ]
    places += [(("results", one.name, "from"), one.source) for one in sources.specs]
    told = set()
    for path, text in places:
        for name in _BRACES.findall(text):
            # A text of several words is one in another language: awk '{x}', python3 -c "f'{x}'".
            in_text = bool(re.search(r"\s", text)) and name in used
            if name in recipe.names and not in_text and (path, name) not in told:
                told.add((path, name))
                yield f"{document.where(*path)}: {{{name}}} is not filled in; write {{{{ {name} }}}}"


def _unexpanded(recipe: Recipe, document: Document) -> Iterator[str]:
    """Warn about `$PWD` and the like in the value of a variable: no shell fills them in."""
    for name, pattern in recipe.env.items():
        for found in dict.fromkeys(_dollar_names(pattern)):
            # Not every `$`: the loader knows $ORIGIN, and make $(FLAGS).
            if found in _OF_SHELLS or found == name:
                where = document.where("env", name)
                what = f"${found} is not filled in: no shell reads values of env"
                yield f"{where}: {what}; docs/environment.md has other ways"


def _names_of_results(config: Config, document: Document) -> Iterator[str]:
    """Warn about `from: log` where log is no file, but the name of another result."""
    # No error: the program may write a file of that name, too.
    files = {entry.source for name, entry in config.results.items() if entry.source == name}
    for name, entry in config.results.items():
        meant = config.results.get(entry.source)
        if meant is None or entry.source in (name, "stdout") or entry.source in files:
            continue
        where = document.where("results", name, "from")
        todo = f"its file is {meant.source}"
        if meant.source == "stdout":
            todo = "write `from: stdout`"
        yield f"{where}: {entry.source} is the name of a result; {todo}"


def _dollar_names(pattern: Pattern) -> Iterator[str]:
    for segment in pattern.segments:
        if not segment.code:
            yield from (match[1] or match[2] for match in _DOLLAR.finditer(segment.text))


def _variables_of_spe(recipe: Recipe, document: Document) -> Iterator[str]:
    """Warn about `$SPE_TASK` in a command that no shell reads."""
    if recipe.shell:
        return
    for word in recipe.words:
        found = _OF_SPE.search(str(word))
        # A text of several words is one that a shell of the command reads: sh -c '… $SPE_TASK'.
        if found and not re.search(r"\s", str(word)):
            where = document.where("command")
            yield f"{where}: ${found[1]} is not filled in; {_asks_for_shell(document)}"


def _operators(recipe: Recipe, document: Document) -> Iterator[str]:
    """Warn about the first word that only a shell would understand, such as `|` or `>`."""
    if recipe.shell:
        return
    for word in recipe.words[1:]:
        if word.literal in _OPERATORS:
            what = f"is given to the program as an argument; {_asks_for_shell(document)}"
            yield f"{document.where('command')}: {word} {what}"
            return  # one such warning says it all


def _asks_for_shell(document: Document) -> str:
    """Return how a shell is asked for, where the command stands: in a file, or on the command line."""
    return f"{'`shell: true`' if document.data else '`--shell`'} asks for a shell"


_OF_PARALLEL = re.compile(r"(?<!\{)\{(\.|/|//|/\.|[0-9]+)?\}(?!\})")


def _unused(
    recipe: Recipe, parameters: Parameters, sources: ResultSources, config: Config
) -> Iterator[str]:
    """Warn about parameters that command, inputs, env, results, where and hooks do not use."""
    used = _used_names(recipe, parameters, config)
    used |= {name for pattern in sources.patterns.values() for name in pattern.names}
    hooks = _hooks_text(config, recipe.folder)
    for name in parameters.names:
        if name not in used and not re.search(rf"\b{re.escape(name)}\b", hooks):
            text = f"{parameters.source}: the parameter {name} is used nowhere: not in command, inputs or env"
            if any(_OF_PARALLEL.search(str(word)) for word in recipe.words):
                text += f"; what is {{}} for GNU parallel is {{{{ {name} }}}} here"
            yield text


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

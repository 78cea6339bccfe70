"""Checks of one sweep as a whole.

Unknown names and names used twice are errors, likely mistakes are warnings.

A warning is one line about what is allowed but likely not meant. It never changes the exit code.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..config.config import Config
from ..config.document import Document
from ..config.result_sources import ResultSources
from ..errors import ConfigError
from ..results.trees import belongs
from .parameters import Parameters
from .pattern import Pattern, Values
from .recipe import Recipe

#: Columns that every table has.
COLUMNS = ("number", "host", "seconds", "attempts", "reason")
_DOLLAR = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
# Words that have a meaning for a shell alone, which no command goes through unless it asks for one.
_OPERATORS = frozenset(("|", ">", ">>", "<", "&&", "||", "&", ";", "2>", "2>&1"))


def check_names(
    recipe: Recipe, sources: ResultSources, config: Config, document: Document
) -> None:
    """Raise ConfigError for a name that is not known, or that two things have."""
    known = recipe.names
    if recipe.worker:
        known = (*known, "worker")
    for path, pattern in recipe.patterns():
        with at(document, *path):
            check_known(pattern.names, known)
    for name, source in sources.patterns.items():
        with at(document, "results", name, "from"):
            check_known(source.names, known)
    _check_parameters(recipe, config, document)
    _check_results(recipe, config, document)


def _check_parameters(recipe: Recipe, config: Config, document: Document) -> None:
    # In the order of the file, so that the first fault is told first.
    for name in recipe.names:
        if fault := _parameter_fault(name, recipe.names.count(name)):
            raise ConfigError(
                fault, where=_place(name, config, document), todo="Rename the parameter."
            )


def _check_results(recipe: Recipe, config: Config, document: Document) -> None:
    for name in config.results:
        if fault := _result_fault(name, recipe, config):
            raise ConfigError(
                fault, where=document.where("results", name), todo="Rename the result."
            )


def check_known(names: frozenset[str], known: Sequence[str]) -> None:
    """Raise ConfigError, without a place, for the first name that is not known."""
    for name in sorted(names - set(known)):
        raise ConfigError(f"{{{{ {name} }}}} is not defined", todo=there_are(name, known))


def check_interpreter(path: str, folder: Path) -> None:
    """Raise ConfigError, without a place, for the Python of a virtual environment as program.

    It would be copied to the hosts as the worker, without the packages around it.
    """
    program = folder / path
    if "/" not in path or not (program.parent.parent / "pyvenv.cfg").is_file():
        return
    what = f"{path} belongs to a virtual environment of this machine, which hosts do not have"
    todo = "Write `venv: requirements.txt`, and the command as `python FILE`: see docs/environment.md."
    raise ConfigError(what, todo=todo)


@contextmanager
def at(document: Document, *path: str) -> Iterator[None]:
    """Give a ConfigError from the block the place of a key in the document, unless it has a place."""
    try:
        yield
    except ConfigError as error:
        if error.where:
            raise
        raise ConfigError(error.what, where=document.where(*path), todo=error.todo) from error


def _result_fault(name: str, recipe: Recipe, config: Config) -> str:
    """Return why a result can't have this name; empty if it can."""
    if name in recipe.names:
        return f"{name} is the name of a parameter too"
    if name in COLUMNS:
        return f"a result can't be called {name}: the table has a column of that name"
    if name == "stdout" and config.results[name].source != "stdout":
        return "a result called stdout can only come from there"
    return ""


def _parameter_fault(name: str, times: int) -> str:
    """Return why a parameter can't have this name; empty if it can."""
    if times > 1:
        hint = " (repeat makes rep)" if name == "rep" else ""
        return f"the parameter {name} comes from two places{hint}"
    if name in COLUMNS:
        return f"a parameter can't be called {name}: the table has a column of that name"
    if name == "worker":
        return "a parameter can't be called worker: {{ worker }} is the name of the executable"
    return ""


def _place(name: str, config: Config, document: Document) -> str:
    """Return where a parameter stands."""
    spec = config.parameters
    for block, names in (("grid", spec.grid), ("zip", spec.zip)):
        if name in names:
            return document.where("parameters", block, name)
    if isinstance(spec.rows, str):
        return f"{spec.rows}:1"  # the header of the parameter file
    return document.where("parameters", "rows")


# -- warnings


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
        *_operators(recipe, document),
        *_unused(recipe, parameters, sources, config),
    ]


def warnings_of_first(
    values: Values,
    recipe: Recipe,
    sources: ResultSources,
    config: Config,
    document: Document,
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
        for path in _files_left_here(words, recipe, sources, values)
    ]


def _files_left_here(
    words: Sequence[str], recipe: Recipe, sources: ResultSources, values: Values
) -> list[str]:
    """Return the paths in these arguments that are files here and not in the task's directory."""
    there = {one.name for one in recipe.inputs}
    if recipe.worker:
        there.add(recipe.worker)
    # The program writes these itself. What lies here is left over from a try by hand.
    specs = sources.of(recipe.scope(values))
    there |= {spec.source for spec in specs}
    trees = [spec for spec in specs if spec.kind.is_tree]
    found = dict.fromkeys(path for word in words for path in _files(word, recipe.folder))
    shown = {path: Path(path).as_posix() for path in found}
    return [
        path
        for path, name in shown.items()
        if name not in there and not any(belongs(spec, name) for spec in trees)
    ]


def there_are(name: str, known: Sequence[str]) -> str:
    """Return what to do about an unknown name: `Did you mean samples? There are samples, seed.`"""
    hint = _hint(name, known)
    if not known:
        return hint + "There are no parameters."
    verb = "are" if len(known) > 1 else "is"
    return f"{hint}There {verb} {', '.join(known)}."


def _hint(name: str, known: Sequence[str]) -> str:
    """Return what an unknown name may have meant; empty where nothing is near."""
    # Before the nearest name: {{ worker }} is a name of spe, and a parameter `works` is not meant.
    if name == "worker" and "worker" not in known:
        return "There is no worker: in the file. "
    near = difflib.get_close_matches(name, known, 1)
    return f"Did you mean {{{{ {near[0]} }}}}? " if near else ""


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


def _unused(
    recipe: Recipe, parameters: Parameters, sources: ResultSources, config: Config
) -> Iterator[str]:
    """Warn about parameters that command, inputs, env, results, where and hooks do not use."""
    used = _used_names(recipe, parameters, config)
    used |= {name for pattern in sources.patterns.values() for name in pattern.names}
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

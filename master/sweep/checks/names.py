"""Checks of the names of one sweep: unknown names, and names used twice, are errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...config.config import Config
from ...config.document import Document
from ...config.result_sources import ResultSources
from ...errors import ConfigError
from ...text import nearest
from ..recipe import Recipe

#: Columns that every table has.
COLUMNS = ("number", "host", "seconds", "attempts", "reason")
#: Names that people expect in patterns: what each task gets in a variable, and what that is.
VARIABLES = {
    "number": ("SPE_TASK", "the number of the set"),
    "task": ("SPE_TASK", "the number of the set"),
    "slot": ("SPE_SLOT", "the number of the slot"),
    "ticket": ("SPE_TICKET", "the number of the attempt"),
}


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
def at(document: Document, *path: str | int) -> Iterator[None]:
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
    near = nearest(name, known)
    meant = f"Did you mean {{{{ {near} }}}}? " if near else ""
    return meant + _variable_hint(name)


def _variable_hint(name: str) -> str:
    """Return which variable has what this name may have meant; empty where none has."""
    if name not in VARIABLES:
        return ""
    variable, what = VARIABLES[name]
    return f"The program finds {what} as ${variable} (in the command: `shell: true`). "
